//! Content: receives the response's content into its body, as fast as the body has room.

use std::io;
use std::task::Poll;

use crate::http::{ClientEvent, Fields, ParseError};
use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body::{Retention, receive_into};
use crate::proxy::transfer::pending_response::FetchResult;

use super::attempt::{Attempt, Sending};
use super::context::FetchCx;
use super::send::push_request;
use super::state::{Fetch, State};
use super::step::{AfterContent, Next};
use super::{fill, finish};

/// Sends more of the request, and receives content until the response is complete, the body has no
/// room, or the origin has sent no more.
pub(super) fn content(fetch: &mut Fetch, mut attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> Next {
    if let Err(error) = push_request(fetch, &mut attempt, cx) {
        return Next::Fail(State::Content(attempt), error);
    }
    if matches!(attempt.sending, Sending::Stopped) {
        fetch.leave_upload(cx);
    }
    // The origin has responded: it may take the rest of the request or not.
    fetch.timers.stop(FetchTimer::Sending);
    let received = receive(fetch, &mut attempt, cx);
    account(fetch, cx);
    match received {
        Poll::Pending => Next::Park(State::Content(attempt)),
        Poll::Ready(Ok(AfterContent::Done)) => Next::Done(State::Content(attempt)),
        Poll::Ready(Ok(AfterContent::AskAgain)) => Next::Go(fetch.ask_again(attempt, cx)),
        Poll::Ready(Err(error)) => Next::Fail(State::Content(attempt), error),
    }
}

fn receive(
    fetch: &mut Fetch,
    attempt: &mut Attempt,
    cx: &mut FetchCx<'_>,
) -> Poll<Result<AfterContent, ExchangeError>> {
    loop {
        let is_read = attempt.codec.content_left() == 0 && attempt.input.is_empty();
        if !has_room(fetch, is_read, cx) {
            return Poll::Pending;
        }
        let (used, event) = attempt
            .codec
            .decode(attempt.input.unread(), &cx.shared.heads)
            .map_err(ExchangeError::BadResponse)?;
        if let Some(ClientEvent::Content(range)) = event {
            let body = &mut fetch.response(&mut cx.shared.responses).body;
            body.push(&attempt.input.unread()[range], cx.reactor);
            attempt.input.consume(used);
            continue;
        }
        attempt.input.consume(used);
        if let Some(ClientEvent::End(trailers)) = event {
            return Poll::Ready(complete(fetch, trailers, cx));
        }
        if cx.budget.is_spent() {
            return Poll::Pending;
        }
        match receive_bytes(fetch, attempt, cx) {
            Poll::Pending => {
                attempt.input.release(&mut cx.shared.buffers);
                let timeout = cx.shared.settings.limits.origin_timeout;
                fetch.timers.start(FetchTimer::Response, cx.reactor.now().mono + timeout);
                return Poll::Pending;
            }
            Poll::Ready(Ok(0)) => {
                // The end of the stream completes a response without a length, and truncates others.
                let truncated = |_| ExchangeError::BadResponse(ParseError::Truncated);
                attempt.codec.end_of_stream().map_err(truncated)?;
                return Poll::Ready(complete(fetch, None, cx));
            }
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                fetch.timers.stop(FetchTimer::Response);
            }
            Poll::Ready(Err(_)) => return Poll::Ready(Err(ExchangeError::OriginGone)),
        }
    }
}

/// Receives bytes: into the body if they are content and fill its room, otherwise into the receive
/// buffer.
fn receive_bytes(
    fetch: &Fetch,
    attempt: &mut Attempt,
    cx: &mut FetchCx<'_>,
) -> Poll<io::Result<usize>> {
    let Attempt { connection, codec, input, .. } = attempt;
    let body = &mut fetch.response(&mut cx.shared.responses).body;
    match receive_into(body, codec.content_left(), connection.io, cx.reactor) {
        Some(received) => {
            if let Poll::Ready(Ok(n)) = received {
                codec.skip_content(n as u64);
            }
            received
        }
        None => input.receive(cx.reactor, connection.io, &mut cx.shared.buffers),
    }
}

/// Returns true if the body has room, or needs none because all content `is_read`. Otherwise the
/// readers are waited for. If there are several, those that hold up the others for too long are
/// dropped.
pub(super) fn has_room(fetch: &mut Fetch, is_read: bool, cx: &mut FetchCx<'_>) -> bool {
    let body = &mut fetch.response(&mut cx.shared.responses).body;
    let now = cx.reactor.now().mono;
    if fetch.timers.expires(FetchTimer::Slowest, now) {
        body.drop_stalled(cx.reactor);
    }
    if is_read || body.room(cx.shared.memory.window()) > 0 {
        fetch.timers.stop(FetchTimer::Slowest);
        return true;
    }
    fetch.timers.stop(FetchTimer::Response);
    if body.is_shared() {
        fetch.timers.start(FetchTimer::Slowest, now + cx.shared.settings.limits.lag_timeout);
    }
    false
}

/// Finishes the body, unless another gap is to be filled first.
fn complete(
    fetch: &mut Fetch,
    trailers: Option<Fields>,
    cx: &mut FetchCx<'_>,
) -> Result<AfterContent, ExchangeError> {
    if fill::next_gap(fetch, cx)? {
        return Ok(AfterContent::AskAgain);
    }
    fetch.response(&mut cx.shared.responses).finish(trailers, cx.reactor);
    Ok(AfterContent::Done)
}

/// Accounts the content that is kept for the cache. Once the content is too large for the cache, it
/// is only passed on, to the readers that keep up. A part is stored as far as it was received.
pub(super) fn account(fetch: &Fetch, cx: &mut FetchCx<'_>) {
    let fits = cx.shared.account(fetch.response);
    let response = fetch.response(&mut cx.shared.responses);
    let small = cx.shared.cache.accepts_length(response.body.buffered());
    if response.body.retention() == Retention::Window || (fits && small) {
        return;
    }
    if matches!(&response.result, Some(FetchResult::Response(meta)) if meta.part.is_some()) {
        finish::store_part(fetch, cx);
    }
    let response = fetch.response(&mut cx.shared.responses);
    response.object = None; // the cache no longer counts what readers still read
    response.body.stop_retaining();
    response.body.drop_lagging(cx.reactor);
    cx.shared.account(fetch.response);
    cx.shared.cache.mark_hit_for_miss(fetch.ticket, cx.reactor.now().mono);
}
