//! Further attempts of a fetch: the same request once more, or another request.

use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimers;

use super::attempt::Attempt;
use super::context::FetchCx;
use super::finish::suspect_origin;
use super::state::{Fetch, Retry, State};

/// A failed request that is not sent again.
#[derive(Debug)]
pub(super) struct NoRetry {
    /// The state in which the fetch fails.
    pub(super) state: Box<State>,
    /// The error to report in place of the failure, if that says more.
    pub(super) error: Option<ExchangeError>,
}

impl NoRetry {
    pub(super) fn of(state: State) -> Self {
        Self { state: Box::new(state), error: None }
    }
}

impl Fetch {
    /// Returns the state of a second attempt if the request was lost on a reused connection, or of an
    /// attempt at another member of the group. Otherwise returns the state in which the fetch fails, with
    /// another error if that says more.
    pub(super) fn retry(
        &mut self,
        state: State,
        error: &ExchangeError,
        cx: &mut FetchCx<'_>,
    ) -> Result<State, NoRetry> {
        let State::Head(attempt) = state else { return self.fail_over(state, error, cx) };
        // The origin closed the idle connection, perhaps by an alert of TLS.
        let is_lost = matches!(error, ExchangeError::OriginGone | ExchangeError::Tls(_))
            && attempt.input.is_empty();
        // Bytes that followed an earlier response stand before the response's head.
        let is_stray = matches!(error, ExchangeError::BadResponse(_))
            && attempt.connection.reused
            && self.interims.count == 0;
        if is_stray {
            suspect_origin(self, None, cx);
        }
        if (is_lost || is_stray) && self.may_retry(&attempt, cx) {
            return Ok(self.send_again(attempt, cx));
        }
        self.fail_over(State::Head(attempt), error, cx)
    }

    /// Returns true if the request was sent on a reused connection, has no response, and may be
    /// sent twice without harm (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Its content is then read from
    /// the start again.
    pub(super) fn may_retry(&self, attempt: &Attempt, cx: &mut FetchCx<'_>) -> bool {
        attempt.connection.reused
            && self.interims.count == 0
            && !self.has_result(cx)
            && self.retry == Retry::Available
            && self.request.head.method().is_idempotent()
            && self.rewind_upload(cx)
    }

    /// Returns true if the request's content is at hand from the start.
    pub(super) fn keeps_upload(&self, cx: &mut FetchCx<'_>) -> bool {
        self.upload.is_none_or(|upload| upload.body(&mut cx.shared.uploads).keeps_start())
    }

    /// Reads the request's content from the start again; returns false if the start is not kept.
    pub(super) fn rewind_upload(&self, cx: &mut FetchCx<'_>) -> bool {
        self.upload.is_none_or(|upload| upload.body(&mut cx.shared.uploads).rewind(upload.reader))
    }

    /// Sends the same request once more, on a new connection.
    pub(super) fn send_again(&mut self, attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> State {
        self.retry = Retry::Spent;
        attempt.release(cx);
        self.begin_attempt(None)
    }

    /// Sends another request, on the same connection if that can carry one.
    pub(super) fn ask_again(&mut self, mut attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> State {
        if attempt.can_be_reset(&cx.shared.heads) {
            return self.begin_attempt(Some(attempt));
        }
        attempt.release(cx);
        self.begin_attempt(None)
    }

    /// Begins another attempt, on the connection of the one before or on another one.
    fn begin_attempt(&mut self, connected: Option<Box<Attempt>>) -> State {
        self.timers = FetchTimers::default();
        match connected {
            Some(mut attempt) => {
                attempt.reset(self.request.head.method(), self.upload);
                State::Send(attempt)
            }
            None => State::Acquire(None),
        }
    }
}
