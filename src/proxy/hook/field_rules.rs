//! Rules on fields that a hook edits or adds.

use crate::http::hop::ConnectionOptions;
use crate::http::list::is_token;
use crate::http::{Field, Fields, Method, Name, RequestHead, Version, claims, is_field_value};

use super::error::{FieldRule, HookError};

/// Checks that the lines of a request that are named `name` may be edited.
///
/// # Errors
/// The rule against the edit.
pub(super) fn check_edit(name: &str, request: &RequestHead) -> Result<(), HookError> {
    check_name(name, &ConnectionOptions::of(request.version(), request.fields()))
}

/// Checks that the lines of all requests that are named `name` may be edited.
///
/// # Errors
/// The rule against the edit.
pub(crate) fn check_request_name(name: &str) -> Result<(), HookError> {
    check_name(name, &ConnectionOptions::of(Version::Http11, &Fields::default()))
}

/// Checks that lines named `name` may be edited in requests with these connection `options`.
fn check_name(name: &str, options: &ConnectionOptions<'_>) -> Result<(), HookError> {
    let field = field_of(name, b"")?;
    let rule = match field.id {
        Name::Host => Some(FieldRule::Host),
        // The client sends content, or waits with it, by what these fields have said.
        Name::ContentLength | Name::TransferEncoding | Name::Trailer | Name::Expect => {
            Some(FieldRule::Framing)
        }
        // A hook cannot hide a loop, nor contradict the address that the exchange is recorded with.
        Name::Via
        | Name::CdnLoop
        | Name::Forwarded
        | Name::XForwardedFor
        | Name::XForwardedHost
        | Name::XForwardedProto => Some(FieldRule::Own),
        Name::Other if field.is_named(b"X-Forwarded-Port") => Some(FieldRule::Own),
        _ => options.is_hop_by_hop(&field).then_some(FieldRule::HopByHop),
    };
    refuse(name, rule)
}

/// Checks that a line can be added to a request.
///
/// # Errors
/// The rule against the line.
pub(super) fn check_line(name: &str, value: &[u8], request: &RequestHead) -> Result<(), HookError> {
    check_edit(name, request)?;
    let field = field_of(name, value)?;
    refuse(name, is_claim(&field, request.method()).then_some(FieldRule::Claim))
}

/// Checks that a line can be added to a response.
///
/// # Errors
/// The rule against the line.
pub(crate) fn check_response_line(name: &str, value: &[u8]) -> Result<(), HookError> {
    let field = field_of(name, value)?;
    let rule = match field.id {
        Name::ContentLength | Name::TransferEncoding | Name::Trailer => Some(FieldRule::Framing),
        Name::Date | Name::Age | Name::CacheStatus => Some(FieldRule::Own),
        Name::ProxyAuthenticate => None, // a challenge of this proxy, with 407
        _ => {
            let none = Fields::default();
            let hop = ConnectionOptions::of(Version::Http11, &none);
            hop.is_hop_by_hop(&field).then_some(FieldRule::HopByHop)
        }
    };
    refuse(name, rule)
}

/// Returns the field line, if both parts are well-formed.
fn field_of<'a>(name: &'a str, value: &'a [u8]) -> Result<Field<'a>, HookError> {
    if !is_token(name.as_bytes()) {
        return Err(HookError::field(name, FieldRule::Name));
    }
    if !is_field_value(value) {
        return Err(HookError::field(name, FieldRule::Value));
    }
    Ok(Field { id: Name::from_bytes(name.as_bytes()), name: name.as_bytes(), value })
}

/// Returns true if the field is removed from requests that clients send with `method`.
fn is_claim(field: &Field<'_>, method: Method) -> bool {
    claims::is_deceptive(field.name) || claims::is_request_claim(field.name, method)
}

fn refuse(name: &str, rule: Option<FieldRule>) -> Result<(), HookError> {
    rule.map_or(Ok(()), |rule| Err(HookError::field(name, rule)))
}
