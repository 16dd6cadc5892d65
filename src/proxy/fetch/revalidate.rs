//! Effects of a response on stored responses: the origin confirms, updates or invalidates them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cache::{self, NotStored, Object, Storable};
use crate::http::cond::Validators;
use crate::http::{Method, Name, ResponseHead, Status, reference};
use crate::proxy::transfer::pending_response::FetchResult;

use super::attempt::Received;
use super::context::FetchCx;
use super::rewrite_response;
use super::state::Fetch;
use super::step::AfterHead;

/// Takes a 304: publishes the stored response that the 304 names, updated by its fields (RFC 9111
/// §4.3.4). Updated, that response may not be shared any more. A 304 that names no stored response
/// says nothing about them: they are forgotten, and the client's own request is sent.
pub(super) fn confirm(
    fetch: &mut Fetch,
    received: Received<'_>,
    stored: &[Arc<Object>],
    cx: &mut FetchCx<'_>,
) -> AfterHead {
    let head = received.head;
    let names_one = stored.len() == 1 || head.fields().has(Name::ETag);
    let matches = |object: &&Arc<Object>| Validators::of(&object.head).are_those_of(head.fields());
    let Some(object) = stored.iter().find(matches).filter(|_| names_one) else {
        cx.shared.cache.forget(&fetch.request.key);
        return AfterHead::AskAgain;
    };
    let (object, storable) = updated(fetch, received, object, cx);
    let shared = storable.as_ref().is_ok_and(|storable| !storable.withholds);
    let object = if storable.is_ok() {
        cx.shared.cache.complete(fetch.ticket, object)
    } else {
        cx.shared.cache.abandon(fetch.ticket);
        cx.shared.cache.forget(&fetch.request.key);
        object
    };
    let response = fetch.response(&mut cx.shared.responses);
    response.publish(FetchResult::Stored { object, shared }, cx.reactor);
    AfterHead::Content
}

/// Returns a stored response with the fields of a newer head, and how the updated response may be
/// stored, or why it may not.
pub(super) fn updated(
    fetch: &mut Fetch,
    received: Received<'_>,
    object: &Object,
    cx: &FetchCx<'_>,
) -> (Arc<Object>, Result<Storable, NotStored>) {
    let now = cx.reactor.now();
    let newer =
        rewrite_response::response_fields(received.head, &fetch.request, &cx.shared.settings, now);
    let updated = rewrite_response::updated_fields(&object.head, &newer);
    let (status, sent) = (object.status, received.sent_at);
    let storable = fetch.request.ask_cache(
        (status, &updated),
        sent,
        &cx.shared.settings,
        now,
        |request, response| {
            let storable = cache::still_storable(request, &response)?;
            let selection = object.selection.kept_for(storable.selection, request);
            Ok(Storable { selection, ..storable })
        },
    );
    (Arc::new(object.updated(updated, storable.clone().ok())), storable)
}

/// Updates the stored response from the response to a HEAD, which has the fields that the response
/// to a GET would have (RFC 9111 §4.3.5). A stored response that differs is forgotten.
pub(super) fn freshen_by_head(fetch: &mut Fetch, received: Received<'_>, cx: &mut FetchCx<'_>) {
    let (request, head) = (&mut fetch.request, received.head);
    let asks = request.head.method() == Method::Head && !request.head.body_length().has_content();
    if !asks || head.status() != Status::OK {
        return;
    }
    let stored = cx.shared.cache.stored_for(&request.key, &mut request.presented);
    let Some(object) = stored else { return };
    let lengths = [&object.head, head.fields()].map(|fields| fields.only(Name::ContentLength));
    let same_length = lengths[1].is_none() || lengths[0] == lengths[1];
    if same_length && Validators::of(&object.head).are_those_of(head.fields()) {
        let (object, storable) = updated(fetch, received, &object, cx);
        if storable.is_ok() {
            cx.shared.cache.update(&fetch.request.key, &object);
            return;
        }
    }
    cx.shared.cache.forget(&fetch.request.key);
}

/// Invalidates stored responses after an unsafe request has succeeded (RFC 9111 §4.4): those of its
/// URI, those of the URIs that the response names by `Location` and `Content-Location`, if they are
/// of the same origin, and those of the groups that the response names (RFC 9875 §3).
pub(super) fn invalidate(fetch: &Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) {
    let status = head.status();
    if fetch.request.head.method().is_safe() || !(status.is_success() || status.is_redirection()) {
        return;
    }
    let cache = &mut cx.shared.cache;
    let route = &fetch.request.route;
    for key in route.keys_of(cache.keys(), &route.uri) {
        cache.invalidate(&key, fetch.ticket);
    }
    let (base, origin) = (&*fetch.request.route.uri, fetch.request.route.root());
    let mapping = rewrite_response::mapping_of(&fetch.request);
    for name in [Name::Location, Name::ContentLocation] {
        // The cache knows resources by the URIs that clients use.
        let value = head.fields().only(name).map(|value| {
            let mapped = mapping.as_ref().and_then(|mapping| mapping.location(value));
            mapped.map_or(Cow::Borrowed(value), Cow::Owned)
        });
        let value = value.as_ref().and_then(|value| std::str::from_utf8(value).ok());
        let named = value.and_then(|value| reference::resolve(base, value));
        let is_same_origin =
            |uri: &String| uri.strip_prefix(origin).is_some_and(|path| path.starts_with('/'));
        if let Some(uri) = named.filter(is_same_origin) {
            let uri = Arc::from(uri);
            for key in route.keys_of(cache.keys(), &uri) {
                cache.invalidate(&key, fetch.ticket);
            }
        }
    }
    let groups = cache::invalidated_groups(head.fields());
    cx.shared.cache.invalidate_groups(origin, &groups, fetch.ticket);
}
