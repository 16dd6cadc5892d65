//! Results of the steps of a fetch.

use crate::proxy::error::ExchangeError;

use super::state::State;

/// Result of a step: the state of the fetch, and what the drive loop does with it.
#[derive(Debug)]
pub(super) enum Next {
    /// The step of this state follows.
    Go(State),
    /// The fetch waits in this state until it is driven again.
    Park(State),
    /// The response is complete.
    Done(State),
    /// The fetch has failed in this state.
    Fail(State, ExchangeError),
}

/// Use of a response, which its head decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterHead {
    /// The content follows, for the readers or for the cache.
    Content,
    /// The response is discarded, and another request is sent.
    AskAgain,
}

/// Result of receiving content to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterContent {
    /// The readers have the whole response.
    Done,
    /// Another gap is to be filled by another request.
    AskAgain,
}
