//! Refused origin messages, in response to GET.

use tidegate::http::{HeadLimits, ParseError};

use super::framing::{BAD_CODINGS, BAD_LENGTHS, TWO_LENGTHS, UNEQUAL_LENGTHS};
use super::{Row, row};
use crate::support::ok;

pub(super) fn from_origins() -> Vec<Row> {
    let limits = HeadLimits::default();
    vec![
        row(
            ParseError::StatusLine,
            502,
            [
                status_lines(&[
                    b"",
                    b"hello",
                    b"<html>",
                    b" HTTP/1.1 200 OK",
                    b"http/1.1 200 OK",
                    b"HTTP/1.1",
                    b"HTTP/1.1 ",
                    b"HTTP/1.1 2",
                    b"HTTP/1.1 20",
                    b"HTTP/1.1 2000 OK",
                    b"HTTP/1.1 20 OK",
                    b"HTTP/1.1 20x OK",
                    b"HTTP/1.1 -20 OK",
                    b"HTTP/1.1 +200 OK",
                    b"HTTP/1.1  200 OK",
                    b"HTTP/1.1\t200 OK",
                    b"HTTP/1.1 200\tOK",
                    b"HTTP/1.1 200OK",
                    b"HTTP/1.1200 OK",
                    b"HTTP/1.10 200 OK",
                    b"HTTP/1 200 OK",
                    b"HTTP/2 200 OK",
                    b"HTTP/x.1 200 OK",
                    b"HTTP 200 OK",
                    b"ICY 200 OK",
                    b"Content-Type: text/plain",
                    b"HTTP/1.1 000 OK",
                    b"HTTP/1.1 099 OK",
                    b"HTTP/1.1 1000 OK",
                    b"HTTP/1.1 200 O\0K",
                    b"HTTP/1.1 200 O\x1bK",
                    b"HTTP/1.1 200 OK\x7f",
                    b"HTTP/1.1 200 OK\rX: y",
                    b"HTTP/1.1 200 OK\r",
                    b"HTTP/1.1\r 200 OK",
                    b"\rHTTP/1.1 200 OK",
                ]),
                vec![
                    b"\r\nHTTP/1.1 200 OK\r\n\r\n".to_vec(),
                    // Content after a response that cannot have content.
                    b"HTTP/1.1 204 No Content\r\n\r\nhello".to_vec(),
                    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
                    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
                    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello".to_vec(),
                ],
            ]
            .concat(),
        ),
        row(ParseError::StatusLineTooLong, 502, {
            let line = format!("HTTP/1.1 200 {}", "a".repeat(limits.start_line));
            [line.clone(), line[..=limits.start_line].to_owned(), format!("{line}\n")]
        }),
        row(
            ParseError::BareLf,
            400,
            [
                &b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"[..],
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
                b"HTTP/1.1 200 OK\r\n\n",
                b"\n",
            ],
        ),
        row(
            ParseError::Version,
            505,
            status_lines(&[b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/3.1 200 OK"]),
        ),
        row(
            ParseError::FieldTooLong,
            431,
            [
                ok(&[&vec![b'a'; limits.field], &b": b\r\n"[..]].concat()),
                ok(format!("A: b\r\n{}", format!(" {}\r\n", "c".repeat(99)).repeat(100))
                    .as_bytes()),
            ],
        ),
        row(ParseError::TooManyFields, 431, [ok("A: b\r\n".repeat(limits.fields + 1).as_bytes())]),
        row(
            ParseError::HeadTooLarge,
            431,
            [ok(format!("A: {}\r\n", "b".repeat(8000)).repeat(9).as_bytes())],
        ),
        row(
            ParseError::TooManyOptions,
            431,
            [ok(format!("Connection: {}a\r\n", "a, ".repeat(limits.fields)).as_bytes())],
        ),
        row(
            ParseError::ObsFold,
            400,
            [oks(&[b" A: b\r\n", b"\tA: b\r\n", b" \r\n"]), ok_chunks(&[b"0\r\n A: b\r\n\r\n"])]
                .concat(),
        ),
        row(
            ParseError::FieldName,
            400,
            [
                oks(&[b"A\r\n", b": b\r\n", b"A b : c\r\n"]),
                ok_chunks(&[b"0\r\nA\r\n\r\n", b"0\r\nA b: c\r\n\r\n"]),
            ]
            .concat(),
        ),
        row(ParseError::FieldValue, 400, oks(&[b"A: b\0\r\n", b"A: b\rSet-Cookie: c\r\n"])),
        row(ParseError::ContentLength, 400, oks(&BAD_LENGTHS)),
        row(
            ParseError::RepeatedContentLength,
            400,
            [
                oks(&UNEQUAL_LENGTHS),
                status_lines(&[
                    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nContent-Length: 6",
                    b"HTTP/1.1 204 No Content\r\nContent-Length: 0, 5",
                    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\nContent-Length: 5",
                ]),
            ]
            .concat(),
        ),
        row(ParseError::TwoLengths, 400, oks(&TWO_LENGTHS)),
        row(
            ParseError::OldTransferEncoding,
            400,
            [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        ),
        row(ParseError::TransferEncoding, 400, oks(&BAD_CODINGS)),
        row(
            ParseError::UnknownTransferEncoding,
            501,
            oks(&[
                b"Transfer-Encoding: gzip, chunked\r\n",
                b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: nonsense\r\n",
                b"Transfer-Encoding: xchunked\r\n",
                b"Transfer-Encoding: gzip, chunke\r\n",
                b"Transfer-Encoding: identity, nonsense\r\n",
            ]),
        ),
        row(
            ParseError::ChunkSize,
            400,
            ok_chunks(&[b"\r\n", b"; a\r\n", b" 5\r\nhello\r\n", b"x\r\n", b"5\r\nhello\r\n\r\n"]),
        ),
        row(ParseError::ChunkTooLarge, 400, ok_chunks(&[b"ffffffffffffffff\r\n"])),
        row(
            ParseError::ChunkExtension,
            400,
            ok_chunks(&[b"5 0\r\nhello\r\n", b"5;\0\r\nhello\r\n"]),
        ),
        row(ParseError::ChunkEnd, 400, ok_chunks(&[b"5\r\nhello!\r\n", b"5\r\nhello\n0\r\n\r\n"])),
        row(
            ParseError::Truncated,
            400,
            [
                &b""[..],
                b"H",
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
            ],
        ),
    ]
}

fn oks(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| ok(line)).collect()
}

fn ok_chunks(bodies: &[&[u8]]) -> Vec<Vec<u8>> {
    let head = ok(b"Transfer-Encoding: chunked\r\n");
    bodies.iter().map(|body| [&head, *body].concat()).collect()
}

fn status_lines(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| [*line, b"\r\n\r\n"].concat()).collect()
}
