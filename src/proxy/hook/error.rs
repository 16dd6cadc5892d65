//! Errors of a hook's edits, responses and refusals.

use std::error::Error;
use std::fmt;

use crate::app::{FieldRule, ResponseError};
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
    /// A response is malformed.
    Response(ResponseError),
    /// A refusal cannot have this status.
    RefusalStatus(Status),
}

impl HookError {
    pub(super) fn field(name: &str, rule: FieldRule) -> Self {
        Self::Field { name: name.to_owned(), rule }
    }
}

impl From<ResponseError> for HookError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name, rule } => write!(f, "'{}' {}", name.escape_debug(), rule.text()),
            Self::Response(error) => error.fmt(f),
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
