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
    let Some(response) = cx.shared.responses.get_mut(fetch.response) else {
        return Next::Failed(ExchangeError::ClientGone);
    };
    if let Some(part) = answer.part {
        response.body.begin_at(part.first);
    }
    let end = answer.part.map(|part| part.end);
    response.body.set_length(end.or(answer.framing.length()));
    match &answer.storing {
        Ok(storable) => cx.shared.cache.selected(fetch.ticket, &storable.selection),
        Err(_) => response.body.stop_retaining(),
    }
    let may_wait = answer.storing.as_ref().is_ok_and(|storable| storable.answers_some(now));
    if !may_wait && fetch.request.head.method() == Method::Get {
        cx.shared.cache.mark_hit_for_miss(fetch.ticket, now);
    }
    response.publish(FetchResult::Response(Rc::new(answer)), cx.reactor);
    Next::Go(Step::Content)
}
