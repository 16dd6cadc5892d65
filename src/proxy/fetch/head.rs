//! Head: the response's head comes, and what becomes of the response is decided, once.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::cache::{self, NotStored, OriginFailure, Response, Storable};
use crate::http::hop::ConnectionOptions;
use crate::http::{ClientEvent, ResponseHead, Status, Version, hop};
use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::pending_response::{FetchResult, ResponseMeta};

use super::context::FetchCx;
use super::publish::publish;
use super::state::Fetch;
use super::step::{Next, Step};
use super::{fill, partial, push_request, revalidate, rewrite_request, rewrite_response};

/// Sends on, and takes what comes until there is a final head.
pub(super) fn head(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    if let Err(error) = push_request(fetch, cx) {
        return Next::Failed(error);
    }
    let Some(connection) = fetch.connection else { return Next::Go(Step::Acquire) };
    loop {
        match fetch.codec.decode(fetch.input.unread(), &cx.shared.heads) {
            Err(refusal) => return Next::Failed(ExchangeError::BadResponse(refusal)),
            Ok((used, event)) => {
                fetch.input.consume(used);
                match event {
                    Some(ClientEvent::Interim(head)) => {
                        if let Err(error) = take_interim(fetch, &head, cx) {
                            return Next::Failed(error);
                        }
                        continue;
                    }
                    Some(ClientEvent::Response(head)) => return take_head(fetch, &head, cx),
                    Some(ClientEvent::Content(_) | ClientEvent::End(_)) | None => {}
                }
            }
        }
        if cx.budget.is_spent() {
            return Next::Park;
        }
        match fetch.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers) {
            Poll::Pending => {
                fetch.input.release(&mut cx.shared.buffers);
                fetch.await_answer(cx);
                return Next::Park;
            }
            Poll::Ready(Ok(n)) if n > 0 => {
                cx.budget.spend_in(n);
                fetch.timers.stop(FetchTimer::Response);
            }
            Poll::Ready(_) => return Next::Failed(ExchangeError::OriginGone),
        }
    }
}

/// 102 and 103 and others are for whoever waits now (RFC 9110 §15.2).
fn take_interim(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Result<(), ExchangeError> {
    fetch.interims += 1;
    fetch.interim_bytes += head.fields().wire().len();
    let limits = &cx.shared.settings.limits;
    if fetch.interims > limits.interims || fetch.interim_bytes as u64 > limits.head.0 {
        return Err(ExchangeError::TooManyInterims);
    }
    let now = cx.reactor.now();
    let fields = rewrite_response::response_fields(head, &fetch.request, &cx.shared.settings, now);
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        response.publish_interim(fields, cx.reactor);
    }
    Ok(())
}

fn take_head(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let (status, now) = (head.status(), cx.reactor.now().mono);
    let (origin, ttl) = (&fetch.request.route.origin, cx.shared.settings.limits.old_origin_ttl);
    match head.version() {
        Version::Http10 => cx.shared.old_origins.insert(origin, ttl, now),
        Version::Http11 => cx.shared.old_origins.remove(origin),
    }
    if status == Status::SWITCHING_PROTOCOLS {
        return switch(fetch, head, cx);
    }
    if status == Status::REQUEST_TIMEOUT && fetch.may_send_again(cx) {
        fetch.try_again(cx); // the origin has closed an idle connection (RFC 9110 §15.5.9)
        return Next::Go(Step::Acquire);
    }
    let asked_about = std::mem::take(&mut fetch.request.validate);
    if status == Status::NOT_MODIFIED && !asked_about.is_empty() {
        return revalidate::still_valid(fetch, &asked_about, head, cx);
    }
    if let Some(next) = fill::take_head(fetch, head, cx) {
        return next;
    }
    if matches!(status.code(), 500 | 502 | 503 | 504)
        && fetch.falls_back(OriginFailure::ServerError, cx)
    {
        return Next::Failed(ExchangeError::OriginGone);
    }
    // The origin does not wish to have the rest of the request (RFC 9112 §9.5).
    let closes = !ConnectionOptions::of(head.version(), head.fields()).persistent;
    fetch.sending_failed |= closes && status.code() >= 400;
    revalidate::invalidate(fetch, head, cx);
    revalidate::freshen_by_head(fetch, head, cx);
    let now = cx.reactor.now();
    let fields = rewrite_response::response_fields(head, &fetch.request, &cx.shared.settings, now);
    let answer = ResponseMeta {
        status,
        head: fields,
        framing: head.framing(),
        storing: storable(fetch, head, cx),
        part: None,
        origin: fetch.connection.map(|connection| connection.address),
    };
    match partial::of_the_whole(answer, fetch) {
        Some(answer) => publish(fetch, answer, cx),
        None => revalidate::ask_again(fetch, cx),
    }
}

pub(super) fn storable(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &FetchCx<'_>,
) -> Result<Storable, NotStored> {
    if !cx.shared.cache.is_on() {
        return Err(NotStored::Off);
    }
    if fetch.connection.is_some_and(|connection| connection.bound_to.is_some()) {
        return Err(NotStored::Authorization);
    }
    let is_part = head.status() == Status::PARTIAL_CONTENT; // kept as far as there is room
    if !is_part && !cx.shared.cache.accepts_length(head.framing().length().unwrap_or_default()) {
        return Err(NotStored::TooLarge);
    }
    if rewrite_request::varies_by_hop(head.fields(), &cx.shared.settings) {
        return Err(NotStored::VaryAll);
    }
    fetch.judge(head.status(), head.fields(), cx, |request, response| {
        cache::storable(request, &Response { is_coded: head.is_coded(), ..response })
    })
}

/// Hands the connection over to the client that asked to switch protocols, if the origin has switched to
/// that protocol, after all of the request.
fn switch(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let settings = Arc::clone(&cx.shared.settings);
    let switched = hop::upgrade(head.version(), head.fields()).unwrap_or_default();
    let asked = rewrite_request::upgrade_of(&fetch.request.head, &settings);
    let sent = fetch.request_ended && fetch.output.is_empty();
    let agreed = |asked: &&str| sent && switched.eq_ignore_ascii_case(asked.as_bytes());
    let Some(protocol) = asked.filter(agreed) else {
        return Next::Failed(ExchangeError::UnaskedUpgrade);
    };
    let now = cx.reactor.now();
    let mut fields = rewrite_response::response_fields(head, &fetch.request, &settings, now);
    fields.push(b"Connection", b"Upgrade");
    fields.push(b"Upgrade", protocol.as_bytes());
    let Some(connection) = fetch.connection.take() else {
        return Next::Failed(ExchangeError::OriginGone);
    };
    let rest = std::mem::take(&mut fetch.input).into_rest();
    let Some(response) = cx.shared.responses.get_mut(fetch.response) else {
        cx.reactor.close(connection.io);
        return Next::Failed(ExchangeError::ClientGone);
    };
    response.switched = Some((connection, rest));
    response.publish(FetchResult::Switched(Rc::new(fields)), cx.reactor);
    Next::Done
}
