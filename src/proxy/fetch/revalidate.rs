//! What a response means for those that are stored: they still hold, are changed, or are outdated.

use std::sync::Arc;

use crate::cache::{self, NotStored, Object, Storable};
use crate::http::cond::Validators;
use crate::http::{Method, Name, ResponseHead, Status, reference};
use crate::proxy::transfer::pending_response::FetchResult;

use super::context::FetchCx;
use super::rewrite_response;
use super::state::Fetch;
use super::step::{Next, Step};

/// A stored response holds, the one that the origin names: what it said about that is taken over
/// (RFC 9111 §4.3.4). With that it may no longer be for everybody.
pub(super) fn still_valid(
    fetch: &mut Fetch,
    stored: &[Arc<Object>],
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Next {
    let named = stored.len() == 1 || head.fields().has(Name::ETag);
    let holds = |object: &&Arc<Object>| Validators::of(&object.head).are_those_of(head.fields());
    let Some(object) = stored.iter().find(holds).filter(|_| named) else {
        return ask_for_the_whole(fetch, cx);
    };
    let (object, storable) = updated(fetch, object, head, cx);
    let shared = storable.as_ref().is_ok_and(|storable| !storable.withholds);
    let object = if storable.is_ok() {
        cx.shared.cache.complete(fetch.ticket, object)
    } else {
        cx.shared.cache.abandon(fetch.ticket);
        cx.shared.cache.forget(&fetch.request.key);
        object
    };
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        response.publish(FetchResult::Stored { object, shared }, cx.reactor);
    }
    Next::Go(Step::Content)
}

/// A 304 about another representation than the one that is stored says nothing of that: it is asked
/// for anew, as the client did.
pub(super) fn ask_for_the_whole(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    cx.shared.cache.forget(&fetch.request.key);
    ask_again(fetch, cx)
}

/// Sends another request, on the same connection if nothing is left there of the answer.
pub(super) fn ask_again(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    let ended = fetch.codec.decode(fetch.input.unread(), &cx.shared.heads); // it has no content
    let kept = ended.is_ok() && fetch.codec.is_reusable() && fetch.input.is_empty();
    if !kept {
        fetch.drop_connection(cx);
        let unread = fetch.input.unread().len();
        fetch.input.consume(unread); // it belongs to the answer that is left there
    }
    fetch.restart();
    Next::Go(if kept { Step::Send } else { Step::Acquire })
}

/// What is stored, with the fields of a newer head; and how it may be stored as such, or why not.
pub(super) fn updated(
    fetch: &mut Fetch,
    object: &Object,
    head: &ResponseHead,
    cx: &FetchCx<'_>,
) -> (Arc<Object>, Result<Storable, NotStored>) {
    let now = cx.reactor.now();
    let brought = rewrite_response::response_fields(head, &fetch.request, &cx.shared.settings, now);
    let updated = rewrite_response::updated_fields(&object.head, &brought);
    let storable = fetch.judge(object.status, &updated, cx, |request, response| {
        let storable = cache::still_storable(request, &response)?;
        let selection = object.selection.kept_for(storable.selection, request);
        Ok(Storable { selection, ..storable })
    });
    (Arc::new(object.updated(updated, storable.clone().ok())), storable)
}

/// RFC 9111 §4.3.5: a HEAD tells what a GET would bring. If that is what is stored, its fields are
/// updated, and if not, it is of no use any more.
pub(super) fn freshen_by_head(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) {
    let request = &mut fetch.request;
    let asks = request.head.method() == Method::Head && !request.head.framing().has_content();
    if !asks || head.status() != Status::OK {
        return;
    }
    let stored = cx.shared.cache.stored_for(&request.key, &mut request.presented);
    let Some(object) = stored else { return };
    let lengths = [&object.head, head.fields()].map(|fields| fields.only(Name::ContentLength));
    let same_length = lengths[1].is_none() || lengths[0] == lengths[1];
    if same_length && Validators::of(&object.head).are_those_of(head.fields()) {
        let (object, storable) = updated(fetch, &object, head, cx);
        if storable.is_ok() {
            cx.shared.cache.update(&fetch.request.key, &object);
            return;
        }
    }
    cx.shared.cache.forget(&fetch.request.key);
}

/// RFC 9111 §4.4: an unsafe request that has succeeded changes its URI's resource, and those its
/// response names by `Location` and `Content-Location`, if they are of the same origin; and its
/// groups (RFC 9875 §3).
pub(super) fn invalidate(fetch: &Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) {
    let status = head.status();
    if fetch.request.head.method().is_safe() || !(status.is_success() || status.is_redirection()) {
        return;
    }
    let cache = &mut cx.shared.cache;
    cache.invalidate(&fetch.request.key, fetch.ticket);
    let (base, origin) = (&*fetch.request.route.uri, fetch.request.route.root());
    for name in [Name::Location, Name::ContentLocation] {
        let value = head.fields().only(name).and_then(|value| std::str::from_utf8(value).ok());
        let named = value.and_then(|value| reference::resolve(base, value));
        let is_ours =
            |uri: &String| uri.strip_prefix(origin).is_some_and(|path| path.starts_with('/'));
        if let Some(uri) = named.filter(is_ours) {
            let key = cache.keys().key(&uri.into());
            cache.invalidate(&key, fetch.ticket);
        }
    }
    let groups = cache::invalidated_groups(head.fields());
    cx.shared.cache.invalidate_groups(origin, &groups, fetch.ticket);
}
