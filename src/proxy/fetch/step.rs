//! Steps of a fetch, and the results that they return.

use crate::proxy::error::ExchangeError;

/// Where a fetch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The request's content is received whole first.
    Gather,
    /// Gets a connection, from the pool or a new one.
    Acquire,
    /// The head of the request is written.
    Send,
    /// The response's head is waited for, while the request's content goes out.
    Head,
    /// Content comes in.
    Content,
}

/// What a step has led to.
#[derive(Debug)]
pub(super) enum Next {
    Go(Step),
    /// Something has to happen first.
    Park,
    /// The response is complete.
    Done,
    Failed(ExchangeError),
}
