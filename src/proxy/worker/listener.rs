//! Listeners for clients.

use std::net::SocketAddr;

use crate::proxy::mail::Mail;
use crate::reactor::{Accepted, Driven, Listener, Reactor, SocketId};

/// Connections that a listener accepts yet when a drain begins: as many as wait there at the most.
const MOST_WAITING: usize = 4096;

/// A listener.
#[derive(Debug)]
pub(super) struct ClientListener {
    pub(super) listener: Listener,
    /// A connection that was accepted and has no place yet.
    pub(super) waiting: Option<(SocketId, SocketAddr)>,
    /// While the proxy drains, how many connections it still accepts: those that wait already.
    left: Option<usize>,
}

impl ClientListener {
    pub(super) const fn new(listener: Listener) -> Self {
        Self { listener, waiting: None, left: None }
    }

    /// Takes the connection that has no place yet, and accepts others, as far as there is `room`.
    pub(super) fn take(
        &mut self,
        room: usize,
        reactor: &mut Reactor<Mail>,
    ) -> (Vec<(SocketId, SocketAddr)>, Accepted) {
        let mut taken: Vec<_> = self.waiting.take().into_iter().collect();
        if room < taken.len() {
            return (taken, Accepted::Full);
        }
        // One more than there are places shows that a place is wanted.
        let wanted = room + 1 - taken.len();
        self.listener.resume(reactor);
        let ended = self.listener.accept(reactor, wanted, &mut taken);
        (taken, ended)
    }

    /// Accepts only the connections that wait already, from now on.
    pub(super) const fn drain(&mut self) {
        self.left = Some(MOST_WAITING);
    }

    /// Counts connections that were `accepted`, behind which there may be `more`. Returns true if it
    /// drains and has nothing to accept any more.
    pub(super) const fn is_drained(&mut self, accepted: usize, more: bool) -> bool {
        let Some(left) = &mut self.left else { return false };
        *left = left.saturating_sub(accepted);
        *left == 0 || !more
    }

    pub(super) fn close(self, reactor: &mut Reactor<Mail>) {
        self.waiting.into_iter().for_each(|(io, _)| reactor.close(io));
        self.listener.close(reactor);
    }
}

impl Driven for ClientListener {
    const KIND: u8 = 0;
}
