//! Responses and refusals that cannot be built.

use tidegate::app::{FieldRule, Response, ResponseError};
use tidegate::http::Status;
use tidegate::proxy::Refusal;

#[track_caller]
fn assert_rule(name: &str, value: &str, rule: FieldRule) {
    let response = Response::new(Status::OK).unwrap().with_field(name, value);
    assert_eq!(response.map(drop), Err(ResponseError::Field { name: name.to_owned(), rule }));
}

#[test]
fn response_refuses_bad_fields() {
    assert_rule("", "1", FieldRule::Name);
    assert_rule("X:", "1", FieldRule::Name);
    assert_rule("X", "1\r\nSet-Cookie: a=b", FieldRule::Value);
    assert_rule("X", "\x7f", FieldRule::Value);
    for name in ["content-length", "Transfer-Encoding", "Trailer"] {
        assert_rule(name, "1", FieldRule::Framing);
    }
    for name in ["Connection", "Keep-Alive", "Upgrade", "TE"] {
        assert_rule(name, "1", FieldRule::HopByHop);
    }
    for name in ["Date", "Cache-Status"] {
        assert_rule(name, "1", FieldRule::Own);
    }
}

#[test]
fn response_keeps_lines_in_order() {
    let response = Response::new(Status::new(407).unwrap()).unwrap();
    let response = response.with_field("Proxy-Authenticate", " Basic realm=x ").unwrap();
    let response = response.with_field("Set-Cookie", "a=1").unwrap();
    let response = response.with_field("Set-Cookie", "b=2\t\u{e4}").unwrap();
    let lines: Vec<(&[u8], &[u8])> =
        response.fields().iter().map(|field| (field.name, field.value)).collect();
    let expected: [(&[u8], &[u8]); 3] = [
        (b"Proxy-Authenticate", b"Basic realm=x"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", "b=2\t\u{e4}".as_bytes()),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn response_has_content_only_where_its_status_allows_it() {
    assert!(matches!(Response::new(Status::CONTINUE), Err(ResponseError::Interim(_))));
    for code in [204, 205, 304] {
        let response = Response::new(Status::new(code).unwrap()).unwrap();
        assert!(response.clone().with_content("").is_ok(), "{code}");
        assert!(matches!(response.with_content("x"), Err(ResponseError::Content(_))), "{code}");
    }
    let response = Response::new(Status::OK).unwrap().with_content("x").unwrap();
    assert_eq!((response.status(), response.content()), (Status::OK, &b"x"[..]));
}

#[test]
fn refusal_has_status_of_an_error_that_needs_no_field() {
    for (code, allowed) in [
        (200, false),
        (302, false),
        (400, true),
        (401, false),
        (404, true),
        (405, false),
        (407, false),
        (426, false),
        (451, true),
        (503, true),
        (600, false),
    ] {
        let refusal = Refusal::new("no.").with_status(Status::new(code).unwrap());
        assert_eq!(refusal.is_ok(), allowed, "{code}");
    }
}

#[test]
fn errors_name_the_field_and_the_rule() {
    let error = Response::new(Status::OK).unwrap().with_field("a\nb", "").unwrap_err();
    assert_eq!(error.to_string(), "'a\\nb' is not a field name (RFC 9110 §5.1)");
    let error = Response::new(Status::OK).unwrap().with_field("Date", "").unwrap_err();
    assert_eq!(error.to_string(), "'Date' cannot be edited: only the proxy writes it");
    let error = Response::new(Status::EARLY_HINTS).unwrap_err();
    assert_eq!(error.to_string(), "the response has to be final; status 103 is interim (1xx)");
}
