//! Limits of heads: the documented sizes are accepted, one byte more is refused.

use tidegate::http::{HeadLimits, MAX_FIELDS, Method, ParseError};

use super::rules::stream::{Ending, Event, Run};
use super::support::{chunked, from_client, from_origin, ok, post};

fn refusal(run: &Run) -> Option<ParseError> {
    match run.ending {
        Ending::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

/// Returns the refusal of a client's stream under the default limits.
fn refused(stream: &[u8]) -> Option<ParseError> {
    refusal(&from_client(stream, &HeadLimits::default()))
}

/// Returns a request whose request line has this length.
fn with_request_line(length: usize) -> Vec<u8> {
    let target = "a".repeat(length - "GET / HTTP/1.1".len());
    format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

/// Returns a field line of this length, not counting its CR LF.
fn line(length: usize) -> String {
    format!("A: {}\r\n", "a".repeat(length - "A: ".len()))
}

/// Returns a request head of this length, in lines within their limit.
fn with_head(length: usize) -> Vec<u8> {
    let (start, end) = ("GET / HTTP/1.1\r\nHost: h\r\n", "\r\n");
    let mut left = length - start.len() - end.len();
    let mut lines = String::new();
    while left > 0 {
        let next = if left > 1000 { 900 } else { left };
        lines.push_str(&line(next - 2));
        left -= next;
    }
    format!("{start}{lines}{end}").into_bytes()
}

#[test]
fn request_line_of_8000_octets_is_accepted() {
    assert_eq!(refused(&with_request_line(8000)), None);
    let target = format!("/{}", "a".repeat(7999));
    let bytes = format!("DELETE {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(refused(bytes.as_bytes()), None, "a target of 8,000 octets and a longer method");
}

#[test]
fn request_line_over_the_limit_is_414() {
    let limit = HeadLimits::default().start_line;
    assert_eq!(refused(&with_request_line(limit)), None);
    assert_eq!(refused(&with_request_line(limit + 1)), Some(ParseError::TargetTooLong));
    assert_eq!(ParseError::TargetTooLong.status().code(), 414);
}

#[test]
fn request_line_over_the_limit_is_refused_before_its_end() {
    let bytes = with_request_line(HeadLimits::default().start_line + 1);
    let cut = &bytes[..HeadLimits::default().start_line + 1];
    assert_eq!(refused(cut), Some(ParseError::TargetTooLong));
    assert_eq!(refused(&cut[..cut.len() - 1]), None);
}

#[test]
fn field_line_of_8_kib_is_accepted_and_a_longer_one_is_431() {
    assert_eq!(refused(&post(line(8192).as_bytes())), None);
    assert_eq!(refused(&post(line(8193).as_bytes())), Some(ParseError::FieldTooLong));
    let name = format!("{}:\r\n", "a".repeat(8191));
    assert_eq!(refused(&post(name.as_bytes())), None, "the name counts as part of the line");
    assert_eq!(ParseError::FieldTooLong.status().code(), 431);
}

#[test]
fn more_than_128_fields_are_431() {
    let others = |n: usize| post("A: b\r\n".repeat(n).as_bytes()); // Host is counted too
    assert_eq!(refused(&others(127)), None);
    assert_eq!(refused(&others(128)), Some(ParseError::TooManyFields));
    assert_eq!(ParseError::TooManyFields.status().code(), 431);
}

#[test]
fn no_limit_allows_more_than_512_fields() {
    let limits = HeadLimits { fields: 1000, ..HeadLimits::default() };
    let refused = |stream: &[u8]| refusal(&from_client(stream, &limits));
    let others = |n: usize| post("A: b\r\n".repeat(n).as_bytes()); // Host is counted too
    assert_eq!(refused(&others(MAX_FIELDS - 1)), None);
    assert_eq!(refused(&others(MAX_FIELDS)), Some(ParseError::TooManyFields));
    assert_eq!(MAX_FIELDS, 512);
}

#[test]
fn head_of_64_kib_is_accepted_and_a_larger_one_is_431() {
    assert_eq!(refused(&with_head(64 * 1024)), None);
    assert_eq!(refused(&with_head(64 * 1024 + 1)), Some(ParseError::HeadTooLarge));
    assert_eq!(ParseError::HeadTooLarge.status().code(), 431);
}

#[test]
fn bytes_around_a_head_do_not_count_towards_its_limit() {
    let stream = [with_head(64 * 1024), with_head(64 * 1024)].concat();
    assert_eq!(from_client(&stream, &HeadLimits::default()).events.len(), 2);
    let stream = [b"\r\n".to_vec(), with_head(64 * 1024)].concat();
    assert_eq!(refused(&stream), None, "an empty line before the head is not counted");
}

#[test]
fn responses_have_the_same_limits() {
    let limits = HeadLimits::default();
    let refused = |bytes: &[u8]| {
        let refusal = refusal(&from_origin(Method::Head, bytes, &limits));
        refusal.filter(|&refusal| refusal != ParseError::Truncated) // no second response
    };
    assert_eq!(refused(&ok(line(8192).as_bytes())), None);
    assert_eq!(refused(&ok("A: b\r\n".repeat(128).as_bytes())), None);
    let status_line = |length| {
        let reason = "a".repeat(length - "HTTP/1.1 200 ".len());
        format!("HTTP/1.1 200 {reason}\r\n\r\n")
    };
    assert_eq!(refused(status_line(limits.start_line).as_bytes()), None);
    let longer = status_line(limits.start_line + 1);
    assert_eq!(refused(longer.as_bytes()), Some(ParseError::StatusLineTooLong));
}

#[test]
fn trailers_have_the_limits_of_a_head() {
    let trailers = |lines: &str| chunked(format!("0\r\n{lines}\r\n").as_bytes());
    assert_eq!(refused(&trailers(&line(8192))), None);
    assert_eq!(refused(&trailers(&line(8193))), Some(ParseError::FieldTooLong));
    assert_eq!(refused(&trailers(&"A: b\r\n".repeat(128))), None);
    assert_eq!(refused(&trailers(&"A: b\r\n".repeat(129))), Some(ParseError::TooManyFields));
    assert_eq!(refused(&trailers(&line(8190).repeat(7))), None);
    assert_eq!(refused(&trailers(&line(8190).repeat(8))), Some(ParseError::HeadTooLarge));
}

#[test]
fn chunk_extensions_are_limited_relative_to_the_content() {
    let extension = |n: usize| format!("1;{}\r\na\r\n", "x".repeat(n - 1));
    let end = "0\r\n\r\n";
    let refused = |body: String| refused(&chunked(body.as_bytes()));
    assert_eq!(refused(extension(4096) + end), None);
    assert_eq!(refused(extension(4097) + end), Some(ParseError::ChunkExtensionTooLong));
    assert_eq!(refused(extension(2048).repeat(2) + end), None);
    assert_eq!(refused(extension(2050).repeat(2) + end), Some(ParseError::ChunkExtensionTooLong));
    let signed = format!("{:x};signature={}\r\n{}\r\n", 512, "f".repeat(64), "a".repeat(512));
    assert_eq!(
        refused(signed.repeat(1000) + end),
        None,
        "a signature on every chunk is within the limit"
    );
}

#[test]
fn first_exceeded_limit_decides_the_refusal() {
    let tight = HeadLimits {
        start_line: 20,
        field: 10,
        fields: 2,
        head: 39,
        chunk_extensions: 4,
        relaxed_target: false,
    };
    for (bytes, refusal) in [
        (&b"GET /aaaaaaaaaaaaaaaa\nHost: h\r\n\r\n"[..], ParseError::TargetTooLong),
        (b"GET / HTTP/1.1\r\nA: bbbbbbbb\n", ParseError::FieldTooLong),
        (b"GET / HTTP/1.1\r\nA: b\nA: bbbbbbbb\r\n", ParseError::BareLf),
        (b"GET / HTTP/1.1\r\nA: b\r\nA: b\r\nA: bbbbbbbb\r\n", ParseError::TooManyFields),
        (b"GET / HTTP/1.1\r\nA: bbbbbb\r\nA: bbbbbbbbbbbbb\r\n", ParseError::FieldTooLong),
        (b"GET /a HTTP/1.1\r\nA: bbbbbbb\r\nA: bbbbbbbb\r\n", ParseError::HeadTooLarge),
        (b"GET /a HTTP/1.1\r\nA: bbbbbbb\r\nA: bbbbbbb\r\n\r\n", ParseError::HeadTooLarge),
    ] {
        let run = from_client(bytes, &tight);
        assert_eq!(run.ending, Ending::Refused(refusal), "{}", bytes.escape_ascii());
    }
}

#[test]
fn head_exactly_at_all_limits_is_accepted() {
    let exact = HeadLimits {
        start_line: "GET / HTTP/1.1".len(),
        field: "A: bcd".len(),
        fields: 2,
        head: "GET / HTTP/1.1\r\nHost:h\r\nA: bcd\r\n\r\n".len(),
        chunk_extensions: 0,
        relaxed_target: false,
    };
    let run = from_client(b"GET / HTTP/1.1\r\nHost:h\r\nA: bcd\r\n\r\n", &exact);
    assert!(matches!(run.events[..], [Event::Request(_)]), "{run:?}");
}
