//! Reload requests of operators. The embedder takes them, since only it can read files.

use std::collections::VecDeque;

use crate::reactor::Token;

/// An operator's request for a reload, or for a plan of one. The embedder answers it by
/// [`Worker::answer_reload`](crate::proxy::Worker::answer_reload).
#[derive(Debug)]
pub struct ReloadRequest {
    /// The connection that waits for the answer.
    pub(super) operator: Token,
    /// True for a plan: the embedder only reports what a reload would change.
    pub plan: bool,
}

/// Reload requests that the embedder has not taken yet: at most one per connection.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    /// True if the embedder takes requests.
    pub(super) offered: bool,
    pub(super) asked: VecDeque<ReloadRequest>,
}
