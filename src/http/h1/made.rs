//! Heads that a program makes, within the limits of those that are received.

use crate::http::body_length::BodyLength;
use crate::http::fields::{Fields, Span};
use crate::http::head::ResponseHead;
use crate::http::parse_error::ParseError;
use crate::http::status::Status;
use crate::http::version::Version;

use super::parse::HeadLimits;

/// Returns the head of a response. `fields` follow its start line, and agree with the length of the
/// content.
///
/// # Errors
/// The limit that the head exceeds.
pub(crate) fn response_head(
    status: Status,
    fields: Fields,
    body_length: BodyLength,
    limits: &HeadLimits,
) -> Result<ResponseHead, ParseError> {
    let lengths = fields.iter().map(|field| field.name.len() + ": ".len() + field.value.len());
    if lengths.max().is_some_and(|longest| longest > limits.field) {
        return Err(ParseError::FieldTooLong);
    }
    if fields.len() > limits.fields {
        return Err(ParseError::TooManyFields);
    }
    if fields.wire().len() + "\r\n".len() > limits.head {
        return Err(ParseError::HeadTooLarge);
    }
    let line = fields.start_line();
    let reason = line.get("HTTP/1.1 200 ".len()..).unwrap_or_default().trim_ascii_end();
    let reason = Span::of(reason, fields.wire());
    let version = Version::Http11;
    Ok(ResponseHead { version, status, reason, fields, body_length, is_coded: false })
}
