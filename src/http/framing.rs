//! How long a message is: RFC 9112 §6, and what is refused rather than guessed.

use super::fields::{Fields, Name};
use super::list::is_token;
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
    if method == Method::Connect && status.is_success() {
        return Ok(Framing::None); // a tunnel, whatever the fields say (RFC 9112 §6.3, rule 2)
    }
    let framing = match transfer_encoding(version, fields)? {
        Coding::Chunked => Framing::Chunked,
        Coding::Other => Framing::Close,
        Coding::None => content_length(fields)?.map_or(Framing::Close, Framing::Length),
    };
    let bodiless = method == Method::Head || status.is_bodiless(); // rule 1
    Ok(if bodiless { Framing::None } else { framing })
}

/// Whether a response announces content that its status forbids (RFC 9110 §8.6, RFC 9112 §6.1).
/// Such a sender may send it all the same, and then it stands where the next response should.
pub(super) fn announces_forbidden_content(status: Status, fields: &Fields) -> bool {
    let forbidden = status.is_interim() || status == Status::NO_CONTENT;
    forbidden && announces_content(fields)
}

/// Returns true if the fields of a response tell of content.
pub(super) fn announces_content(fields: &Fields) -> bool {
    let length = fields.get(Name::ContentLength);
    fields.has(Name::TransferEncoding) || length.is_some_and(|n| decimal(n) != Some(0))
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
    // Beside empty elements or lines, `chunked` is found by some and overlooked by others.
    if fields.only(Name::TransferEncoding).is_some_and(is_chunked) {
        return Ok(Coding::Chunked);
    }
    // No coding has parameters, and with them some find a 'chunked' that others do not.
    let codings: Vec<&[u8]> = fields.elements(Name::TransferEncoding).collect();
    let Some((last, others)) = codings.split_last() else { return Err(Refusal::TransferEncoding) };
    let readable = codings.iter().all(|coding| is_token(coding));
    if !readable || others.iter().any(|coding| is_chunked(coding)) {
        return Err(Refusal::TransferEncoding);
    }
    match is_chunked(last) {
        false => Ok(Coding::Other),
        true if others.is_empty() => Err(Refusal::TransferEncoding),
        true => Err(Refusal::UnknownTransferEncoding),
    }
}

/// Whether a response names a coding that is registered, or was, for transfer or for content: whoever
/// knows it can undo it. One that is not was asked for by nobody, and means nothing to anybody; nor
/// does `identity`.
pub(super) fn is_coded(fields: &Fields) -> bool {
    const KNOWN: [&[u8]; 7] =
        [b"compress", b"deflate", b"gzip", b"x-compress", b"x-gzip", b"br", b"zstd"];
    let is_known = |coding: &[u8]| KNOWN.iter().any(|known| coding.eq_ignore_ascii_case(known));
    fields.elements(Name::TransferEncoding).any(is_known)
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
