//! The loop that drives a fetch from state to state, and its failure.

use crate::balance::Outcome;
use crate::cache::OriginFailure;
use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body::Retention;
use crate::reactor::Wake;

use super::RangeFill;
use super::acquire::acquire;
use super::call::call;
use super::content::content;
use super::context::FetchCx;
use super::finish::{end, store_part};
use super::gather::gather;
use super::head::head;
use super::produce::produce;
use super::retry::NoRetry;
use super::send::send;
use super::state::{Fetch, State};
use super::step::Next;

impl Fetch {
    /// Runs steps until the fetch has to wait, or the budget is spent. Returns false once the fetch
    /// has ended.
    pub(crate) fn drive(&mut self, cx: &mut FetchCx<'_>) -> bool {
        let mut state = std::mem::take(&mut self.state);
        if !self.is_wanted(cx) {
            self.fail(state, &ExchangeError::ClientGone, cx);
            return false;
        }
        loop {
            match self.step(state, cx) {
                Next::Go(next) => state = next,
                Next::Park(parked) => {
                    state = parked;
                    break;
                }
                Next::Done(ended) => {
                    end(self, ended, cx);
                    return false;
                }
                Next::Fail(failed, error) => match self.retry(failed, &error, cx) {
                    Ok(again) => state = again,
                    Err(NoRetry { state: failed, error: instead }) => {
                        self.fail(*failed, instead.as_ref().unwrap_or(&error), cx);
                        return false;
                    }
                },
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        self.state = state;
        if cx.budget.is_spent() {
            cx.reactor.wake(self.token());
        }
        cx.reactor.set_deadline(self.token(), self.next_deadline());
        true
    }

    /// Runs the step of `state`.
    fn step(&mut self, state: State, cx: &mut FetchCx<'_>) -> Next {
        let next = match state {
            State::Gather(upload, attempt) => gather(self, upload, attempt, cx),
            State::Acquire(dial) => acquire(self, dial, cx),
            State::Send(attempt) => send(self, attempt, cx),
            State::Head(attempt) => head(self, attempt, cx),
            State::Content(attempt) => content(self, attempt, cx),
            State::Call(of) => call(self, of, cx),
            State::Produce(production) => produce(self, production, cx),
            State::Finished => unreachable!("a fetch that has ended is not driven"),
        };
        match next {
            Next::Park(state) => self.park(state, cx),
            next => next,
        }
    }

    /// Parks in `state`, unless the origin is late. The origin's timers count only here: bytes that
    /// were received in time are processed first, however late the loop is.
    fn park(&mut self, state: State, cx: &FetchCx<'_>) -> Next {
        let now = cx.reactor.now().mono;
        let timers = &mut self.timers;
        if timers.expires(FetchTimer::Sending, now) || timers.expires(FetchTimer::Response, now) {
            return Next::Fail(state, ExchangeError::OriginTimeout);
        }
        Next::Park(state)
    }

    /// Returns true if a client reads the response. Without a reader the fetch continues for the
    /// cache: if the fetch was begun for it, or if the rest of the response is short and is
    /// received soon.
    fn is_wanted(&mut self, cx: &mut FetchCx<'_>) -> bool {
        let response = self.response(&mut cx.shared.responses);
        let is_kept = response.body.retention() == Retention::Full;
        if response.body.has_readers() || (self.request.background && is_kept) {
            self.timers.stop(FetchTimer::Unread);
            return true;
        }
        let (limits, now) = (&cx.shared.settings.limits, cx.reactor.now().mono);
        self.timers.start(FetchTimer::Unread, now + limits.finish_timeout);
        let rest = response.body.length().map(|length| length - response.body.end());
        !self.timers.expires(FetchTimer::Unread, now)
            && response.result.is_some()
            && is_kept
            && rest.is_some_and(|rest| rest <= limits.finish.0)
    }

    /// Ends a fetch whose response no client reads, to free its connection.
    pub(crate) fn abort(&mut self, cx: &mut FetchCx<'_>) {
        let state = std::mem::take(&mut self.state);
        self.fail(state, &ExchangeError::ClientGone, cx);
    }

    /// Ends the fetch in failure, which every reader of the response learns. If
    /// the fetch ends because its readers have left, the part received may be stored.
    fn fail(&mut self, state: State, error: &ExchangeError, cx: &mut FetchCx<'_>) {
        match error {
            ExchangeError::ClientGone => store_part(self, cx),
            _ => cx.shared.cache.abandon(self.ticket),
        }
        if error.is_response_failure() {
            self.request.fill.iter().for_each(RangeFill::fail);
        }
        let unreachable = error.is_origin_failure() || error.is_overload();
        if unreachable && !self.has_result(cx) {
            self.publish_fallback(OriginFailure::Unreachable, cx);
        }
        self.response(&mut cx.shared.responses).fail(error.clone(), cx.reactor);
        cx.shared.account(self.response);
        let failure = self.failure_of(error, cx);
        let outcome = self.outcome.take().or(failure);
        self.leave_place(outcome, cx);
        self.release(state, cx);
    }

    /// Releases all that the fetch owns or is attached to.
    pub(super) fn release(&mut self, state: State, cx: &mut FetchCx<'_>) {
        state.release(cx);
        cx.shared.memory.count(&mut self.held, 0);
        let outcome = self.outcome.take().unwrap_or(Outcome::Success);
        self.leave_place(Some(outcome), cx);
        self.leave_upload(cx);
        cx.shared.release_response(self.response, cx.reactor);
    }
}
