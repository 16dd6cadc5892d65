//! Content: it goes into the reply's body as fast as that has room.

use std::task::Poll;

use crate::http::{ClientEvent, Fields, ParseError};
use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body::{Retention, State, receive_into};
use crate::proxy::transfer::pending_response::FetchResult;

use super::context::FetchCx;
use super::state::Fetch;
use super::step::Next;
use super::{fill, finish, push_request};

/// Moves content until all has come, nobody has room, or there is no more yet.
pub(super) fn content(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    if let Err(error) = push_request(fetch, cx) {
        return Next::Failed(error);
    }
    if fetch.sending_failed {
        fetch.leave_upload(cx);
    }
    fetch.timers.stop(FetchTimer::Sending); // it answers; whether it takes the rest is not waited for
    let next = bring(fetch, cx);
    account(fetch, cx);
    next
}

fn bring(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    let Some(connection) = fetch.connection else { return Next::Failed(ExchangeError::OriginGone) };
    let timeout = cx.shared.settings.limits.origin_timeout;
    loop {
        let Some(response) = cx.shared.responses.get_mut(fetch.response) else {
            return Next::Failed(ExchangeError::ClientGone);
        };
        let body = &mut response.body;
        let ended = fetch.codec.content_left() == 0 && fetch.input.is_empty();
        if fetch.timers.expires(FetchTimer::Slowest, cx.reactor.now().mono) {
            body.drop_stalled(cx.reactor);
        }
        if !ended && body.room(cx.shared.memory.window()) == 0 {
            fetch.timers.stop(FetchTimer::Response); // the readers are what is waited for
            if body.is_shared() {
                let timeout = cx.shared.settings.limits.lag_timeout;
                fetch.timers.start(FetchTimer::Slowest, cx.reactor.now().mono + timeout);
            }
            return Next::Park;
        }
        fetch.timers.stop(FetchTimer::Slowest);
        match fetch.codec.decode(fetch.input.unread(), &cx.shared.heads) {
            Err(refusal) => return Next::Failed(ExchangeError::BadResponse(refusal)),
            Ok((used, Some(ClientEvent::Content(range)))) => {
                body.push(&fetch.input.unread()[range], cx.reactor);
                fetch.input.consume(used);
                continue;
            }
            Ok((used, Some(ClientEvent::End(trailers)))) => {
                fetch.input.consume(used);
                return complete(fetch, trailers, cx);
            }
            Ok((used, _)) => fetch.input.consume(used),
        }
        if cx.budget.is_spent() {
            return Next::Park;
        }
        let left = fetch.codec.content_left();
        let received = match receive_into(body, left, connection.io, cx.reactor) {
            Some(received) => {
                if let Poll::Ready(Ok(n)) = received {
                    fetch.codec.skip_content(n as u64);
                }
                received
            }
            None => fetch.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers),
        };
        match received {
            Poll::Pending => {
                fetch.input.release(&mut cx.shared.buffers);
                fetch.timers.start(FetchTimer::Response, cx.reactor.now().mono + timeout);
                return Next::Park;
            }
            Poll::Ready(Ok(0)) => return end_of_stream(fetch, cx),
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                fetch.timers.stop(FetchTimer::Response);
            }
            Poll::Ready(Err(_)) => return Next::Failed(ExchangeError::OriginGone),
        }
    }
}

/// All has come that was asked for.
fn complete(fetch: &mut Fetch, trailers: Option<Fields>, cx: &mut FetchCx<'_>) -> Next {
    if let Some(next) = fill::next_gap_request(fetch, cx) {
        return next;
    }
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        response.body.finish(State::Complete(trailers), cx.reactor);
    }
    Next::Done
}

/// The origin has closed: that ends a response without a length, and cuts any other short.
fn end_of_stream(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    match fetch.codec.end_of_stream() {
        Ok(_) => complete(fetch, None, cx),
        Err(_) => Next::Failed(ExchangeError::BadResponse(ParseError::Truncated)),
    }
}

/// Counts what is kept for the cache; once that is too much, the content is only passed on, to those
/// who keep up, and of a part is stored what has come.
fn account(fetch: &Fetch, cx: &mut FetchCx<'_>) {
    let fits = cx.shared.account(fetch.response);
    let Some(response) = cx.shared.responses.get_mut(fetch.response) else { return };
    let small = cx.shared.cache.accepts_length(response.body.here());
    if response.body.retain() == Retention::Window || (fits && small) {
        return;
    }
    if matches!(&response.result, Some(FetchResult::Response(answer)) if answer.part.is_some()) {
        finish::store_part(fetch, cx);
    }
    let Some(response) = cx.shared.responses.get_mut(fetch.response) else { return };
    response.object = None; // what is still read of it is its own from here on
    response.body.stop_retaining();
    response.body.drop_lagging(cx.reactor);
    cx.shared.account(fetch.response);
    cx.shared.cache.mark_hit_for_miss(fetch.ticket, cx.reactor.now().mono);
}
