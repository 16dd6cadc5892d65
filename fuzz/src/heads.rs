//! Heads: accepted if and only if the reference accepts them, and kept unchanged.

use tidegate::http::{
    Authority, ClientCodec, ClientEvent, Field, Fields, Form, Framing, HeadLimits, HeadWriter,
    Method, Name, RequestHead, ResponseHead, ServerCodec, ServerEvent, Version,
};

use super::reference::{self, Reading};

/// Checks the head of a request at the start of the input.
pub fn request(input: &[u8]) {
    let limits = HeadLimits::default();
    let mut codec = ServerCodec::new();
    let read = codec.decode(input, &limits);
    match reference::request(input) {
        Reading::Refused => assert!(read.is_err(), "the reference rejects it"),
        Reading::Incomplete => assert!(!matches!(read, Ok((_, Some(_)))), "incomplete head"),
        Reading::Head { head: expected, length } => {
            let Ok((used, Some(ServerEvent::Request(head)))) = read else {
                panic!("the reference reads {expected:?}, the codec {read:?}");
            };
            assert_eq!(used, length);
            assert_eq!(head.method_name(), expected.method);
            assert_eq!(head.target(), expected.target);
            assert_eq!(minor(head.version()), expected.minor);
            assert_eq!(lines(head.fields()), expected.lines);
            assert_eq!(framing(codec.framing()), expected.framing);
            assert_eq!(head.wire_length(), head.fields().wire().len());
            check_request(&head, &limits);
        }
    }
}

/// Checks the head of a response at the start of the input.
pub fn response(input: &[u8]) {
    for method in [Method::Get, Method::Head] {
        let mut codec = ClientCodec::new(method);
        let read = codec.decode(input, &HeadLimits::default());
        match reference::response(input, method == Method::Head) {
            Reading::Refused => assert!(read.is_err(), "the reference rejects it"),
            Reading::Incomplete => assert!(!matches!(read, Ok((_, Some(_)))), "incomplete head"),
            Reading::Head { head: expected, length } => {
                let Ok((used, Some(ClientEvent::Interim(head) | ClientEvent::Response(head)))) =
                    read
                else {
                    panic!("the reference reads {expected:?}, the codec {read:?}");
                };
                assert_eq!(used, length);
                assert_eq!(head.status().code(), expected.status);
                assert_eq!(head.reason(), expected.reason);
                assert_eq!(minor(head.version()), expected.minor);
                assert_eq!(lines(head.fields()), expected.lines);
                assert_eq!(framing(codec.framing()), expected.framing);
                check_response(&head, method);
            }
        }
    }
}

/// Checks properties of every accepted request.
pub fn check_request(head: &RequestHead, limits: &HeadLimits) {
    check_wire(head.fields());
    check_parts(head);
    assert!(head.version() == Version::Http10 || head.fields().has(Name::Host));
    assert!(head.fields().all(Name::Host).count() <= 1);
    let again = write_request(head);
    let limits =
        HeadLimits { head: usize::MAX, field: usize::MAX, start_line: usize::MAX, ..*limits };
    let mut codec = ServerCodec::new();
    let Ok((used, Some(ServerEvent::Request(read)))) = codec.decode(&again, &limits) else {
        panic!("a parsed head can be written and parsed: {}", again.escape_ascii());
    };
    check_framing(head.fields(), codec.framing() == Framing::Chunked);
    assert_ne!(codec.framing(), Framing::Close, "a request never ends with the connection");
    assert_eq!(used, again.len());
    assert_eq!((read.method(), read.method_name()), (head.method(), head.method_name()));
    assert_eq!((read.form(), read.target()), (head.form(), head.target()));
    assert_eq!(read.authority(), head.authority());
    assert_eq!(read.version(), head.version());
    assert_eq!(read.body_length(), head.body_length());
    assert_eq!(lines(read.fields()), lines(head.fields()));
}

/// Checks properties of every accepted response to a request with `method`.
pub fn check_response(head: &ResponseHead, method: Method) {
    check_wire(head.fields());
    let bodiless = method == Method::Head || head.status().is_bodiless();
    let tunnel = method == Method::Connect && head.status().is_success();
    let again = write_response(head);
    let limits = HeadLimits {
        head: usize::MAX,
        field: usize::MAX,
        start_line: usize::MAX,
        ..HeadLimits::default()
    };
    let mut codec = ClientCodec::new(method);
    let Ok((used, Some(ClientEvent::Interim(read) | ClientEvent::Response(read)))) =
        codec.decode(&again, &limits)
    else {
        panic!("a parsed head can be written and parsed: {}", again.escape_ascii());
    };
    if !tunnel {
        check_framing(head.fields(), codec.framing() == Framing::Chunked || bodiless);
    }
    assert_eq!(codec.framing() == Framing::None, bodiless || tunnel);
    assert_eq!(used, again.len());
    assert_eq!((read.status(), read.reason()), (head.status(), head.reason()));
    assert_eq!(read.version(), head.version());
    assert_eq!(read.body_length(), head.body_length());
    assert_eq!(lines(read.fields()), lines(head.fields()));
}

/// Writes the head again.
pub fn write_request(head: &RequestHead) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = HeadWriter::request(&mut out, head.method_name(), head.target());
    writer.copy_if(head.fields(), |_| true);
    writer.end();
    if head.version() == Version::Http10 {
        // The writer always writes HTTP/1.1.
        let line_end = out.iter().position(|&b| b == b'\r').expect("a head has lines");
        out[line_end - 1] = b'0';
    }
    out
}

/// Writes the head again.
pub fn write_response(head: &ResponseHead) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = HeadWriter::response(&mut out, head.status(), head.reason());
    writer.copy_if(head.fields(), |_| true);
    writer.end();
    if head.version() == Version::Http10 {
        out["HTTP/1.".len()] = b'0';
    }
    out
}

/// Returns names and values in their order.
pub fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// The bytes of a head have no end of line that another parser could see elsewhere. Finding fields
/// by name agrees with searching all of them.
fn check_wire(fields: &Fields) {
    let wire = fields.wire();
    assert!(wire.ends_with(b"\r\n\r\n"));
    assert!(!wire.contains(&0));
    let position = |wanted: u8| wire.iter().enumerate().filter(move |(_, b)| **b == wanted);
    assert!(position(b'\r').all(|(at, _)| wire.get(at + 1) == Some(&b'\n')), "no bare CR");
    assert!(position(b'\n').all(|(at, _)| at > 0 && wire[at - 1] == b'\r'), "no bare LF");
    assert!(fields.start_line().ends_with(b"\r\n"));
    for field in fields.iter() {
        let same = |other: &Field<'_>| other.is_named(field.name);
        let values: Vec<&[u8]> = fields.iter().filter(same).map(|other| other.value).collect();
        assert_eq!(fields.all_named(field.name).collect::<Vec<_>>(), values);
        if field.id != Name::Other {
            assert!(fields.has(field.id) && field.is_named(field.id.as_str().as_bytes()));
            assert_eq!(fields.all(field.id).collect::<Vec<_>>(), values);
            assert_eq!(fields.get(field.id), Some(values[0]));
            assert_eq!(fields.only(field.id).is_some(), values.len() == 1);
        }
    }
}

/// At most one field determines the length.
fn check_framing(fields: &Fields, may_be_chunked: bool) {
    let lengths = fields.all(Name::ContentLength).count();
    assert!(lengths <= 1);
    assert!(lengths == 0 || !fields.has(Name::TransferEncoding));
    for value in fields.all(Name::TransferEncoding).filter(|_| !may_be_chunked) {
        let mut words = value.split(|b| b", \t;=\"".contains(b));
        assert!(
            !words.any(|word| word.eq_ignore_ascii_case(b"chunked")),
            "chunked content is framed so, or rejected"
        );
    }
}

/// The parts of a target add up to the whole.
fn check_parts(head: &RequestHead) {
    let target = head.target();
    let rest = match head.form() {
        Form::Origin => {
            assert!(target.starts_with('/') && head.authority().is_none());
            target
        }
        Form::Asterisk => {
            assert_eq!((target, head.method()), ("*", Method::Options));
            target
        }
        Form::Authority => {
            assert_eq!(head.method(), Method::Connect);
            behind_authority(target, head.authority().expect("an authority"))
        }
        Form::Absolute => {
            let rest = target.strip_prefix(head.scheme()).and_then(|r| r.strip_prefix("://"));
            behind_authority(rest.expect("a scheme"), head.authority().expect("an authority"))
        }
    };
    assert_eq!(rest, head.path_and_query());
    assert!(!target.contains(['#', ' ']) && !target.contains(|c: char| c.is_ascii_control()));
}

fn behind_authority<'a>(text: &'a str, authority: Authority<'_>) -> &'a str {
    let rest = text.strip_prefix(authority.host).expect("the host is the beginning");
    let Some(behind_colon) = rest.strip_prefix(':') else {
        assert_eq!(authority.port, None);
        return rest;
    };
    let end = behind_colon.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind_colon.len());
    let (digits, rest) = behind_colon.split_at(end);
    assert_eq!(digits.parse().ok(), authority.port);
    rest
}

const fn minor(version: Version) -> u8 {
    match version {
        Version::Http10 => 0,
        Version::Http11 => 1,
    }
}

const fn framing(framing: Framing) -> reference::Framing {
    match framing {
        Framing::None => reference::Framing::None,
        Framing::Length(length) => reference::Framing::Length(length),
        Framing::Chunked => reference::Framing::Chunked,
        Framing::Close => reference::Framing::Close,
    }
}
