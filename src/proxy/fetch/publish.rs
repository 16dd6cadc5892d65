//! Publishing a response head to the readers of a fetch.

use crate::http::Method;
use crate::proxy::transfer::pending_response::ResponseMeta;

use super::context::FetchCx;
use super::state::Fetch;

/// Publishes the head of a response whose content follows.
pub(super) fn publish(fetch: &Fetch, meta: ResponseMeta, cx: &mut FetchCx<'_>) {
    let now = cx.reactor.now().mono;
    if let Ok(storable) = &meta.storing {
        cx.shared.cache.selected(fetch.ticket, &storable.selection);
    }
    let may_wait = meta.storing.as_ref().is_ok_and(|storable| storable.answers_some(now));
    if !may_wait && fetch.request.head.method() == Method::Get {
        cx.shared.cache.mark_hit_for_miss(fetch.ticket, now);
    }
    fetch.response(&mut cx.shared.responses).begin(meta, cx.reactor);
}
