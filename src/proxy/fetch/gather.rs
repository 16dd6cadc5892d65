//! Gather: receives an upload of unknown length completely, for an origin that does not understand
//! chunks.

use crate::http::{Fields, Name, RequestHead, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::body;

use super::attempt::Attempt;
use super::context::FetchCx;
use super::state::{Fetch, State};
use super::step::Next;
use super::upload::Upload;

/// Waits for the end of the upload, which tells its length. An upload that exceeds its window is
/// refused.
pub(super) fn gather(
    fetch: &mut Fetch,
    upload: Upload,
    attempt: Option<Box<Attempt>>,
    cx: &mut FetchCx<'_>,
) -> Next {
    send_continue(fetch, cx);
    let window = cx.shared.memory.window();
    let body = upload.body(&mut cx.shared.uploads);
    let is_full = body.room(window) == 0;
    let error = match body.state() {
        body::State::Complete(_) => {
            fetch.request.gathered = Some(body.end());
            return Next::Go(attempt.map_or(State::Acquire(None), State::Send));
        }
        body::State::Failed(error) => error.clone(),
        body::State::Streaming if is_full => ExchangeError::LengthRequired,
        body::State::Streaming => {
            body.park(upload.reader);
            return Next::Park(State::Gather(upload, attempt));
        }
    };
    Next::Fail(State::Gather(upload, attempt), error)
}

/// Sends a 100 to a client that waits for one, once: an origin of HTTP/1.0 never does, nor does an
/// application (RFC 9110 §10.1.1).
pub(super) fn send_continue(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    let silent = fetch.request.old_origin || fetch.request.route.application().is_some();
    let expected = silent && expects_continue(&fetch.request.head);
    if expected && !std::mem::replace(&mut fetch.continue_sent, true) {
        let head = Fields::after(b"HTTP/1.1 100 Continue\r\n".to_vec(), 0);
        fetch.response(&mut cx.shared.responses).publish_interim(head, cx.reactor);
    }
}

fn expects_continue(request: &RequestHead) -> bool {
    request.version() == Version::Http11
        && request.body_length().has_content()
        && request.fields().has(Name::Expect)
}
