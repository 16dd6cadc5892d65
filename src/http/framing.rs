//! How long a message is: RFC 9112 §6, and what is refused rather than guessed.

use crate::work;

use super::fields::Fields;
use super::list::is_token;
use super::method::Method;
use super::name::Name;
use super::parse_error::ParseError;
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

/// The framing of a response to a request with `method`.
///
/// # Errors
/// Whatever could be read two ways.
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
        // A name that no reader knows is not dropped, and not passed on to be guessed at.
        Coding::Other if !codings_are_known(fields) => {
            return Err(ParseError::UnknownTransferEncoding);
        }
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
    // Beside empty elements or lines, `chunked` is found by some and overlooked by others.
    if fields.only(Name::TransferEncoding).is_some_and(is_chunked) {
        return Ok(Coding::Chunked);
    }
    // No coding has parameters, and with them some find a 'chunked' that others do not.
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

/// Returns true if a response names a coding that its reader can undo. `identity`, which RFC 9112 has
/// no more, changes nothing.
pub(super) fn is_coded(fields: &Fields) -> bool {
    fields.elements(Name::TransferEncoding).any(is_known)
}

fn codings_are_known(fields: &Fields) -> bool {
    let known = |coding: &[u8]| is_known(coding) || coding.eq_ignore_ascii_case(b"identity");
    fields.elements(Name::TransferEncoding).all(known)
}

/// Returns true if `coding` is registered, or was, for transfer or for content.
fn is_known(coding: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] =
        [b"compress", b"deflate", b"gzip", b"x-compress", b"x-gzip", b"br", b"zstd"];
    work::count(KNOWN.len());
    KNOWN.iter().any(|known| coding.eq_ignore_ascii_case(known))
}

/// Returns the length of a response, if its fields say the same number several times, on several lines
/// or in a list (RFC 9112 §6.3, rule 5), or with leading zeros, so that it is to be written anew.
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
    // 2^63 - 1 is more than anybody has, and leaves room for sums.
    let length = decimal(value).filter(|&length| length <= i64::MAX.cast_unsigned());
    length.map(Some).ok_or(ParseError::ContentLength)
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
