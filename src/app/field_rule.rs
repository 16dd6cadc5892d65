//! Rules on field lines that a program adds to messages.

use crate::http::list::is_token;
use crate::http::{Field, Name, is_field_value};

/// Rule against adding or editing a field.
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

impl FieldRule {
    /// Returns the second part of a message, which follows the name of the field.
    #[must_use]
    pub const fn text(self) -> &'static str {
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

/// Returns the field line, if both parts are well-formed.
///
/// # Errors
/// The rule against a part.
pub(crate) fn field_of<'a>(name: &'a str, value: &'a [u8]) -> Result<Field<'a>, FieldRule> {
    if !is_token(name.as_bytes()) {
        return Err(FieldRule::Name);
    }
    if !is_field_value(value) {
        return Err(FieldRule::Value);
    }
    Ok(Field { id: Name::from_bytes(name.as_bytes()), name: name.as_bytes(), value })
}
