//! Errors of a hook's edits, responses and refusals.

use std::error::Error;
use std::fmt;

use crate::http::Status;

/// Error in an edit of a request, or in a response or refusal that a hook builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookError {
    /// A field cannot be set, added or removed.
    Field {
        /// Name of the field.
        name: String,
        /// Rule against the edit.
        rule: FieldRule,
    },
    /// A response cannot have this status, which is interim (RFC 9110 §15.2).
    Interim(Status),
    /// A response with this status has no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
    Content(Status),
    /// A refusal cannot have this status.
    RefusalStatus(Status),
}

/// Rule against an edit of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// The name is not a token (RFC 9110 §5.1).
    Name,
    /// The value has control characters (RFC 9110 §5.5).
    Value,
    /// `Host` selects the resource, together with the target.
    Host,
    /// The field frames the content or controls its transfer.
    Framing,
    /// The field concerns one connection, by its name or because `Connection` names it (RFC 9110
    /// §7.6.1).
    HopByHop,
    /// Only the proxy writes the field.
    Own,
    /// The proxy removes the field from requests of clients: it claims an address, host, target or
    /// method, and origins believe it.
    Claim,
    /// The head would exceed the limits for request heads.
    TooLarge,
}

impl HookError {
    pub(super) fn field(name: &str, rule: FieldRule) -> Self {
        Self::Field { name: name.to_owned(), rule }
    }
}

impl FieldRule {
    /// Returns the second part of the message, which follows the name of the field.
    const fn text(self) -> &'static str {
        match self {
            Self::Name => "is not a field name (RFC 9110 §5.1)",
            Self::Value => "cannot have a value with control characters (RFC 9110 §5.5)",
            Self::Host => "cannot be edited: it selects the resource",
            Self::Framing => "cannot be edited: it frames the content or controls its transfer",
            Self::HopByHop => {
                "cannot be edited: it concerns one connection, by its name or because Connection \
                 names it (RFC 9110 §7.6.1)"
            }
            Self::Own => "cannot be edited: only the proxy writes it",
            Self::Claim => {
                "cannot be set: the proxy removes such claims from requests of clients; remove it, or \
                 set a field with another name"
            }
            Self::TooLarge => {
                "cannot be set: the head would exceed limits.field, limits.fields or limits.head"
            }
        }
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name, rule } => write!(f, "'{}' {}", name.escape_debug(), rule.text()),
            Self::Interim(status) => {
                write!(f, "a hook's response is final; status {status} is interim (1xx)")
            }
            Self::Content(status) => write!(f, "a response with status {status} has no content"),
            Self::RefusalStatus(status) => {
                write!(
                    f,
                    "a refusal cannot have status {status}; use 4xx or 5xx, but a response for 401, \
                     405, 407 and 426"
                )
            }
        }
    }
}

impl Error for HookError {}
