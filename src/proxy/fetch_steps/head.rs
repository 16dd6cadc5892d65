//! Head: the response's head comes, and what becomes of the response is decided, once.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::cache::{self, NotStored, Object, Response, Storable};
use crate::http::cond::Validators;
use crate::http::{Framing, FromOrigin, Method, Name, ResponseHead, Status, hop, reference};

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
                fetch.await_answer(cx);
                return Next::Park;
            }
            Poll::Ready(Ok(n)) if n > 0 => {
                cx.budget.spend_in(n);
                fetch.deadlines.answer = None;
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
    let limits = &cx.core.settings.limits;
    if fetch.interims > limits.interims || fetch.interim_bytes as u64 > limits.head.0 {
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
    invalidate(fetch, head, cx);
    let now = cx.reactor.now();
    let storing = storable(fetch, head, cx);
    let fields = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    let Some(reply) = cx.core.replies.get_mut(fetch.reply) else {
        return Next::Failed(ExchangeError::ClientGone);
    };
    reply.body.set_length(head.framing().length());
    if storing.is_err() {
        reply.body.let_go();
    }
    let may_wait = storing.as_ref().is_ok_and(|storable| storable.answers_some(now.mono));
    if !may_wait && fetch.order.request.method() == Method::Get {
        cx.core.cache.mark_unshared(fetch.ticket, now.mono);
    }
    let origin = fetch.connection.map(|connection| connection.address);
    let (status, framing) = (head.status(), head.framing());
    let answer = Answer { status, head: fields, framing, storing, origin };
    reply.bring(Brought::Response(Rc::new(answer)), cx.reactor);
    Next::Go(Step::Content)
}

/// RFC 9111 §4.4: an unsafe request that has succeeded changes its URI's resource, and those its
/// response names by `Location` and `Content-Location`, if they are of the same origin.
fn invalidate(fetch: &Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) {
    let status = head.status();
    if fetch.order.request.method().is_safe() || !(status.is_success() || status.is_redirection()) {
        return;
    }
    let cache = &mut cx.core.cache;
    cache.invalidate(&fetch.order.key);
    let (base, origin) = (&*fetch.order.route.uri, fetch.order.route.root());
    for name in [Name::Location, Name::ContentLocation] {
        let value = head.fields().only(name).and_then(|value| std::str::from_utf8(value).ok());
        let named = value.and_then(|value| reference::resolve(base, value));
        if let Some(uri) =
            named.filter(|uri| uri.strip_prefix(origin).is_some_and(|path| path.starts_with('/')))
        {
            let key = cache.keys().key(&uri.into());
            cache.invalidate(&key);
        }
    }
}

fn storable(fetch: &Fetch, head: &ResponseHead, cx: &FetchCx<'_>) -> Result<Storable, NotStored> {
    if !cx.core.cache.is_on() {
        return Err(NotStored::Off);
    }
    if !cx.core.cache.has_room_for(head.framing().length()) {
        return Err(NotStored::TooLarge);
    }
    if cx.core.settings.reverse.is_some() && forward::varies_by_client(head.fields()) {
        return Err(NotStored::VaryAll);
    }
    let response = Response {
        status: head.status(),
        fields: head.fields(),
        is_coded: head.fields().has(Name::TransferEncoding) && head.framing() == Framing::Close,
        sent: fetch.sent_at,
        now: cx.reactor.now(),
    };
    cache::storable(&fetch.order.request, &response)
}

/// The stored response holds: what the origin said about it is taken over (RFC 9111 §4.3.4). With
/// that it may no longer be for everybody.
fn still_valid(
    fetch: &mut Fetch,
    object: &Object,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Next {
    if !Validators::of(&object.head).are_those_of(head.fields()) {
        return ask_for_the_whole(fetch, cx);
    }
    let now = cx.reactor.now();
    let brought = forward::response_fields(head, &fetch.order.route, &cx.core.settings, now);
    let updated = forward::updated_fields(object, &brought);
    let response = Response {
        status: object.status,
        fields: &updated,
        is_coded: false,
        sent: fetch.sent_at,
        now,
    };
    let storable = cache::still_storable(&fetch.order.request, &response).ok();
    let shared = storable.as_ref().is_some_and(|storable| !storable.withholds);
    let (freshness, selection) = match &storable {
        Some(storable) => (storable.freshness, storable.selection.clone()),
        None => (object.freshness, object.selection.clone()),
    };
    let content = object.content.clone();
    let object = Object { status: object.status, head: updated, content, freshness, selection };
    let object = Arc::new(object);
    if storable.is_some() {
        cx.core.cache.complete(fetch.ticket, &object);
    } else {
        cx.core.cache.abandon(fetch.ticket);
        cx.core.cache.forget(&fetch.order.key);
    }
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        reply.bring(Brought::Stored { object, shared }, cx.reactor);
    }
    Next::Go(Step::Content)
}

/// A 304 about another representation than the one that is stored says nothing of that: it is asked
/// for anew, as the client did.
fn ask_for_the_whole(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    cx.core.cache.forget(&fetch.order.key);
    let ended = fetch.codec.decode(fetch.input.unread(), &cx.core.heads); // it has no content
    let kept = ended.is_ok() && fetch.codec.is_reusable() && fetch.input.is_empty();
    if !kept {
        fetch.drop_connection(cx);
    }
    fetch.restart();
    Next::Go(if kept { Step::Send } else { Step::Acquire })
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
