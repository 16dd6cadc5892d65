//! The loop that drives a fetch through its steps, and the second attempt.

use crate::cache::OriginFailure;
use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body::{Retention, State};
use crate::reactor::Wake;

use super::RangeFill;
use super::context::FetchCx;
use super::state::Fetch;
use super::step::{Next, Step};

impl Fetch {
    /// Goes from step to step until something has to happen first; false once it is over.
    pub(crate) fn drive(&mut self, cx: &mut FetchCx<'_>) -> bool {
        if !self.is_wanted(cx) {
            self.fail(&ExchangeError::ClientGone, cx);
            return false;
        }
        loop {
            let next = match self.step {
                Step::Gather => super::gather(self, cx),
                Step::Acquire => super::acquire(self, cx),
                Step::Send => super::send(self, cx),
                Step::Head => super::head(self, cx),
                Step::Content => super::content(self, cx),
            };
            let next = match next {
                Next::Park if self.is_late(cx) => Next::Failed(ExchangeError::OriginTimeout),
                next => next,
            };
            match next {
                Next::Go(step) => self.step = step,
                Next::Park => break,
                Next::Done => {
                    super::end(self, cx);
                    return false;
                }
                Next::Failed(error) => {
                    let stray = self.has_read_stray(&error);
                    if stray {
                        super::suspect_origin(self, None, cx);
                    }
                    if !(stray || self.is_lost(&error)) || !self.may_send_again(cx) {
                        self.fail(&error, cx);
                        return false;
                    }
                    self.try_again(cx);
                }
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        if cx.budget.is_spent() {
            cx.reactor.wake(self.token());
        }
        cx.reactor.set_deadline(self.token(), self.next_deadline());
        true
    }

    /// Ends it badly: every reader sees that. Nothing of it is stored unless only the readers failed.
    pub(crate) fn fail(&mut self, error: &ExchangeError, cx: &mut FetchCx<'_>) {
        match error {
            ExchangeError::ClientGone => super::store_part(self, cx),
            _ => cx.shared.cache.abandon(self.ticket),
        }
        if error.is_response_failure() {
            self.request.fill.iter().for_each(RangeFill::fail);
        }
        let unreachable = error.is_origin_failure() || matches!(error, ExchangeError::Overloaded);
        if unreachable && !self.has_result(cx) {
            self.falls_back(OriginFailure::Unreachable, cx);
        }
        if let Some(response) = cx.shared.responses.get_mut(self.response) {
            response.body.finish(State::Failed(error.clone()), cx.reactor);
            response.body.stop_retaining(); // who reads yet gets what came before
        }
        cx.shared.account(self.response);
        self.let_go(cx);
    }

    /// Whether somebody reads, or what is left is little enough to be stored for those to come, and
    /// comes soon.
    fn is_wanted(&mut self, cx: &FetchCx<'_>) -> bool {
        let Some(response) = cx.shared.responses.get(self.response) else { return false };
        let for_the_cache = self.request.background && response.body.retain() == Retention::Full;
        if for_the_cache || response.body.has_readers() {
            self.timers.stop(FetchTimer::Unread);
            return true;
        }
        let limits = &cx.shared.settings.limits;
        let now = cx.reactor.now().mono;
        self.timers.start(FetchTimer::Unread, now + limits.finish_timeout);
        let left = response.body.length().map(|length| length - response.body.end());
        !self.timers.expires(FetchTimer::Unread, now)
            && response.result.is_some()
            && response.body.retain() == Retention::Full
            && left.is_some_and(|left| left <= limits.finish.0)
    }

    /// Returns true if the request has gone out on a connection that was used before, was not answered,
    /// and does no harm if it is sent twice (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Its content goes back
    /// to its beginning then.
    pub(super) fn may_send_again(&self, cx: &mut FetchCx<'_>) -> bool {
        self.is_reused()
            && matches!(self.step, Step::Send | Step::Head)
            && self.interims == 0
            && !self.has_result(cx)
            && !self.tried_again
            && self.request.head.method().is_idempotent()
            && self.rewind_upload(cx)
    }

    fn rewind_upload(&self, cx: &mut FetchCx<'_>) -> bool {
        match (self.request.upload, self.reader) {
            (Some(upload), Some(reader)) => {
                cx.shared.uploads.get_mut(upload).is_some_and(|body| body.rewind(reader))
            }
            (None, _) => true,
            (Some(_), None) => false,
        }
    }

    /// Begins again on a new connection.
    pub(super) fn try_again(&mut self, cx: &mut FetchCx<'_>) {
        self.drop_connection(cx);
        let unread = self.input.unread().len();
        self.input.consume(unread);
        self.tried_again = true;
        self.restart();
        self.step = Step::Acquire;
    }
}
