//! End: what has come whole is stored, and the connection kept for the next.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::AddressClass;
use crate::cache::{CacheKey, Extents, Object};
use crate::http::cond::Validators;
use crate::http::{Method, Status};
use crate::proxy::origin::pool::Returned;
use crate::proxy::transfer::body::{Retention, State};
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};

use super::context::FetchCx;
use super::request::FetchRequest;
use super::rewrite_response;
use super::state::Fetch;

/// Ends a fetch whose response is complete.
pub(super) fn end(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        reply.body.finish(State::Complete(None), cx.reactor); // unless its content has done so
    }
    store(fetch, |_| true, cx);
    return_connection(fetch, cx);
    fetch.let_go(cx);
}

/// Gives the connection back to the pool if it can carry another request. Bytes behind the response
/// that no request asked for say that its origin cannot be relied on; empty lines alone do not.
fn return_connection(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    let settings = Arc::clone(&cx.core.settings);
    let (limits, FetchRequest { route, key, .. }) = (&settings.limits, &fetch.order);
    let surplus = fetch.input.unread();
    if surplus.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
        suspect_origin(fetch, Some(key.clone()), cx);
    } else if fetch.codec.is_reusable()
        && surplus.is_empty()
        && fetch.has_sent_request()
        && !cx.core.draining
        && let Some(connection) = fetch.connection.take()
    {
        let returned = Returned {
            connection,
            origin: route.origin.clone(),
            last: key.clone(),
            announced: fetch.codec.has_announced_content(),
        };
        cx.core.pool.put(returned, limits, cx.reactor);
    }
    cx.core.forget_doubtful();
}

/// Takes note that the origin has sent bytes no request asked for, behind the response `last` if that
/// is known.
pub(super) fn suspect_origin(fetch: &Fetch, last: Option<CacheKey>, cx: &mut FetchCx<'_>) {
    let settings = Arc::clone(&cx.core.settings);
    cx.core.pool.suspect(&fetch.order.route.origin, last, &settings.limits, cx.reactor);
    cx.core.forget_doubtful();
}

/// Stores what has come of a response that nobody waits for any more, if that can be completed
/// (RFC 9111 §3.3).
pub(super) fn store_part(fetch: &Fetch, cx: &mut FetchCx<'_>) {
    let completable = |object: &Object| {
        fetch.order.head.method() == Method::Get
            && object.status == Status::OK
            && !object.content.parts().is_empty()
            && Validators::of(&object.head).are_strong()
    };
    store(fetch, completable, cx);
}

/// Ends a fetch for the cache, which gets what was kept if it is `wanted`.
fn store(fetch: &Fetch, wanted: impl FnOnce(&Object) -> bool, cx: &mut FetchCx<'_>) {
    let reply = cx.core.replies.get_mut(fetch.reply);
    let object = reply.and_then(|reply| {
        reply.object = to_store(reply).filter(wanted).map(Arc::new);
        reply.object.clone()
    });
    cx.core.count(fetch.reply);
    let Some(object) = object else { return cx.core.cache.abandon(fetch.ticket) };
    let stored = cx.core.cache.complete(fetch.ticket, object);
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        reply.object = Some(stored);
    }
}

/// The object to store, if the response was for storing, all that came of it was kept, and it is known
/// how long it is.
fn to_store(reply: &mut PendingResponse) -> Option<Object> {
    let Some(FetchResult::Response(answer)) = reply.result.clone() else { return None };
    let storable = answer.storing.clone().ok()?;
    if reply.body.retain() == Retention::Window {
        return None;
    }
    let complete = matches!(reply.body.state(), State::Complete(_));
    let content = reply.body.content();
    let length = answer.framing.length().or(complete.then_some(content.end()))?;
    let head = rewrite_response::stored_fields(&answer.head, answer.status, length);
    let object = Object::new(answer.status, head, Extents::of(content, length), storable);
    let from = answer.origin.map(|origin| origin.ip());
    Some(object.fetched_from(from, from.is_some_and(is_internal)))
}

/// Whether what comes from an address stands beside nothing from another, however alike they say they
/// are: a name may have led to an internal network, and then to where somebody waits for the rest.
pub(super) fn is_internal(address: IpAddr) -> bool {
    AddressClass::of(address) != AddressClass::Global
}
