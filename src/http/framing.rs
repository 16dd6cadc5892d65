//! Framing: how the end of a message is found (RFC 9112 §6). Ambiguous framing is refused, not
//! guessed.

use crate::work;

use super::fields::Fields;
use super::list::is_token;
use super::method::Method;
use super::name::Name;
use super::parse_error::ParseError;
use super::status::Status;
use super::version::Version;

/// Framing of a message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No content, whatever the fields say.
    None,
    /// Content of this many bytes.
    Length(u64),
    /// Content in chunks.
    Chunked,
    /// Content up to the end of the connection.
    Close,
}

impl Framing {
    /// Returns the length of the content, if it is known in advance.
    #[must_use]
    pub const fn length(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked | Self::Close => None,
        }
    }

    /// Returns true unless the content is known to be empty.
    #[must_use]
    pub const fn has_content(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

/// Returns the framing of a request.
///
/// # Errors
/// The rule by which the framing is ambiguous or unsupported.
pub(super) fn of_request(
    method: Method,
    version: Version,
    fields: &Fields,
) -> Result<Framing, ParseError> {
    let framing = match transfer_encoding(version, fields)? {
        Coding::Chunked => Framing::Chunked,
        Coding::Other => return Err(ParseError::UnknownTransferEncoding),
        Coding::None => content_length(fields)?.map_or(Framing::None, Framing::Length),
    };
    if framing.has_content() && matches!(method, Method::Trace | Method::Connect) {
        return Err(ParseError::Content);
    }
    Ok(framing)
}

/// Returns the framing of a response to a request with `method`.
///
/// # Errors
/// The rule by which the framing is ambiguous or unsupported.
pub(super) fn of_response(
    method: Method,
    status: Status,
    version: Version,
    fields: &Fields,
) -> Result<Framing, ParseError> {
    if method == Method::Connect && status.is_success() {
        return Ok(Framing::None); // a tunnel, whatever the fields say (RFC 9112 §6.3, rule 2)
    }
    let framing = match transfer_encoding(version, fields)? {
        Coding::Chunked => Framing::Chunked,
        // An unknown coding is neither dropped nor forwarded: the client could only guess.
        Coding::Other if !codings_are_known(fields) => {
            return Err(ParseError::UnknownTransferEncoding);
        }
        Coding::Other => Framing::Close,
        Coding::None => content_length(fields)?.map_or(Framing::Close, Framing::Length),
    };
    let bodiless = method == Method::Head || status.is_bodiless(); // rule 1
    Ok(if bodiless { Framing::None } else { framing })
}

/// Returns true if a response announces content that its status forbids (RFC 9110 §8.6, RFC 9112
/// §6.1). The origin may send that content all the same, in the place of the next response.
pub(super) fn announces_forbidden_content(status: Status, fields: &Fields) -> bool {
    let forbidden = status.is_interim() || status == Status::NO_CONTENT;
    forbidden && announces_content(fields)
}

/// Returns true if the fields of a response announce content.
pub(super) fn announces_content(fields: &Fields) -> bool {
    let length = fields.get(Name::ContentLength);
    fields.has(Name::TransferEncoding) || length.is_some_and(|n| decimal(n) != Some(0))
}

enum Coding {
    None,
    Chunked,
    /// A coding other than `chunked`, without `chunked` after it.
    Other,
}

fn transfer_encoding(version: Version, fields: &Fields) -> Result<Coding, ParseError> {
    if !fields.has(Name::TransferEncoding) {
        return Ok(Coding::None);
    }
    if version == Version::Http10 {
        return Err(ParseError::OldTransferEncoding);
    }
    if fields.has(Name::ContentLength) {
        return Err(ParseError::TwoLengths);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    // A `chunked` with empty elements or lines beside it is found by some parsers and overlooked by
    // others.
    if fields.only(Name::TransferEncoding).is_some_and(is_chunked) {
        return Ok(Coding::Chunked);
    }
    // No coding has parameters. With parameters, some parsers find a `chunked` that others do not.
    let codings: Vec<&[u8]> = fields.elements(Name::TransferEncoding).collect();
    let Some((last, others)) = codings.split_last() else {
        return Err(ParseError::TransferEncoding);
    };
    let readable = codings.iter().all(|coding| is_token(coding));
    if !readable || others.iter().any(|coding| is_chunked(coding)) {
        return Err(ParseError::TransferEncoding);
    }
    match is_chunked(last) {
        false => Ok(Coding::Other),
        true if others.is_empty() => Err(ParseError::TransferEncoding),
        true => Err(ParseError::UnknownTransferEncoding),
    }
}

/// Returns true if a response has a transfer coding that clients may be able to decode. `identity`,
/// which RFC 9112 no longer has, is not one.
pub(super) fn is_coded(fields: &Fields) -> bool {
    fields.elements(Name::TransferEncoding).any(is_known)
}

fn codings_are_known(fields: &Fields) -> bool {
    let known = |coding: &[u8]| is_known(coding) || coding.eq_ignore_ascii_case(b"identity");
    fields.elements(Name::TransferEncoding).all(known)
}

/// Returns true if `coding` is or was registered, as a transfer or content coding.
fn is_known(coding: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] =
        [b"compress", b"deflate", b"gzip", b"x-compress", b"x-gzip", b"br", b"zstd"];
    work::count(KNOWN.len());
    KNOWN.iter().any(|known| coding.eq_ignore_ascii_case(known))
}

/// Returns the length of a response that must be written in a plain form: its fields repeat the
/// same number, on several lines or in a list (RFC 9112 §6.3, rule 5), or it has leading zeros.
pub(super) fn repeated_length(fields: &Fields) -> Option<u64> {
    work::count(fields.all(Name::ContentLength).map(<[u8]>::len).sum());
    let numbers = |value| <[u8]>::split(value, |&byte| byte == b',').map(<[u8]>::trim_ascii);
    let mut said = fields.all(Name::ContentLength).flat_map(numbers);
    let first = said.next()?;
    let repeats = said.clone().next().is_some();
    let padded = first.len() > 1 && first.starts_with(b"0");
    decimal(first).filter(|_| (repeats || padded) && said.all(|other| other == first))
}

fn content_length(fields: &Fields) -> Result<Option<u64>, ParseError> {
    let mut values = fields.all(Name::ContentLength);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.contains(&b',') {
        return Err(ParseError::RepeatedContentLength);
    }
    // 2^63 - 1 exceeds any real content and leaves room for sums.
    let length = decimal(value).filter(|&length| length <= i64::MAX.cast_unsigned());
    length.map(Some).ok_or(ParseError::ContentLength)
}

/// Parses a number of digits only: no sign, no white space.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
