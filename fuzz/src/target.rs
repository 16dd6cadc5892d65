//! Request targets, parsed as part of a request line.

use tidegate::http::{
    Authority, Form, HeadLimits, ParseError, RequestHead, ServerCodec, ServerEvent,
};

use super::heads;
use super::reference;

/// Checks any bytes as a target.
pub fn rules(target: &[u8]) {
    check_authority(target);
    if target.contains(&b'\r') {
        return; // a line end would begin another line
    }
    for method in ["GET", "OPTIONS", "CONNECT"] {
        let strict = head(method, target, false);
        let relaxed = head(method, target, true);
        if target.len() < 8000 {
            assert_eq!(strict.is_ok(), reference::is_target(target, method), "{strict:?}");
        }
        if let Ok(strict) = &strict {
            assert_eq!(
                relaxed.as_ref(),
                Ok(strict),
                "a valid target is valid under relaxed limits"
            );
        }
        let Ok(head) = relaxed else { continue };
        assert_eq!(head.target().as_bytes(), target);
        assert_eq!(head.form() == Form::Authority, method == "CONNECT");
        check_reassembled(&head, method);
    }
}

fn head(method: &str, target: &[u8], relaxed_target: bool) -> Result<RequestHead, ParseError> {
    let limits = HeadLimits { relaxed_target, ..HeadLimits::default() };
    let bytes = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let (used, event) = ServerCodec::new().decode(&bytes, &limits)?;
    match event {
        Some(ServerEvent::Request(head)) if used == bytes.len() => {
            heads::check_request(&head, &limits);
            Ok(*head)
        }
        event => panic!("a whole request is accepted or rejected: {event:?}"),
    }
}

/// A target assembled from the parts of another one has the same parts.
fn check_reassembled(first: &RequestHead, method: &str) {
    let Some(authority) = first.authority() else { return };
    let port = authority.port.map_or(String::new(), |port| format!(":{port}"));
    let scheme = match first.form() {
        Form::Absolute => format!("{}://", first.scheme()),
        _ => String::new(),
    };
    let text = format!("{scheme}{}{port}{}", authority.host, first.path_and_query());
    let second = head(method, text.as_bytes(), true).expect("a valid target");
    assert_eq!(second.authority(), Some(authority));
    assert_eq!(second.scheme(), first.scheme());
    assert_eq!(second.path_and_query(), first.path_and_query());
}

/// An authority is valid if and only if the reference accepts it, and is then valid in `Host`.
fn check_authority(text: &[u8]) {
    let read = Authority::parse(text);
    assert_eq!(read.is_ok(), reference::is_authority(text));
    if let Err(refusal) = read {
        assert!(matches!(refusal, ParseError::UserInfo | ParseError::Authority));
    }
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() || trimmed.len() > 8000 || trimmed.iter().any(|b| b.is_ascii_control()) {
        return;
    }
    let bytes = [b"GET / HTTP/1.1\r\nHost: ", trimmed, b"\r\n\r\n"].concat();
    let request = ServerCodec::new().decode(&bytes, &HeadLimits::default());
    let expected = Authority::parse(trimmed).map(drop).map_err(|_| ParseError::InvalidHost);
    assert_eq!(request.map(drop), expected);
}
