//! HTTP/1 towards clients: the framing of responses, and the fields that HTTP/1 alone has.
//!
//! Everything that depends on the version of the client's protocol stands here and in the codec of the
//! connection; the steps know responses by their status, fields and content.

use std::borrow::Cow;

use crate::http::{Fields, HeadWriter, Name, ParseError, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::send_buffer::TransferCoding;

use super::persistence::Persistence;

/// Returns true if the client understands interim responses, chunks and persistence by default.
pub(super) fn speaks_http11(version: Version) -> bool {
    version == Version::Http11
}

/// Chooses the framing of a whole pending response for a client of a `version` (RFC 9112 §6). Without a
/// length and without chunks, the end of the connection ends the content.
///
/// # Errors
/// If the client does not know the transfer coding of the response, which cannot be undone here
/// (RFC 9112 §6.1).
pub(super) fn frame(
    meta: &ResponseMeta,
    version: Version,
    persistence: &mut Persistence,
) -> Result<TransferCoding, ExchangeError> {
    let coded = meta.head.has(Name::TransferEncoding);
    if coded && !speaks_http11(version) {
        return Err(ExchangeError::BadResponse(ParseError::UnknownTransferEncoding));
    }
    if meta.body_length.known().is_some() {
        return Ok(TransferCoding::Identity);
    }
    if coded {
        persistence.delimit_content();
        return Ok(TransferCoding::Identity);
    }
    Ok(frame_unknown(version, persistence))
}

/// Chooses the framing of content of unknown length.
pub(super) fn frame_unknown(version: Version, persistence: &mut Persistence) -> TransferCoding {
    if speaks_http11(version) {
        return TransferCoding::Chunked;
    }
    persistence.delimit_content();
    TransferCoding::Identity
}

/// Ends a response head with the fields that frame the content and manage the connection.
pub(super) fn end_head(
    head: &mut HeadWriter<'_>,
    coding: TransferCoding,
    version: Version,
    persistence: Persistence,
) {
    if coding == TransferCoding::Chunked {
        head.field("Transfer-Encoding", b"chunked");
    }
    if !persistence.is_kept() {
        head.field("Connection", b"close");
    } else if version == Version::Http10 {
        head.field("Connection", b"keep-alive");
    }
    head.end();
}

/// Appends interim responses, if the client understands them (RFC 9110 §15.2).
pub(super) fn write_interims<'a>(
    out: &mut Vec<u8>,
    heads: impl Iterator<Item = Cow<'a, Fields>>,
    version: Version,
) {
    if speaks_http11(version) {
        for head in heads {
            out.extend_from_slice(head.wire());
            out.extend_from_slice(b"\r\n");
        }
    }
}
