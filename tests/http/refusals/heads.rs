//! Refused client messages: heads.

use tidegate::http::{HeadLimits, ParseError};

use super::{Row, chunks, posts, row};
use crate::support::{chunked, post, with_line};

pub(super) fn start_lines() -> Vec<Row> {
    let huge = HeadLimits::default().start_line + 1;
    vec![
        row(ParseError::Tls, 400, [&b"\x16"[..], b"\x16\x03\x01\x02\x00\x01", b"\r\n\x16\x03\x01"]),
        row(
            ParseError::NotHttp,
            400,
            [
                &b"\x05\x01\x00"[..], // the first bytes of SOCKS 5
                b"\0GET / HTTP/1.1\r\n",
                b" GET / HTTP/1.1\r\n",
                b"\tGET / HTTP/1.1\r\n",
                b"\xef\xbb\xbfGET / HTTP/1.1\r\n", // a byte order mark
                b"\r\n GET / HTTP/1.1\r\n",
                b"{\"json\": 1}",
                b"(",
            ],
        ),
        row(
            ParseError::BareLf,
            400,
            [
                &b"\n"[..],
                b"\r\n\n",
                b"GET / HTTP/1.1\nHost: h\n\n",
                b"GET / HTTP/1.1\n",
                b"GET /\n",
                b"GET / HTTP/1.1\r\nHost: h\n",
                b"GET / HTTP/1.1\r\nHost: h\r\n\n",
                b"GET / HTTP/1.1\r\nHost: h\r\nA: b\nTransfer-Encoding: chunked\r\n\r\n",
            ],
        ),
        row(
            ParseError::EmptyLines,
            400,
            [&b"\r\n\r\n"[..], b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"],
        ),
        row(
            ParseError::RequestLine,
            400,
            lines(&[
                "GET",
                "GET ",
                "GET /",
                "GET / ",
                "GET /a",
                "GET / HTTP",
                "GET / HTTP/1",
                "GET / HTTP/1.",
                "GET / HTTP/1.x",
                "GET / HTTP/x.1",
                "GET / HTTP/1,1",
                "GET / HTTP 1.1",
                "GET / HTTP/1.10",
                "GET / HTTP/01.1",
                "GET / HTTP/1.1 ",
                "GET / HTTP/1.1\t",
                "GET / http/1.1",
                "GET / Http/1.1",
                "GET / HTTPS/1.1",
                "GET /HTTP/1.1",
                "GET HTTP/1.1",
                "GET  HTTP/1.1",
                "GET  / HTTP/1.1",
                "GET /  HTTP/1.1",
                "GET\t/ HTTP/1.1",
                "GET /\tHTTP/1.1",
                "GET / a HTTP/1.1",
                "GET /a\tb HTTP/1.1",
                "GET /a\0b HTTP/1.1",
                "GET /a\x0bb HTTP/1.1",
                "GET /a\x7fb HTTP/1.1",
                "GET / HTTP/1.1 HTTP/1.1",
                "G@T / HTTP/1.1",
                "GET,POST / HTTP/1.1",
                "GET: / HTTP/1.1",
                "Host: h",
                "GET /\rHost: h",
                "GET / HTTP/1.1\r",
                "GET / HTTP/1.1\rX: y",
                "\rGET / HTTP/1.1",
            ]),
        ),
        row(
            ParseError::RequestLine,
            400,
            [
                // The method is invalid; the target encoding is not at fault.
                &b"G\xe4T / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
                b"GE\xff / HTTP/1.1\r\nHost: h\r\n\r\n",
            ],
        ),
        row(
            ParseError::Version,
            505,
            [
                &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], // the HTTP/2 connection preface
                b"GET / HTTP/0.9\r\n\r\n",
                b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
                b"GET / HTTP/3.0\r\nHost: h\r\n\r\n",
                b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
            ],
        ),
        row(
            ParseError::TargetTooLong,
            414,
            [
                "A".repeat(huge),
                format!("GET /{}", "a".repeat(huge - "GET /".len())),
                format!("GET /{} HTTP/1.1\n", "a".repeat(huge)),
            ],
        ),
    ]
}

pub(super) fn targets() -> Vec<Row> {
    vec![
        row(
            ParseError::Target,
            400,
            gets(&["/#top", "/a\"b", "/<script>", "/a?b=<", "http://h/#", "/\u{e4}#"]),
        ),
        row(
            ParseError::TargetEncoding,
            400,
            [
                &b"GET /\xe4 HTTP/1.1\r\nHost: h\r\n\r\n"[..],
                b"GET /?a=\xc3 HTTP/1.1\r\nHost: h\r\n\r\n",
                b"GET http://h/\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
                b"GET /\xc0\xaf HTTP/1.1\r\nHost: h\r\n\r\n",
                b"GET /\xed\xa0\x80 HTTP/1.1\r\nHost: h\r\n\r\n",
            ],
        ),
        row(
            ParseError::TargetForm,
            400,
            lines(&[
                "GET * HTTP/1.1",
                "get * HTTP/1.1",
                "OPTIONS ** HTTP/1.1",
                "OPTIONS *?a HTTP/1.1",
                "GET h.test HTTP/1.1",
                "GET h.test:80 HTTP/1.1",
                "GET h.test/a HTTP/1.1",
                "GET a HTTP/1.1",
                "GET ?a HTTP/1.1",
                "GET :80 HTTP/1.1",
                "GET [::1]:80 HTTP/1.1",
                "GET ://h/ HTTP/1.1",
                "GET 1http://h/ HTTP/1.1",
                "GET ht_tp://h/ HTTP/1.1",
                "GET http:/h/ HTTP/1.1",
                "GET http:h HTTP/1.1",
                "GET http: HTTP/1.1",
                "GET mailto:a@b HTTP/1.1",
                "connect h.test:443 HTTP/1.1",
                "CONNECT / HTTP/1.1",
                "CONNECT * HTTP/1.1",
                "CONNECT http://h.test:443/ HTTP/1.1",
                "CONNECT //h.test:443 HTTP/1.1",
            ]),
        ),
        row(
            ParseError::UserInfo,
            400,
            lines(&[
                "GET http://u@h/ HTTP/1.1",
                "GET http://u:p@h/ HTTP/1.1",
                "GET http://@h/ HTTP/1.1",
                "GET http://h@/ HTTP/1.1",
                "GET http://good.test@evil.test/ HTTP/1.1",
                "GET http://good.test:80@evil.test HTTP/1.1",
                "CONNECT u@h:443 HTTP/1.1",
                "CONNECT u:p@h:443 HTTP/1.1",
            ]),
        ),
        row(
            ParseError::Authority,
            400,
            lines(&[
                "GET http:// HTTP/1.1",
                "GET http:/// HTTP/1.1",
                "GET http://?a HTTP/1.1",
                "GET http://:80/ HTTP/1.1",
                "GET http://h:0/ HTTP/1.1",
                "GET http://h:65536/ HTTP/1.1",
                "GET http://h:99999999999999999999/ HTTP/1.1",
                "GET http://h:-1/ HTTP/1.1",
                "GET http://h:+80/ HTTP/1.1",
                "GET http://h:80a/ HTTP/1.1",
                "GET http://h:0x50/ HTTP/1.1",
                "GET http://h:80:80/ HTTP/1.1",
                "GET http://\u{e4}.test/ HTTP/1.1",
                "GET http://h|i/ HTTP/1.1",
                "GET http://good.test\\.evil.test/ HTTP/1.1",
                "GET http://{h}/ HTTP/1.1",
                "GET http://h,i/ HTTP/1.1",
                "GET http://h;a/ HTTP/1.1",
                "GET http://h%2etest/ HTTP/1.1",
                "GET http://h*/ HTTP/1.1",
                "GET http://::1/ HTTP/1.1",
                "GET http://[/ HTTP/1.1",
                "GET http://[]/ HTTP/1.1",
                "GET http://[::1/ HTTP/1.1",
                "GET http://[::1]]/ HTTP/1.1",
                "GET http://[::1]80/ HTTP/1.1",
                "GET http://[::1]h/ HTTP/1.1",
                "GET http://h[::1]/ HTTP/1.1",
                "GET http://[127.0.0.1]/ HTTP/1.1",
                "GET http://[h.test]/ HTTP/1.1",
                "GET http://[v1.a]/ HTTP/1.1",
                "GET http://[::1%25lo]/ HTTP/1.1",
                "CONNECT h HTTP/1.1",
                "CONNECT h: HTTP/1.1",
                "CONNECT h:0 HTTP/1.1",
                "CONNECT h:65536 HTTP/1.1",
                "CONNECT :443 HTTP/1.1",
                "CONNECT h:443/ HTTP/1.1",
                "CONNECT h:443?a HTTP/1.1",
                "CONNECT ::1:443 HTTP/1.1",
                "CONNECT a:443,b:443 HTTP/1.1",
            ]),
        ),
        row(
            ParseError::MissingHost,
            400,
            [
                &b"GET / HTTP/1.1\r\n\r\n"[..],
                b"GET http://h/ HTTP/1.1\r\n\r\n",
                b"CONNECT h:443 HTTP/1.1\r\n\r\n",
                b"OPTIONS * HTTP/1.9\r\n\r\n",
                b"GET / HTTP/1.1\r\nHosts: h\r\nX-Host: h\r\n\r\n",
            ],
        ),
        row(
            ParseError::RepeatedHost,
            400,
            posts(&[b"Host: h.test\r\n", b"A: b\r\nhOST: other\r\n", b"Host:\r\n"]),
        ),
        row(
            ParseError::InvalidHost,
            400,
            [
                &b"h, i"[..],
                b"h,h",
                b"h i",
                b"h\ti",
                b"u@h",
                b"@",
                b"http://h/",
                b"http://h",
                b"h/",
                b"h?",
                b"h#",
                b"h\\",
                b":80",
                b":",
                b"h:0",
                b"h:65536",
                b"h:80:80",
                b"h:8O",
                b"h:+80",
                b"h%00",
                b"\"h\"",
                b"[::1",
                b"::1",
                b"[::1]x",
                b"[h]",
                b"h\xe4",
                b"*",
            ]
            .map(|host| [b"GET / HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat()),
        ),
    ]
}

pub(super) fn field_lines() -> Vec<Row> {
    let limits = HeadLimits::default();
    let kib = |n: usize| format!("A: {}\r\n", "a".repeat(n * 1024 - "A: ".len()));
    vec![
        row(
            ParseError::ObsFold,
            400,
            [
                posts(&[b"A: b\r\n c\r\n", b"A: b\r\n\tc\r\n", b"A:\r\n b\r\n", b" A: b\r\n"]),
                posts(&[b"Transfer-Encoding:\r\n chunked\r\n", b" \r\n", b"\t\r\n"]),
                vec![
                    b"GET / HTTP/1.1\r\n Host: h\r\n\r\n".to_vec(), // before the first field
                    chunked(b"0\r\nA: b\r\n c\r\n\r\n"),
                    chunked(b"0\r\n A: b\r\n\r\n"),
                ],
            ]
            .concat(),
        ),
        row(
            ParseError::FieldName,
            400,
            [
                posts(&[
                    b": b\r\n",
                    b":\r\n",
                    b"A\r\n",
                    b"A b\r\n",
                    b"A : b\r\n",
                    b"A\t: b\r\n",
                    b"A b: c\r\n",
                    b"Transfer-Encoding : chunked\r\n",
                    b"Content-Length\t: 5\r\n",
                    b"A\0: b\r\n",
                    b"A\x0b: b\r\n",
                    b"A\x7f: b\r\n",
                    b"A\xe4: b\r\n",
                    b"A\r: b\r\n",
                    b"\rA: b\r\n",
                    b"A(b): c\r\n",
                    b"A/b: c\r\n",
                    b"A;b: c\r\n",
                    b"A,B: c\r\n",
                    b"A@b: c\r\n",
                    b"[A]: b\r\n",
                    b"{A}: b\r\n",
                    b"\"A\": b\r\n",
                    b"A=b\r\n",
                    b"\xef\xbb\xbfContent-Length: 5\r\n",
                    b"GET / HTTP/1.1\r\n",
                ]),
                chunks(&[b"0\r\nA\r\n\r\n", b"0\r\nA : b\r\n\r\n", b"0\r\n: b\r\n\r\n"]),
                chunks(&[b"0\r\nGET / HTTP/1.1\r\n\r\n"]),
            ]
            .concat(),
        ),
        row(
            ParseError::FieldValue,
            400,
            [
                posts(&[
                    b"A: \0\r\n",
                    b"A: b\0\r\n",
                    b"A: b\rc\r\n",
                    b"A: b\r\r\n",
                    b"A: \r\r\n",
                    b"A: b\rTransfer-Encoding: chunked\r\n",
                    b"A: \x01\r\n",
                    b"A: b\x08\r\n",
                    b"A: b\x0bc\r\n",
                    b"A: b\x0c\r\n",
                    b"A: b\x1bc\r\n",
                    b"A: b\x7f\r\n",
                    b"Transfer-Encoding: \x0bchunked\r\n",
                    b"Transfer-Encoding: chunked\x0c\r\n",
                    b"Content-Length: 5\0\r\n",
                ]),
                chunks(&[b"0\r\nA: b\0\r\n\r\n", b"0\r\nA: b\rc\r\n\r\n"]),
            ]
            .concat(),
        ),
        row(
            ParseError::FieldTooLong,
            431,
            [
                post(format!("A: {}", "a".repeat(limits.field)).as_bytes()),
                post(format!("{}: a\r\n", "a".repeat(limits.field)).as_bytes()),
                post(&vec![b'a'; limits.field + 1]),
                chunked(format!("0\r\nA: {}", "a".repeat(limits.field)).as_bytes()),
            ],
        ),
        row(
            ParseError::TooManyFields,
            431,
            [
                post("A: b\r\n".repeat(limits.fields).as_bytes()),
                post("A:\r\n".repeat(limits.fields).as_bytes()),
                chunked(format!("0\r\n{}\r\n", "A: b\r\n".repeat(limits.fields + 1)).as_bytes()),
            ],
        ),
        row(
            ParseError::TooManyOptions,
            431,
            [
                post(format!("Connection: {}\r\n", ",".repeat(limits.fields)).as_bytes()),
                post(format!("Connection: {}a\r\n", "a, ".repeat(limits.fields)).as_bytes()),
                post("Connection: a,b\r\n".repeat(1 + limits.fields / 2).as_bytes()),
            ],
        ),
        row(
            ParseError::HeadTooLarge,
            431,
            [
                post(kib(8).repeat(8).as_bytes()),
                chunked(format!("0\r\n{}\r\n", kib(8).repeat(8)).as_bytes()),
            ],
        ),
        row(
            ParseError::Expectation,
            417,
            posts(&[
                b"Expect: 200-ok\r\n",
                b"Expect: 100\r\n",
                b"Expect: 100-continue, else\r\n",
                b"Expect: 100-continue\r\nExpect: else\r\n",
                b"Expect: 100-continue;a=b\r\n",
                b"Expect: \"100-continue\"\r\n",
            ]),
        ),
    ]
}

fn gets(targets: &[&str]) -> Vec<Vec<u8>> {
    targets.iter().map(|target| with_line(&format!("GET {target} HTTP/1.1"))).collect()
}

fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| with_line(line)).collect()
}
