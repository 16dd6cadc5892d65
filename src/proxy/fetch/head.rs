//! Head: receives the response's head, and decides once how the response is used.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use crate::balance::Outcome;
use crate::cache::OriginFailure;
use crate::http::hop::ConnectionOptions;
use crate::http::{ClientEvent, ResponseHead, Status, Version, hop};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::timings::Timings;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::pending_response::{FetchResult, OriginSide, ResponseMeta};
use crate::tls::Problem;

use super::attempt::{Attempt, Received, Sending};
use super::context::FetchCx;
use super::publish::publish;
use super::send::push_request;
use super::state::{Fetch, State};
use super::step::{AfterHead, Next};
use super::storing::storable;
use super::{fill, partial, revalidate, rewrite_response};

/// Sends more of the request, and receives until there is a final head.
pub(super) fn head(fetch: &mut Fetch, mut attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> Next {
    let head = match receive(fetch, &mut attempt, cx) {
        Poll::Pending => return Next::Park(State::Head(attempt)),
        Poll::Ready(Err(error)) => return Next::Fail(State::Head(attempt), error),
        Poll::Ready(Ok(head)) => head,
    };
    note_first_byte(fetch, &attempt, cx);
    remember_version(fetch, &head, cx);
    if head.status() == Status::SWITCHING_PROTOCOLS {
        return switch(fetch, attempt, &head, cx);
    }
    // The origin has closed an idle connection (RFC 9110 §15.5.9).
    if head.status() == Status::REQUEST_TIMEOUT && fetch.may_retry(&attempt, cx) {
        return Next::Go(fetch.send_again(attempt, cx));
    }
    let mut attempt = match fetch.retry_status(attempt, head.status(), cx) {
        Ok(state) => return Next::Go(state),
        Err(attempt) => attempt,
    };
    match take_head(fetch, attempt.received(&head), cx) {
        Ok(AfterHead::Content) => {
            // The origin does not want the rest of the request (RFC 9112 §9.5).
            let closes = !ConnectionOptions::of(head.version(), head.fields()).persistent;
            if closes && head.status().code() >= 400 {
                attempt.sending = Sending::Stopped;
            }
            Next::Go(State::Content(attempt))
        }
        Ok(AfterHead::AskAgain) => Next::Go(fetch.ask_again(attempt, cx)),
        Err(error) => Next::Fail(State::Head(attempt), error),
    }
}

/// Records the time from the start of the request until its response has begun.
fn note_first_byte(fetch: &Fetch, attempt: &Attempt, cx: &mut FetchCx<'_>) {
    let first_byte = Some(cx.reactor.now().mono.saturating_duration_since(attempt.sent_at));
    cx.shared.counters.latencies.count_steps(&Timings { first_byte, ..Timings::default() });
    fetch.response(&mut cx.shared.responses).timings.first_byte = first_byte;
}

fn receive(
    fetch: &mut Fetch,
    attempt: &mut Attempt,
    cx: &mut FetchCx<'_>,
) -> Poll<Result<Box<ResponseHead>, ExchangeError>> {
    push_request(fetch, attempt, cx)?;
    loop {
        let (used, event) = attempt
            .codec
            .decode(attempt.input.unread(), &cx.shared.heads)
            .map_err(ExchangeError::BadResponse)?;
        attempt.input.consume(used);
        match event {
            Some(ClientEvent::Interim(head)) => {
                take_interim(fetch, &head, cx)?;
                continue;
            }
            Some(ClientEvent::Response(head)) => return Poll::Ready(Ok(head)),
            Some(ClientEvent::Content(_) | ClientEvent::End(_)) | None => {}
        }
        if cx.budget.is_spent() {
            return Poll::Pending;
        }
        let io = attempt.connection.io;
        match attempt.input.receive(cx.reactor, io, &mut cx.shared.buffers) {
            Poll::Pending => {
                attempt.input.release(&mut cx.shared.buffers);
                await_response(fetch, attempt, cx);
                return Poll::Pending;
            }
            Poll::Ready(Ok(n)) if n > 0 => {
                cx.budget.spend_in(n);
                fetch.timers.stop(FetchTimer::Response);
            }
            Poll::Ready(Ok(_)) => return Poll::Ready(Err(ExchangeError::OriginGone)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
        }
    }
}

/// Returns the error of a connection that was lost. In TLS 1.3, an origin refuses a client's certificate
/// by an alert after the handshake.
fn lost(error: &io::Error) -> ExchangeError {
    match Problem::of_session(error) {
        Some(problem) => ExchangeError::Tls(Arc::new(problem)),
        None => ExchangeError::OriginGone,
    }
}

/// Starts the timer of the response if the response is due: while a client writes content and the
/// origin takes it, no response is.
fn await_response(fetch: &mut Fetch, attempt: &Attempt, cx: &FetchCx<'_>) {
    if matches!(attempt.sending, Sending::Stopped) || attempt.has_sent_request() {
        let timeout = cx.shared.settings.limits.origin_timeout;
        fetch.timers.start(FetchTimer::Response, cx.reactor.now().mono + timeout);
    } else {
        fetch.timers.stop(FetchTimer::Response);
    }
}

/// Publishes an interim response to the client that waits for the response (RFC 9110 §15.2).
fn take_interim(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Result<(), ExchangeError> {
    fetch.interims.count += 1;
    fetch.interims.bytes += head.fields().wire().len();
    let limits = &cx.shared.settings.limits;
    if fetch.interims.count > limits.interims || fetch.interims.bytes as u64 > limits.head.0 {
        return Err(ExchangeError::TooManyInterims);
    }
    let now = cx.reactor.now();
    let fields = rewrite_response::response_fields(head, &fetch.request, &cx.shared.settings, now);
    fetch.response(&mut cx.shared.responses).publish_interim(fields, cx.reactor);
    Ok(())
}

/// Remembers whether the origin speaks HTTP/1.0.
fn remember_version(fetch: &Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) {
    let (Some(origin), now) = (&fetch.request.origin, cx.reactor.now().mono) else { return };
    let ttl = cx.shared.settings.limits.old_origin_ttl;
    match head.version() {
        Version::Http10 => cx.shared.old_origins.insert(&origin.key, ttl, now),
        Version::Http11 => cx.shared.old_origins.remove(&origin.key),
    }
}

/// Decides how a response is used, from its final head.
pub(super) fn take_head(
    fetch: &mut Fetch,
    received: Received<'_>,
    cx: &mut FetchCx<'_>,
) -> Result<AfterHead, ExchangeError> {
    let head = received.head;
    let status = head.status();
    let validated = std::mem::take(&mut fetch.request.validate);
    if status == Status::NOT_MODIFIED && !validated.is_empty() {
        return Ok(revalidate::confirm(fetch, received, &validated, cx));
    }
    if let Some(next) = fill::take_head(fetch, received, cx)? {
        return Ok(next);
    }
    if matches!(status.code(), 500 | 502 | 503 | 504)
        && fetch.publish_fallback(OriginFailure::ServerError, cx)
    {
        fetch.outcome.get_or_insert(Outcome::Success); // the member has answered
        return Err(ExchangeError::OriginGone);
    }
    revalidate::invalidate(fetch, head, cx);
    revalidate::freshen_by_head(fetch, received, cx);
    let now = cx.reactor.now();
    let fields = rewrite_response::response_fields(head, &fetch.request, &cx.shared.settings, now);
    let meta = ResponseMeta {
        status,
        head: fields,
        body_length: head.body_length(),
        storing: storable(&mut fetch.request, received, cx.shared, now),
        part: None,
        origin: received.origin,
        sticky: fetch.sticky_cookie(cx),
    };
    match partial::of_the_whole(meta, fetch) {
        Some(meta) => {
            publish(fetch, meta, cx);
            Ok(AfterHead::Content)
        }
        None => Ok(AfterHead::AskAgain),
    }
}

/// Hands the connection over to the client that asked to switch protocols, if the origin has
/// switched to that protocol after the whole request.
fn switch(
    fetch: &mut Fetch,
    attempt: Box<Attempt>,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Next {
    let settings = Arc::clone(&cx.shared.settings);
    let switched = hop::upgrade(head.version(), head.fields()).unwrap_or_default();
    let sent = attempt.has_sent_request();
    let agreed = |asked: &&str| sent && switched.eq_ignore_ascii_case(asked.as_bytes());
    let Some(protocol) = fetch.request.facts.upgrade.as_deref().filter(agreed) else {
        return Next::Fail(State::Head(attempt), ExchangeError::UnaskedUpgrade);
    };
    let now = cx.reactor.now();
    let mut fields = rewrite_response::response_fields(head, &fetch.request, &settings, now);
    fields.push(b"Connection", b"Upgrade");
    fields.push(b"Upgrade", protocol.as_bytes());
    let Attempt { connection, input, .. } = *attempt;
    let place = fetch.place.take();
    place.iter().for_each(|place| cx.shared.origins.groups.note_success(place));
    let response = fetch.response(&mut cx.shared.responses);
    response.switched = Some(OriginSide { connection, received: input.into_rest(), place });
    response.publish(FetchResult::Switched(Arc::new(fields)), cx.reactor);
    Next::Done(State::Finished)
}
