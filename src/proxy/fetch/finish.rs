//! End of a fetch: stores a complete response, and returns the connection to the pool.

use std::sync::Arc;

use crate::access::AddressClass;
use crate::cache::{CacheKey, Extents, Object};
use crate::http::cond::Validators;
use crate::http::{Method, Status};
use crate::proxy::origin::pool::Returned;
use crate::proxy::routing::route::Origin;
use crate::proxy::transfer::body::{self, Retention};
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};

use super::attempt::Attempt;
use super::context::FetchCx;
use super::rewrite_response;
use super::state::{Fetch, State};

/// Ends a fetch whose response is complete.
pub(super) fn end(fetch: &mut Fetch, state: State, cx: &mut FetchCx<'_>) {
    fetch.response(&mut cx.shared.responses).finish(None, cx.reactor); // unless its content has
    store(fetch, |_| true, cx);
    let state = match state {
        State::Content(attempt) => return_connection(fetch, attempt, cx),
        state => state,
    };
    fetch.release(state, cx);
}

/// Returns the connection to the pool if it can carry another request. Bytes that follow the
/// response, without a request for them, show that the origin cannot be relied on; empty lines alone
/// do not. Returns the state that is left to be released.
fn return_connection(fetch: &Fetch, mut attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> State {
    let surplus = attempt.input.unread();
    if surplus.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
        suspect_origin(fetch, Some(fetch.request.key.clone()), cx);
    }
    let reusable = attempt.codec.is_reusable() && surplus.is_empty() && attempt.has_sent_request();
    let may_reuse =
        |origin: &&Arc<Origin>| reusable && origin.proxy_protocol.is_none() && !cx.shared.draining;
    let Some(origin) = fetch.request.origin.as_ref().filter(may_reuse) else {
        return State::Content(attempt);
    };
    let settings = Arc::clone(&cx.shared.settings);
    let returned = Returned {
        connection: attempt.connection,
        origin: origin.key.clone(),
        last: fetch.request.key.clone(),
        announced: attempt.codec.has_announced_content(),
    };
    cx.shared.origins.pool.put(returned, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
    attempt.input.release(&mut cx.shared.buffers);
    State::Finished
}

/// Records that the origin has sent bytes without a request for them, behind the response `last` if
/// that is known.
pub(super) fn suspect_origin(fetch: &Fetch, last: Option<CacheKey>, cx: &mut FetchCx<'_>) {
    let settings = Arc::clone(&cx.shared.settings);
    let Some(origin) = &fetch.request.origin else { return };
    cx.shared.origins.pool.suspect(&origin.key, last, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
}

/// Stores the content received so far, if the rest can be requested later (RFC 9111 §3.3). No client
/// waits for the response any more.
pub(super) fn store_part(fetch: &Fetch, cx: &mut FetchCx<'_>) {
    let completable = |object: &Object| {
        fetch.request.head.method() == Method::Get
            && object.status == Status::OK
            && !object.content.parts().is_empty()
            && Validators::of(&object.head).are_strong()
    };
    store(fetch, completable, cx);
}

/// Ends the fetch for the cache, which stores the content that was kept if it is `wanted`.
fn store(fetch: &Fetch, wanted: impl FnOnce(&Object) -> bool, cx: &mut FetchCx<'_>) {
    let response = fetch.response(&mut cx.shared.responses);
    let object = to_store(response).filter(wanted).map(Arc::new);
    response.object = object.clone();
    cx.shared.account(fetch.response);
    let Some(object) = object else { return cx.shared.cache.abandon(fetch.ticket) };
    let stored = cx.shared.cache.complete(fetch.ticket, object);
    fetch.response(&mut cx.shared.responses).object = Some(stored);
}

/// Returns the object to store, if the response may be stored, all of its content received so far was
/// kept, and its length is known.
fn to_store(response: &mut PendingResponse) -> Option<Object> {
    let Some(FetchResult::Response(meta)) = response.result.clone() else { return None };
    let storable = meta.storing.clone().ok()?;
    if response.body.retention() == Retention::Window {
        return None;
    }
    let complete = matches!(response.body.state(), body::State::Complete(_));
    let content = response.body.content();
    let length = meta.body_length.known().or(complete.then_some(content.end()))?;
    let head = rewrite_response::stored_fields(&meta.head, meta.status, length);
    let object = Object::new(meta.status, head, Extents::of(content, length), storable);
    let address = meta.origin.map(|origin| origin.ip());
    // Parts from an internal address are never merged with parts from another address, even if their
    // validators match: a name may resolve to an internal network first, and later to an attacker who
    // waits to supply the rest.
    let no_merge = address.is_some_and(|address| AddressClass::of(address).is_internal());
    Some(object.fetched_from(address, no_merge))
}
