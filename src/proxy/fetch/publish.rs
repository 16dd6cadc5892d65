//! Publishing an answer to the readers of a fetch.

use std::rc::Rc;

use crate::http::Method;
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::pending_response::{FetchResult, ResponseMeta};

use super::context::FetchCx;
use super::state::Fetch;
use super::step::{Next, Step};

/// Has those who wait go on with an answer whose content follows.
pub(super) fn publish(fetch: &Fetch, answer: ResponseMeta, cx: &mut FetchCx<'_>) -> Next {
    let now = cx.reactor.now().mono;
    let Some(reply) = cx.core.replies.get_mut(fetch.reply) else {
        return Next::Failed(ExchangeError::ClientGone);
    };
    if let Some(part) = answer.part {
        reply.body.begin_at(part.first);
    }
    let end = answer.part.map(|part| part.end);
    reply.body.set_length(end.or(answer.framing.length()));
    match &answer.storing {
        Ok(storable) => cx.core.cache.selected(fetch.ticket, &storable.selection),
        Err(_) => reply.body.stop_retaining(),
    }
    let may_wait = answer.storing.as_ref().is_ok_and(|storable| storable.answers_some(now));
    if !may_wait && fetch.order.head.method() == Method::Get {
        cx.core.cache.mark_hit_for_miss(fetch.ticket, now);
    }
    reply.publish(FetchResult::Response(Rc::new(answer)), cx.reactor);
    Next::Go(Step::Content)
}
