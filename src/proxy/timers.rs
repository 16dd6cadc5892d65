//! What the two sides of an exchange wait for, and until when: one deadline for each, so that none
//! is lost or lengthened by another.

use std::time::Instant;

/// What a client connection waits for.
#[derive(Debug, Default)]
pub(super) struct ClientDeadlines {
    /// The client: that it asks for something, or for the rest of a head.
    pub(super) request: Option<Instant>,
    /// The client: that it goes on with the content of its request.
    pub(super) upload: Option<Instant>,
    /// The client: that it takes some of what it is sent.
    pub(super) send: Option<Instant>,
    /// A password that is being verified, or an answer that is held back.
    pub(super) auth: Option<Instant>,
    /// A fetch that somebody else has asked for: that it brings a head.
    pub(super) joined: Option<Instant>,
    /// The client: that it closes, after the end of what it was sent.
    pub(super) linger: Option<Instant>,
}

/// What a fetch waits for, beside a connection: a dial has deadlines of its own.
#[derive(Debug, Default)]
pub(super) struct FetchDeadlines {
    /// The origin: that it takes some of the request.
    pub(super) sending: Option<Instant>,
    /// The origin: the first or the next bytes of its answer.
    pub(super) answer: Option<Instant>,
    /// The slowest of several readers.
    pub(super) slowest: Option<Instant>,
    /// The end of a response that nobody reads any more.
    pub(super) unread: Option<Instant>,
}

impl ClientDeadlines {
    pub(super) fn next(&self) -> Option<Instant> {
        let of_peers = [self.request, self.upload, self.send, self.linger];
        of_peers.into_iter().chain([self.auth, self.joined]).flatten().min()
    }
}

impl FetchDeadlines {
    pub(super) fn next(&self) -> Option<Instant> {
        [self.sending, self.answer, self.slowest, self.unread].into_iter().flatten().min()
    }
}

/// Whether a deadline has passed.
pub(super) fn is_past(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}
