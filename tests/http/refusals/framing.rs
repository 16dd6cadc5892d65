//! Refused client messages: framing and content.

use tidegate::http::{HeadLimits, ParseError};

use super::{Row, chunks, posts, row};
use crate::support::chunked;

pub(super) fn framing() -> Vec<Row> {
    vec![
        row(ParseError::ContentLength, 400, posts(&BAD_LENGTHS)),
        row(ParseError::RepeatedContentLength, 400, posts(&EQUAL_LENGTHS)),
        row(ParseError::RepeatedContentLength, 400, posts(&UNEQUAL_LENGTHS)),
        row(ParseError::TwoLengths, 400, posts(&TWO_LENGTHS)),
        row(
            ParseError::OldTransferEncoding,
            400,
            [
                &b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..],
                b"POST / HTTP/1.0\r\nTransfer-Encoding:\r\n\r\n",
                b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: x\r\n\r\n",
            ],
        ),
        row(ParseError::TransferEncoding, 400, posts(&BAD_CODINGS)),
        row(
            ParseError::UnknownTransferEncoding,
            501,
            posts(&[
                b"Transfer-Encoding: gzip\r\n",
                b"Transfer-Encoding: gzip, chunked\r\n",
                b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: identity\r\n",
                b"Transfer-Encoding: identity, chunked\r\n",
                b"Transfer-Encoding: xchunked\r\n",
                b"Transfer-Encoding: chunkedx\r\n",
                b"Transfer-Encoding: x-chunked\r\n",
                b"Transfer-Encoding: chunke\r\n",
            ]),
        ),
        row(
            ParseError::Content,
            400,
            [
                &b"TRACE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"[..],
                b"TRACE / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 5\r\n\r\n",
                b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            ],
        ),
    ]
}

pub(super) const BAD_LENGTHS: [&[u8]; 17] = [
    b"Content-Length:\r\n",
    b"Content-Length:  \t \r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: -0\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: 5 5\r\n",
    b"Content-Length: 5\t\t6\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5.0\r\n",
    b"Content-Length: 1e3\r\n",
    b"Content-Length: 1_000\r\n",
    b"Content-Length: five\r\n",
    b"Content-Length: \"5\"\r\n",
    b"Content-Length: 5;a\r\n",
    b"Content-Length: \xd9\xa5\r\n", // an Arabic digit: only ASCII digits are accepted
    b"Content-Length: 9223372036854775808\r\n",
    b"Content-Length: 18446744073709551621\r\n",
];

/// Equal lengths, refused in requests only (RFC 9112 §6.3, rule 5).
const EQUAL_LENGTHS: [&[u8]; 3] = [
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 0\r\ncontent-length: 0,0\r\n",
];

pub(super) const UNEQUAL_LENGTHS: [&[u8]; 9] = [
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: 0\r\nA: b\r\ncontent-length: 5\r\n",
    b"Content-Length:\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: x\r\n",
    b"Content-Length: 5,6\r\n",
    b"Content-Length: 5, 5, 6\r\n",
    b"Content-Length: 5, 05\r\n",
    b"Content-Length: 5,\r\n",
    b"Content-Length: ,5\r\n",
];

pub(super) const TWO_LENGTHS: [&[u8]; 7] = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length:\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: x, y\r\n",
    b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding:\r\nContent-Length: 5\r\n",
];

pub(super) const BAD_CODINGS: [&[u8]; 26] = [
    b"Transfer-Encoding:\r\n",
    b"Transfer-Encoding: ,\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: chunked, gzip, chunked\r\n",
    b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding: chunked;\r\n",
    b"Transfer-Encoding: chunked ; q=1\r\n",
    b"Transfer-Encoding: gzip, chunked;q=1\r\n",
    b"Transfer-Encoding: gzip;q=1\r\n",
    b"Transfer-Encoding: gzip;chunked\r\n",
    b"Transfer-Encoding: gzip ; q=1, chunked\r\n",
    b"Transfer-Encoding: ,chunked\r\n",
    b"Transfer-Encoding: chunked,\r\n",
    b"Transfer-Encoding: chunked, ,\r\n",
    b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    b"Transfer-Encoding: \"chunked\"\r\n",
    b"Transfer-Encoding: 'chunked\", chunked\r\n",
    b"Transfer-Encoding: gzip;a=\"b, chunked\"\r\n",
    b"Transfer-Encoding: chunked chunked\r\n",
    b"Transfer-Encoding: chun ked\r\n",
    b"Transfer-Encoding: chunked\xff\r\n",
];

pub(super) fn bodies() -> Vec<Row> {
    let limits = HeadLimits::default();
    let extension = format!("1;{}", "x".repeat(limits.chunk_extensions));
    let spread = format!("1;{}\r\na\r\n", "x".repeat(100)).repeat(limits.chunk_extensions / 99);
    vec![
        row(
            ParseError::ChunkSize,
            400,
            chunks(&[
                b"\r\n",
                b";a\r\n",
                b" \r\n",
                b" 5\r\nhello\r\n",
                b"\t5\r\nhello\r\n",
                b"+5\r\nhello\r\n",
                b"-5\r\n",
                b"-0\r\n",
                b"0x5\r\nhello\r\n",
                b"5_\r\nhello\r\n",
                b"5g\r\nhello\r\n",
                b"5,5\r\nhello\r\n",
                b"\"5\"\r\nhello\r\n",
                b"5\0\r\nhello\r\n",
                b"5\xff\r\nhello\r\n",
                b"\n",
                b"5\rhello\r\n",
                b"5\r\r\nhello\r\n",
                b"5;a\rb\r\nhello\r\n",
                b"5\r\nhello\r\n\r\n",
                b"0\rA: b\r\n\r\n",
            ]),
        ),
        row(
            ParseError::ChunkTooLarge,
            400,
            chunks(&[
                b"8000000000000000\r\n",
                b"ffffffffffffffff\r\n",
                b"10000000000000000\r\n",
                b"00000000000000005\r\nhello\r\n",
                b"100000000000000005\r\nhello\r\n",
            ]),
        ),
        row(
            ParseError::ChunkExtension,
            400,
            chunks(&[
                b"5 \r\nhello\r\n",
                b"5 a\r\nhello\r\n",
                b"5 0\r\nhello\r\n",
                b"5\t5\r\nhello\r\n",
                b"5;a\0\r\nhello\r\n",
                b"5;a=\"\x01\"\r\nhello\r\n",
                b"5;\x7f\r\nhello\r\n",
            ]),
        ),
        row(
            ParseError::ChunkExtensionTooLong,
            400,
            [extension, spread, format!("1{};", " ".repeat(limits.chunk_extensions))]
                .map(|body| chunked(body.as_bytes())),
        ),
        row(
            ParseError::ChunkEnd,
            400,
            chunks(&[
                b"5\r\nhello5",
                b"5\r\nhello\n",
                b"5\r\nhello\rX",
                b"5\r\nhello\r\rX",
                b"5\r\nhello \r\n",
                b"4\r\nhello\r\n",
                b"5\r\nhelloXX0\r\n\r\n",
            ]),
        ),
        row(
            ParseError::BareLf,
            400,
            chunks(&[
                b"5\nhello\r\n",
                b"5 \nhello\r\n",
                b"5;a\nhello\r\n",
                b"5;a=\"\n\"\r\nhello\r\n",
                b"0\n\r\n",
                b"0\r\n\n",
                b"0\r\nA: b\n\r\n",
            ]),
        ),
        row(
            ParseError::Trailer,
            400,
            FORBIDDEN_IN_TRAILERS
                .iter()
                .map(|name| chunked(format!("0\r\nA: b\r\n{name}: 1\r\n\r\n").as_bytes()))
                .collect::<Vec<_>>(),
        ),
    ]
}

/// Forbidden trailer fields: one or more of each kind that RFC 9110 §6.5.1 names.
const FORBIDDEN_IN_TRAILERS: [&str; 21] = [
    "Content-Length",
    "transfer-encoding",
    "Trailer",
    "Host",
    "Via",
    "CDN-Loop",
    "X-Forwarded-For",
    "Forwarded",
    "Connection",
    "Keep-Alive",
    "TE",
    "Upgrade",
    "AUTHORIZATION",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "Max-Forwards",
    "Range",
    "If-None-Match",
    "Cache-Control",
    "Content-Encoding",
];
