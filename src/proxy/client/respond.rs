//! Responses that the proxy generates: errors, and responses to requests for the proxy itself.

use std::time::Duration;

use crate::app::Response;
use crate::http::{HeadWriter, Method, Name, RequestHead, Status, Version, date};
use crate::proxy::error::{ErrorStatus, ExchangeError};
use crate::proxy::settings::sites::field_edit::FieldEdits;
use crate::proxy::settings::sites::site_route::FixedAnswer;
use crate::proxy::transfer::send_buffer::TransferCoding;
use crate::time::Now;

use super::http1;
use super::persistence::Persistence;
use super::status_fields::{AuthInfo, CacheStatus, ProxyStatus};

/// Methods that a forward proxy forwards, for `Allow`.
const FORWARD_METHODS: &[u8] = b"GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE, CONNECT";
/// Methods that a reverse proxy forwards, for `Allow`.
const REVERSE_METHODS: &[u8] = b"GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE";

/// Media type of responses with a text.
pub(super) const TEXT: &[u8] = b"text/plain; charset=utf-8";

/// Facts for the fields of a generated response.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseContext<'a> {
    /// Name of this proxy in `Cache-Status`, `Proxy-Status` and texts.
    pub(super) name: &'a str,
    pub(super) now: Now,
    /// True if the request was HEAD: the response has no content.
    pub(super) head_only: bool,
    /// Version of the request.
    pub(super) version: Version,
    pub(super) persistence: Persistence,
    pub(super) cache_status: &'a CacheStatus,
    /// `Authentication-Info` for an authenticated user.
    pub(super) info: Option<&'a AuthInfo>,
    /// Time for `Strict-Transport-Security`.
    pub(super) hsts: Option<Duration>,
    /// Fields that the route of the site sets and adds.
    pub(super) edits: Option<&'a FieldEdits>,
    /// Command that explains denials, if the operator offers one.
    pub(super) explain: Option<&'a str>,
}

/// Writes the response to an exchange that failed, with the content of `page` if there is one. Returns its status and the length of its content.
pub(super) fn error(
    out: &mut Vec<u8>,
    error: &ExchangeError,
    page: Option<&FixedAnswer>,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let ErrorStatus { status, kind } = error.error_status();
    let explain = context.explain.zip(error.question());
    let explain = explain.map(|(command, query)| format!(" To see why: {command} {query}"));
    let explain = explain.unwrap_or_default();
    let text = format!("{} {}\n\n{}: {error}{explain}\n", status, status.reason(), context.name);
    let mut head = begin(out, status, context);
    let details = ProxyStatus { error: kind, details: &error.details(), alert: error.alert() };
    details.write_to(&mut head, context.name);
    head.field("Cache-Control", b"no-store");
    match error {
        ExchangeError::AuthenticationRequired { side, challenges, .. } => {
            challenges.iter().for_each(|value| {
                head.field(side.challenge(), value.as_bytes());
            });
        }
        ExchangeError::File(_) if status == Status::METHOD_NOT_ALLOWED => {
            head.field("Allow", b"GET, HEAD");
        }
        _ if status == Status::METHOD_NOT_ALLOWED => {
            head.field("Allow", REVERSE_METHODS);
        }
        _ => {}
    }
    if let Some(left) = error.retry_after() {
        head.number("Retry-After", left.as_secs() + u64::from(left.subsec_nanos() > 0));
    }
    let (media_type, content) = match page {
        Some(page) => (page.media_type.as_bytes(), &*page.content),
        None => (TEXT, text.as_bytes()),
    };
    let length = end(head, media_type, content, context);
    (status, length)
}

/// Writes the response to OPTIONS and TRACE requests that are not forwarded (RFC 9110 §7.6.2).
pub(super) fn here(
    out: &mut Vec<u8>,
    request: &RequestHead,
    forward: bool,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let mut head = begin(out, Status::OK, context);
    let length = if request.method() == Method::Trace {
        end(head, b"message/http", &echo(request), context)
    } else {
        head.field("Allow", if forward { FORWARD_METHODS } else { REVERSE_METHODS });
        end(head, b"", b"", context)
    };
    (Status::OK, length)
}

/// Writes a response with a text, which is not to be stored.
pub(super) fn text(out: &mut Vec<u8>, text: &str, context: ResponseContext<'_>) -> (Status, u64) {
    let mut head = begin(out, Status::OK, context);
    head.field("Cache-Control", b"no-store");
    (Status::OK, end(head, TEXT, text.as_bytes(), context))
}

/// Writes a page of HTML, which is not to be stored without asking again.
pub(super) fn page(out: &mut Vec<u8>, page: &[u8], context: ResponseContext<'_>) -> (Status, u64) {
    let mut head = begin(out, Status::OK, context);
    head.field("Cache-Control", b"no-cache").field("X-Content-Type-Options", b"nosniff");
    (Status::OK, end(head, b"text/html; charset=utf-8", page, context))
}

/// Writes the answer to a challenge of a CA (RFC 8555 §8.3).
pub(super) fn challenge(
    out: &mut Vec<u8>,
    answer: &str,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let head = begin(out, Status::OK, context);
    (Status::OK, end(head, b"application/octet-stream", answer.as_bytes(), context))
}

/// Writes a redirection to `location`.
pub(super) fn redirect(
    out: &mut Vec<u8>,
    status: Status,
    location: &str,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let mut head = begin(out, status, context);
    head.field("Location", location.as_bytes());
    let text = format!("{} {}\n\n{location}\n", status, status.reason());
    (status, end(head, TEXT, text.as_bytes(), context))
}

/// Writes the response that a route of a site always gives.
pub(super) fn fixed(
    out: &mut Vec<u8>,
    answer: &FixedAnswer,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let mut head = begin(out, answer.status, context);
    if answer.status.is_bodiless() {
        return (answer.status, end_head(head, b"", context));
    }
    if !answer.media_type.is_empty() {
        head.field("Content-Type", answer.media_type.as_bytes());
    }
    head.number("Content-Length", answer.content.len() as u64);
    (answer.status, end_head(head, &answer.content, context))
}

/// Writes a response of the hook. A response without content by its status has no `Content-Length`
/// either: with 204 it is forbidden, and with 304 it would be that of another response (RFC 9110 §8.6).
pub(super) fn of_hook(
    out: &mut Vec<u8>,
    response: &Response,
    context: ResponseContext<'_>,
) -> (Status, u64) {
    let status = response.status();
    let mut head = begin(out, status, context);
    head.copy_if(response.fields(), |_| true);
    if !status.is_bodiless() {
        head.number("Content-Length", response.content().len() as u64);
    }
    (status, end_head(head, response.content(), context))
}

/// Writes `Strict-Transport-Security` (RFC 6797 §6.1), if it is wanted.
pub(super) fn write_hsts(head: &mut HeadWriter<'_>, time: Option<Duration>) {
    if let Some(time) = time {
        head.field("Strict-Transport-Security", format!("max-age={}", time.as_secs()).as_bytes());
    }
}

fn begin<'a>(out: &'a mut Vec<u8>, status: Status, context: ResponseContext<'_>) -> HeadWriter<'a> {
    let mut head = HeadWriter::response(out, status, status.reason().as_bytes());
    head.field("Date", date::format(context.now.wall).as_bytes());
    context.cache_status.write_to(&mut head, context.name);
    context.info.into_iter().for_each(|info| info.write_to(&mut head));
    write_hsts(&mut head, context.hsts);
    head
}

fn end(mut head: HeadWriter<'_>, kind: &[u8], content: &[u8], context: ResponseContext<'_>) -> u64 {
    if !kind.is_empty() {
        head.field("Content-Type", kind);
    }
    head.number("Content-Length", content.len() as u64);
    end_head(head, content, context)
}

fn end_head(mut head: HeadWriter<'_>, content: &[u8], context: ResponseContext<'_>) -> u64 {
    let ResponseContext { version, persistence, .. } = context;
    for line in context.edits.into_iter().flat_map(FieldEdits::lines) {
        head.field(&line.name, line.value.as_str().as_bytes());
    }
    http1::end_head(&mut head, TransferCoding::Identity, version, persistence);
    if context.head_only {
        return 0;
    }
    head.content(content);
    content.len() as u64
}

/// Returns the request as it was received, without credentials and cookies (RFC 9110 §9.3.8).
fn echo(request: &RequestHead) -> Vec<u8> {
    let version = if request.version() == Version::Http10 { "1.0" } else { "1.1" };
    let line = format!("{} {} HTTP/{version}\r\n", request.method_name(), request.target());
    let mut out = line.into_bytes();
    let secret = |id| matches!(id, Name::Authorization | Name::ProxyAuthorization | Name::Cookie);
    HeadWriter::resume(&mut out).copy_if(request.fields(), |field| !secret(field.id)).end();
    out
}
