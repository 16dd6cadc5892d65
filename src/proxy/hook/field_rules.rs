//! Rules on fields that a hook edits or adds.

use crate::app::{FieldRule, field_of};
use crate::http::hop::ConnectionOptions;
use crate::http::{Field, Fields, Method, Name, RequestHead, Version, claims};

use super::error::HookError;

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
    let field = checked(name, b"")?;
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
    let field = checked(name, value)?;
    refuse(name, is_claim(&field, request.method()).then_some(FieldRule::Claim))
}

/// Returns the field line, if both parts are well-formed.
fn checked<'a>(name: &'a str, value: &'a [u8]) -> Result<Field<'a>, HookError> {
    field_of(name, value).map_err(|rule| HookError::field(name, rule))
}

/// Returns true if the field is removed from requests that clients send with `method`.
fn is_claim(field: &Field<'_>, method: Method) -> bool {
    claims::is_deceptive(field.name) || claims::is_request_claim(field.name, method)
}

fn refuse(name: &str, rule: Option<FieldRule>) -> Result<(), HookError> {
    rule.map_or(Ok(()), |rule| Err(HookError::field(name, rule)))
}
