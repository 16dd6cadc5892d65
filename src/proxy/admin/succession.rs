//! Requests about the process that takes the place of this one.

use std::collections::VecDeque;

use crate::reactor::Token;

/// An operator's request for an upgrade. The embedder answers it by
/// [`Worker::answer_upgrade`](crate::proxy::Worker::answer_upgrade).
#[derive(Debug)]
pub struct UpgradeRequest {
    /// The connection that waits for the answer.
    pub(super) operator: Token,
}

/// Requests about a successor.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// True if the embedder takes requests for upgrades.
    pub(super) offered: bool,
    /// Requests for upgrades that the embedder has not taken yet: at most one per connection.
    pub(super) asked: VecDeque<UpgradeRequest>,
    /// The connection of a process that wants the sockets of operators.
    pub(super) successor: Option<Token>,
    /// True once another process has the sockets of operators.
    pub(super) has_yielded: bool,
}
