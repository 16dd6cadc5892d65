//! Head: the response's head comes, and what becomes of the response is decided, once.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::cache::{self, Freshness, NotStored, Object, Selection};
use crate::http::{FromOrigin, Method, ResponseHead, Status, hop};

use super::super::error::ExchangeError;
use super::super::fetch::{Fetch, FetchCx, Next, Step};
use super::super::forward;
use super::super::reply::{Answer, Brought};
use super::push_request;

/// Sends on, and takes what comes until there is a final head.
pub(in super::super) fn head(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    if let Err(error) = push_request(fetch, cx) {
        return Next::Failed(error);
    }
    let Some(connection) = fetch.connection else { return Next::Go(Step::Acquire) };
    loop {
        match fetch.codec.decode(fetch.input.unread(), &cx.core.heads) {
            Err(refusal) => return Next::Failed(ExchangeError::BadResponse(refusal)),
            Ok((used, event)) => {
                fetch.input.consume(used);
                match event {
                    Some(FromOrigin::Interim(head)) => {
                        if let Err(error) = take_interim(fetch, &head, cx) {
                            return Next::Failed(error);
                        }
                        continue;
                    }
                    Some(FromOrigin::Response(head)) => return take_head(fetch, &head, cx),
                    Some(FromOrigin::Content(_) | FromOrigin::End(_)) | None => {}
                }
            }
        }
        if cx.budget.is_spent() {
            return Next::Park;
        }
        match fetch.input.receive(cx.reactor, connection.io, &mut cx.core.buffers) {
            Poll::Pending => {
                fetch.input.release(&mut cx.core.buffers);
                return Next::Park;
            }
            Poll::Ready(Ok(n)) if n > 0 => {
                cx.budget.spend_in(n);
                let now = cx.reactor.now().mono;
                fetch.deadline = Some(now + cx.core.settings.limits.origin_timeout);
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
    if fetch.interims > cx.core.settings.limits.interims {
        return Err(ExchangeError::TooManyInterims);
    }
    let now = cx.reactor.now();
    let fields = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        reply.bring_interim(fields, cx.reactor);
    }
    Ok(())
}

fn take_head(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let status = head.status();
    if status == Status::SWITCHING_PROTOCOLS {
        return switch(fetch, head, cx);
    }
    if status == Status::NOT_MODIFIED
        && let Some(object) = fetch.order.validate.take()
    {
        return still_valid(fetch, &object, head, cx);
    }
    let method = fetch.order.request.method();
    if !method.is_safe() && (status.is_success() || status.code() / 100 == 3) {
        cx.core.cache.invalidate(&fetch.order.key);
    }
    let now = cx.reactor.now();
    let storing = may_store(fetch, head, cx);
    let fields = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    let Some(reply) = cx.core.replies.get_mut(fetch.reply) else {
        return Next::Failed(ExchangeError::ClientGone);
    };
    reply.body.set_length(head.framing().length());
    if storing.is_err() {
        reply.body.let_go();
        if method == Method::Get {
            cx.core.cache.mark_unshared(fetch.ticket, now.mono);
        }
    }
    let origin = fetch.connection.map(|connection| connection.address);
    let answer = Answer {
        status,
        head: fields,
        framing: head.framing(),
        freshness: Freshness::of(head.fields(), status, fetch.sent_at, now),
        storing,
        origin,
    };
    reply.bring(Brought::Response(Rc::new(answer)), cx.reactor);
    Next::Go(Step::Content)
}

fn may_store(fetch: &Fetch, head: &ResponseHead, cx: &FetchCx<'_>) -> Result<Selection, NotStored> {
    let request = &fetch.order.request;
    if !cx.core.cache.is_on() {
        return Err(NotStored::Off);
    }
    cache::may_store(request, head, cx.reactor.now())?;
    if !cx.core.cache.has_room_for(head.framing().length()) {
        return Err(NotStored::TooLarge);
    }
    Selection::of(head.fields(), request.fields()).ok_or(NotStored::VaryAll)
}

/// The stored response holds: what the origin said about it is taken over (RFC 9111 §4.3.4).
fn still_valid(
    fetch: &mut Fetch,
    object: &Object,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Next {
    let now = cx.reactor.now();
    let brought = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    let updated = forward::updated_fields(object, &brought);
    let freshness = Freshness::of(&updated, object.status, fetch.sent_at, now);
    let object = Arc::new(Object {
        status: object.status,
        head: updated,
        content: object.content.clone(),
        freshness,
        selection: object.selection.clone(),
    });
    cx.core.cache.complete(fetch.ticket, &object);
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        reply.bring(Brought::Stored(object), cx.reactor);
    }
    Next::Go(Step::Content)
}

/// The origin speaks WebSocket from here on; whoever asked for that takes the connection.
fn switch(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    if !forward::asks_for_websocket(&fetch.order.request) || !hop::is_websocket(head.fields()) {
        return Next::Failed(ExchangeError::UnaskedUpgrade);
    }
    let now = cx.reactor.now();
    let fields = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    let Some(connection) = fetch.connection.take() else {
        return Next::Failed(ExchangeError::OriginGone);
    };
    let rest = std::mem::take(&mut fetch.input).into_rest();
    let Some(reply) = cx.core.replies.get_mut(fetch.reply) else {
        cx.reactor.close(connection.io);
        return Next::Failed(ExchangeError::ClientGone);
    };
    reply.switched = Some((connection, rest));
    reply.bring(Brought::Switched(Rc::new(fields)), cx.reactor);
    Next::Done
}
