//! End: what has come whole is stored, and the connection kept for the next.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{Extents, Object, Storable};

use super::super::body::{Retain, State};
use super::super::fetch::{Fetch, FetchCx};
use super::super::forward;
use super::super::reply::{Brought, Reply};

/// Ends a fetch whose response is complete.
pub(in super::super) fn end(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    let reply = cx.core.replies.get_mut(fetch.reply);
    let object = reply.and_then(|reply| {
        reply.body.finish(State::Complete(None), cx.reactor); // unless its content has done so
        reply.object = to_store(reply).map(Arc::new);
        reply.object.clone()
    });
    cx.core.count(fetch.reply);
    match object {
        Some(object) => {
            let stored = cx.core.cache.complete(fetch.ticket, object);
            if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
                reply.object = Some(stored);
            }
        }
        None => cx.core.cache.abandon(fetch.ticket),
    }
    let sent_whole = fetch.request_ended && fetch.output.is_empty();
    if fetch.codec.is_reusable()
        && fetch.input.is_empty()
        && sent_whole
        && !cx.core.draining
        && let Some(connection) = fetch.connection.take()
    {
        let settings = Rc::clone(&cx.core.settings);
        let origin = &fetch.order.route.origin;
        cx.core.pool.put(origin, connection, &settings.limits, cx.reactor);
    }
    fetch.let_go(cx);
}

/// The object to store, if the response was for storing and all of it was kept.
fn to_store(reply: &mut Reply) -> Option<Object> {
    let Some(Brought::Response(answer)) = reply.brought.clone() else { return None };
    let Storable { freshness, selection, tags, .. } = answer.storing.clone().ok()?;
    if reply.body.retain() == Retain::Behind {
        return None;
    }
    let content = reply.body.content();
    let length = answer.framing.length().unwrap_or(content.end());
    let content = Extents::of(content, length);
    let status = answer.status;
    let head = forward::stored_fields(&answer.head, status, length);
    Some(Object { status, head, content, freshness, selection, tags })
}
