//! Reloads that operators ask for: only the program around the proxy can read files.

use std::collections::VecDeque;

use crate::reactor::Token;

/// An operator waits for a reload, or for a word on what one would change. Answered by
/// [`Worker::answer_reload`](crate::proxy::Worker::answer_reload).
#[derive(Debug)]
pub struct ReloadRequest {
    /// The connection of the operator.
    pub(super) operator: Token,
    /// Nothing is to change; only what would is asked for.
    pub plan: bool,
}

/// What was asked for and not taken yet: at most one for each connection of an operator.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    /// Whether there is somebody to take it.
    pub(super) offered: bool,
    pub(super) asked: VecDeque<ReloadRequest>,
}
