//! End: what has come whole is stored, and the connection kept for the next.

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
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        response.body.finish(State::Complete(None), cx.reactor); // unless its content has done so
    }
    store(fetch, |_| true, cx);
    return_connection(fetch, cx);
    fetch.let_go(cx);
}

/// Gives the connection back to the pool if it can carry another request. Bytes behind the response
/// that no request asked for say that its origin cannot be relied on; empty lines alone do not.
fn return_connection(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    let settings = Arc::clone(&cx.shared.settings);
    let (limits, FetchRequest { route, key, .. }) = (&settings.limits, &fetch.request);
    let surplus = fetch.input.unread();
    if surplus.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
        suspect_origin(fetch, Some(key.clone()), cx);
    } else if fetch.codec.is_reusable()
        && surplus.is_empty()
        && fetch.has_sent_request()
        && !cx.shared.draining
        && let Some(connection) = fetch.connection.take()
    {
        let returned = Returned {
            connection,
            origin: route.origin.clone(),
            last: key.clone(),
            announced: fetch.codec.has_announced_content(),
        };
        cx.shared.pool.put(returned, limits, cx.reactor);
    }
    cx.shared.forget_doubtful();
}

/// Takes note that the origin has sent bytes no request asked for, behind the response `last` if that
/// is known.
pub(super) fn suspect_origin(fetch: &Fetch, last: Option<CacheKey>, cx: &mut FetchCx<'_>) {
    let settings = Arc::clone(&cx.shared.settings);
    cx.shared.pool.suspect(&fetch.request.route.origin, last, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
}

/// Stores what has come of a response that nobody waits for any more, if that can be completed
/// (RFC 9111 §3.3).
pub(super) fn store_part(fetch: &Fetch, cx: &mut FetchCx<'_>) {
    let completable = |object: &Object| {
        fetch.request.head.method() == Method::Get
            && object.status == Status::OK
            && !object.content.parts().is_empty()
            && Validators::of(&object.head).are_strong()
    };
    store(fetch, completable, cx);
}

/// Ends a fetch for the cache, which gets what was kept if it is `wanted`.
fn store(fetch: &Fetch, wanted: impl FnOnce(&Object) -> bool, cx: &mut FetchCx<'_>) {
    let response = cx.shared.responses.get_mut(fetch.response);
    let object = response.and_then(|response| {
        response.object = to_store(response).filter(wanted).map(Arc::new);
        response.object.clone()
    });
    cx.shared.account(fetch.response);
    let Some(object) = object else { return cx.shared.cache.abandon(fetch.ticket) };
    let stored = cx.shared.cache.complete(fetch.ticket, object);
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        response.object = Some(stored);
    }
}

/// The object to store, if the response was for storing, all that came of it was kept, and it is known
/// how long it is.
fn to_store(response: &mut PendingResponse) -> Option<Object> {
    let Some(FetchResult::Response(answer)) = response.result.clone() else { return None };
    let storable = answer.storing.clone().ok()?;
    if response.body.retain() == Retention::Window {
        return None;
    }
    let complete = matches!(response.body.state(), State::Complete(_));
    let content = response.body.content();
    let length = answer.framing.length().or(complete.then_some(content.end()))?;
    let head = rewrite_response::stored_fields(&answer.head, answer.status, length);
    let object = Object::new(answer.status, head, Extents::of(content, length), storable);
    let from = answer.origin.map(|origin| origin.ip());
    // Parts from an internal address are never merged with parts from another address, even if their
    // validators match: a name may resolve to an internal network first, and later to an attacker who
    // waits to supply the rest.
    let no_merge = from.is_some_and(|address| AddressClass::of(address).is_internal());
    Some(object.fetched_from(from, no_merge))
}
