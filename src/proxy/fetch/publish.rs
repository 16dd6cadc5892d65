//! Publishing a response head to the readers of a fetch.

use std::rc::Rc;

use crate::http::Method;
use crate::proxy::transfer::pending_response::{FetchResult, ResponseMeta};

use super::context::FetchCx;
use super::state::Fetch;

/// Publishes the head of a response whose content follows.
pub(super) fn publish(fetch: &Fetch, meta: ResponseMeta, cx: &mut FetchCx<'_>) {
    let now = cx.reactor.now().mono;
    let response = fetch.response(&mut cx.shared.responses);
    if let Some(part) = meta.part {
        response.body.begin_at(part.first);
    }
    let end = meta.part.map(|part| part.end);
    response.body.set_length(end.or(meta.framing.length()));
    match &meta.storing {
        Ok(storable) => cx.shared.cache.selected(fetch.ticket, &storable.selection),
        Err(_) => response.body.stop_retaining(),
    }
    let may_wait = meta.storing.as_ref().is_ok_and(|storable| storable.answers_some(now));
    if !may_wait && fetch.request.head.method() == Method::Get {
        cx.shared.cache.mark_hit_for_miss(fetch.ticket, now);
    }
    response.publish(FetchResult::Response(Rc::new(meta)), cx.reactor);
}
