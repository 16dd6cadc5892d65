//! How long a message is: RFC 9112 §6, and what is refused rather than guessed.

use super::fields::{Fields, Name};
use super::method::Method;
use super::refusal::Refusal;
use super::status::Status;
use super::version::Version;

/// How the end of a message's content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no content, whatever the fields say.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All bytes until the connection ends.
    Close,
}

impl Framing {
    /// The length of the content, if it is known beforehand.
    #[must_use]
    pub const fn length(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked | Self::Close => None,
        }
    }

    /// Whether there is content, as far as is known beforehand.
    #[must_use]
    pub const fn has_content(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

/// The framing of a request.
///
/// # Errors
/// Whatever could be read two ways.
pub(super) fn of_request(
    method: Method,
    version: Version,
    fields: &Fields,
) -> Result<Framing, Refusal> {
    let framing = match transfer_encoding(version, fields)? {
        Coding::Chunked => Framing::Chunked,
        Coding::Other => return Err(Refusal::UnknownTransferEncoding),
        Coding::None => content_length(fields)?.map_or(Framing::None, Framing::Length),
    };
    if framing.has_content() && matches!(method, Method::Trace | Method::Connect) {
        return Err(Refusal::Content);
    }
    Ok(framing)
}

/// The framing of a response to a request with `method`.
///
/// # Errors
/// Whatever could be read two ways.
pub(super) fn of_response(
    method: Method,
    status: Status,
    version: Version,
    fields: &Fields,
) -> Result<Framing, Refusal> {
    if status.is_bodiless() {
        return Ok(Framing::None); // by its status alone (RFC 9112 §6.3, rule 1)
    }
    let framing = match transfer_encoding(version, fields)? {
        Coding::Chunked => Framing::Chunked,
        Coding::Other => Framing::Close,
        Coding::None => content_length(fields)?.map_or(Framing::Close, Framing::Length),
    };
    Ok(if method == Method::Head { Framing::None } else { framing })
}

enum Coding {
    None,
    Chunked,
    /// Some coding that is not `chunked`, and no `chunked` after it.
    Other,
}

fn transfer_encoding(version: Version, fields: &Fields) -> Result<Coding, Refusal> {
    if !fields.has(Name::TransferEncoding) {
        return Ok(Coding::None);
    }
    if version == Version::Http10 {
        return Err(Refusal::OldTransferEncoding);
    }
    if fields.has(Name::ContentLength) {
        return Err(Refusal::TwoLengths);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let codings: Vec<&[u8]> = fields.elements(Name::TransferEncoding).collect();
    let Some((last, others)) = codings.split_last() else { return Err(Refusal::TransferEncoding) };
    if others.iter().any(|coding| is_chunked(coding)) || !codings.iter().all(|c| is_coding(c)) {
        return Err(Refusal::TransferEncoding);
    }
    match (is_chunked(last), others.is_empty()) {
        (true, true) => Ok(Coding::Chunked),
        (true, false) => Err(Refusal::UnknownTransferEncoding),
        (false, _) => Ok(Coding::Other),
    }
}

/// A token, perhaps with parameters.
fn is_coding(element: &[u8]) -> bool {
    let end = element.iter().position(|&b| b == b';').unwrap_or(element.len());
    super::list::is_token(element[..end].trim_ascii_end())
}

fn content_length(fields: &Fields) -> Result<Option<u64>, Refusal> {
    let mut values = fields.all(Name::ContentLength);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.contains(&b',') {
        return Err(Refusal::RepeatedContentLength);
    }
    // 2^63 - 1 is more than anybody has, and leaves room for sums.
    let length = decimal(value).filter(|&length| length <= i64::MAX.cast_unsigned());
    length.map(Some).ok_or(Refusal::ContentLength)
}

/// A number of digits only: no sign, no space.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
