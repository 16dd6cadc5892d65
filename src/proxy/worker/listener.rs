//! Listeners for clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::proxy::mail::Mail;
use crate::proxy::observe::listener::{ListenerInfo, ListenerSettings};
use crate::reactor::{Accepted, Driven, Listener, Reactor, SocketId};

/// Most connections that a listener accepts after a drain has begun: the longest queue of
/// connections that waited before.
const MOST_WAITING: usize = 4096;

/// Address that clients of a socket in the file system count as: they are on this machine.
const THIS_MACHINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A listener for clients.
#[derive(Debug)]
pub(super) struct ClientListener {
    pub(super) listener: Listener,
    settings: ListenerSettings,
    /// True for a socket in the file system, whose clients have no address.
    is_local: bool,
    /// An accepted connection for which there is no place yet.
    pub(super) waiting: Option<(SocketId, SocketAddr)>,
    /// During a drain, the number of connections to accept yet: those that waited before it.
    left: Option<usize>,
}

impl ClientListener {
    pub(super) const fn new(listener: Listener, settings: ListenerSettings) -> Self {
        Self { listener, settings, is_local: false, waiting: None, left: None }
    }

    /// Returns the listener of a socket in the file system.
    pub(super) const fn local(listener: Listener, settings: ListenerSettings) -> Self {
        Self { is_local: true, ..Self::new(listener, settings) }
    }

    /// Returns the facts for the connections of the listener.
    pub(super) fn info(&self) -> ListenerInfo {
        ListenerInfo { address: self.listener.address(), settings: self.settings }
    }

    /// Returns the waiting connection and accepts further ones, up to `room` and one more.
    pub(super) fn take(
        &mut self,
        room: usize,
        reactor: &mut Reactor<Mail>,
    ) -> (Vec<(SocketId, SocketAddr)>, Accepted) {
        let mut taken: Vec<_> = self.waiting.take().into_iter().collect();
        if room < taken.len() {
            return (taken, Accepted::Full);
        }
        // The one beyond the places shows that a place is needed.
        let wanted = room + 1 - taken.len();
        self.listener.resume(reactor);
        let ended = self.listener.accept(reactor, wanted, &mut taken);
        if self.is_local {
            taken.iter_mut().for_each(|(_, peer)| *peer = THIS_MACHINE);
        }
        (taken, ended)
    }

    /// Begins to drain: only the connections that wait in the queue are accepted.
    pub(super) const fn drain(&mut self) {
        self.left = Some(MOST_WAITING);
    }

    /// Counts `accepted` connections. Returns true if the listener drains and its queue is empty,
    /// or its count used up; `more` is true if the queue may hold further ones.
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
