//! Listeners for clients.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::proxy::mail::Mail;
use crate::reactor::{Accepted, Driven, Endpoint, Listener, Reactor, SocketId};

use super::Worker;

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
    const fn new(listener: Listener) -> Self {
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

impl Worker {
    /// Listens at an endpoint, such as an address; says which address that is, if the port was 0.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn listen(
        &mut self,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        let endpoint = endpoint.into();
        let id = self.listeners.try_insert_with(|id| {
            Listener::bind(reactor, endpoint, id.token()).map(ClientListener::new)
        })?;
        let gate = self.listeners.get(id);
        let address = gate.map_or(endpoint.address(), |gate| gate.listener.address());
        self.shared.interfaces.add_listener(address);
        Ok(address)
    }

    /// Serves a listener that was opened elsewhere.
    ///
    /// # Errors
    /// If it cannot be registered.
    pub fn listen_on(
        &mut self,
        reactor: &mut Reactor<Mail>,
        listener: TcpListener,
    ) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        self.listeners.try_insert_with(|id| {
            Listener::adopt(reactor, listener, id.token()).map(ClientListener::new)
        })?;
        self.shared.interfaces.add_listener(address);
        Ok(address)
    }

    /// Takes `address` for one it listens on, which is no destination.
    pub fn add_local_listener(&mut self, address: SocketAddr) {
        self.shared.interfaces.add_listener(address);
    }
}
