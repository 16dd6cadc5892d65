//! Answers of the proxy's own: errors with their reason, and what is asked of the proxy itself.

use crate::http::{HeadWriter, Method, Name, RequestHead, Status, Version, date};
use crate::proxy::error::ExchangeError;
use crate::time::Now;

use super::status_fields::{AuthInfo, CacheStatus, ProxyStatus};

/// Methods that a forward proxy passes on, for `Allow`.
const FORWARD_METHODS: &[u8] = b"GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE, CONNECT";
const REVERSE_METHODS: &[u8] = b"GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE";

/// Type of answers with a text.
pub(super) const TEXT: &[u8] = b"text/plain; charset=utf-8";

/// What an answer says beside its status and text.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseContext<'a> {
    /// The name this proxy goes by.
    pub(super) name: &'a str,
    pub(super) now: Now,
    /// Whether the request was HEAD, whose answer has no content.
    pub(super) head_only: bool,
    /// Whether the connection is closed after it.
    pub(super) close: bool,
    pub(super) cache_status: &'a CacheStatus,
    /// What a user who was recognized is told.
    pub(super) info: Option<&'a AuthInfo>,
    /// The command that explains what rules deny, if there is one.
    pub(super) explain: Option<&'a str>,
}

/// Writes the answer to an exchange that failed; returns its status and the length of its content.
pub(super) fn error(
    out: &mut Vec<u8>,
    error: &ExchangeError,
    frame: ResponseContext<'_>,
) -> (Status, u64) {
    let verdict = error.error_status();
    let status = verdict.status;
    let why = frame.explain.zip(error.question());
    let why = why.map(|(command, question)| format!(" To see why: {command} {question}"));
    let why = why.unwrap_or_default();
    let text = format!("{} {}\n\n{}: {error}{why}\n", status, status.reason(), frame.name);
    let mut head = begin(out, status, frame);
    let details = ProxyStatus { error: verdict.kind, details: &error.details() };
    details.write_to(&mut head, frame.name);
    head.field("Cache-Control", b"no-store");
    match error {
        ExchangeError::AuthenticationRequired { side, challenges, .. } => {
            challenges.iter().for_each(|value| {
                head.field(side.challenge(), value.as_bytes());
            });
        }
        ExchangeError::TooManyFailures(left) => {
            head.number("Retry-After", left.as_secs() + u64::from(left.subsec_nanos() > 0));
        }
        _ if status == Status::METHOD_NOT_ALLOWED => {
            head.field("Allow", REVERSE_METHODS);
        }
        _ => {}
    }
    let length = end(head, TEXT, text.as_bytes(), frame);
    (status, length)
}

/// Answers OPTIONS and TRACE that go no further.
pub(super) fn here(
    out: &mut Vec<u8>,
    request: &RequestHead,
    forward: bool,
    frame: ResponseContext<'_>,
) -> (Status, u64) {
    let mut head = begin(out, Status::OK, frame);
    let length = if request.method() == Method::Trace {
        end(head, b"message/http", &echo(request), frame)
    } else {
        head.field("Allow", if forward { FORWARD_METHODS } else { REVERSE_METHODS });
        end(head, b"", b"", frame)
    };
    (Status::OK, length)
}

/// Answers with a line of text, for the one who has asked.
pub(super) fn text(out: &mut Vec<u8>, text: &str, frame: ResponseContext<'_>) -> (Status, u64) {
    let mut head = begin(out, Status::OK, frame);
    head.field("Cache-Control", b"no-store");
    (Status::OK, end(head, TEXT, text.as_bytes(), frame))
}

fn begin<'a>(out: &'a mut Vec<u8>, status: Status, frame: ResponseContext<'_>) -> HeadWriter<'a> {
    let mut head = HeadWriter::response(out, status, status.reason().as_bytes());
    head.field("Date", date::format(frame.now.wall).as_bytes());
    frame.cache_status.write_to(&mut head, frame.name);
    frame.info.into_iter().for_each(|info| info.write_to(&mut head));
    head
}

fn end(mut head: HeadWriter<'_>, kind: &[u8], content: &[u8], frame: ResponseContext<'_>) -> u64 {
    if !kind.is_empty() {
        head.field("Content-Type", kind);
    }
    head.number("Content-Length", content.len() as u64);
    if frame.close {
        head.field("Connection", b"close");
    }
    head.end();
    if frame.head_only {
        return 0;
    }
    head.content(content);
    content.len() as u64
}

/// The request as it came, without what is secret (RFC 9110 §9.3.8).
fn echo(request: &RequestHead) -> Vec<u8> {
    let version = if request.version() == Version::Http10 { "1.0" } else { "1.1" };
    let line = format!("{} {} HTTP/{version}\r\n", request.method_name(), request.target());
    let mut out = line.into_bytes();
    let secret = |id| matches!(id, Name::Authorization | Name::ProxyAuthorization | Name::Cookie);
    HeadWriter::resume(&mut out).copy_if(request.fields(), |field| !secret(field.id)).end();
    out
}
