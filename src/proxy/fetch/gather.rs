//! Gather: an upload without a length is received whole before it goes to an origin that has no chunks.

use crate::http::{Fields, Name, RequestHead, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::body::State;

use super::context::FetchCx;
use super::state::Fetch;
use super::step::{Next, Step};

/// Waits for the end of the upload, which then has a length. One that outgrows its window is refused.
pub(super) fn gather(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    encourage(fetch, cx);
    let window = cx.shared.memory.window();
    let body = fetch.request.upload.and_then(|upload| cx.shared.uploads.get_mut(upload));
    let (Some(body), Some(reader)) = (body, fetch.reader) else {
        return Next::Failed(ExchangeError::ClientGone);
    };
    let is_full = body.room(window) == 0;
    match body.state() {
        State::Complete(_) => {
            fetch.request.gathered = Some(body.end());
            Next::Go(if fetch.connection.is_some() { Step::Send } else { Step::Acquire })
        }
        State::Failed(error) => Next::Failed(error.clone()),
        State::Streaming if is_full => Next::Failed(ExchangeError::LengthRequired),
        State::Streaming => {
            body.park(reader);
            Next::Park
        }
    }
}

/// Has a client that waits for a 100 go on: an origin of HTTP/1.0 will never send one (RFC 9110
/// §10.1.1).
pub(super) fn encourage(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    let asks = fetch.request.old_origin && expects_continue(&fetch.request.head);
    if asks && !std::mem::replace(&mut fetch.encouraged, true) {
        let go_on = Fields::after(b"HTTP/1.1 100 Continue\r\n".to_vec(), 0);
        if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
            response.publish_interim(go_on, cx.reactor);
        }
    }
}

fn expects_continue(request: &RequestHead) -> bool {
    request.version() == Version::Http11
        && request.framing().has_content()
        && request.fields().has(Name::Expect)
}
