//! Letting clients in, and making room where descriptors are short.

use std::net::SocketAddr;

use crate::reactor::{Accepted, Budget, Id, Io, Reactor};

use super::super::client::Client;
use super::super::error::ExchangeError;
use super::super::fetch::FetchCx;
use super::super::surroundings::Mail;
use super::{Gate, Worker};

impl Worker {
    /// Takes some of those who wait; more of them in the next turn.
    pub(super) fn accept(&mut self, id: Id<Gate>, reactor: &mut Reactor<Mail>) {
        let Some(Gate { listener, left }) = self.gates.get_mut(id) else { return };
        let gate = listener.address();
        let room = self.max_clients.saturating_sub(self.clients.len() + self.tunnels.len());
        let mut accepted = Vec::new();
        let ended = listener.accept(reactor, room, &mut accepted);
        reactor.set_deadline(id.token(), listener.next_deadline());
        let last = left.as_mut().is_some_and(|left| {
            *left = left.saturating_sub(accepted.len());
            *left == 0 || !matches!(ended, Accepted::More)
        });
        if last && let Some(gate) = self.gates.remove(id) {
            gate.listener.close(reactor);
        }
        for (io, address) in accepted {
            self.add_client(io, (address, gate), reactor);
        }
        if let Accepted::Exhausted(_) = ended {
            self.shed(reactor);
        }
    }

    fn add_client(
        &mut self,
        io: Io,
        between: (SocketAddr, SocketAddr),
        reactor: &mut Reactor<Mail>,
    ) {
        // At a listener of both families, one of IPv4 has a mapped address.
        let (client, listener) = between;
        let between = (SocketAddr::new(client.ip().to_canonical(), client.port()), listener);
        let now = reactor.now().mono;
        let until = now + self.core.settings.limits.header_timeout;
        let id = self.clients.insert_with(|id| Client::new(id, io, between, now, until));
        reactor.set_owner(io, id.token());
    }

    /// Closes some connections for want of descriptors: those of responses that nobody reads, or
    /// else some that are idle, those idle for longest first.
    fn shed(&mut self, reactor: &mut Reactor<Mail>) {
        if self.shed_unread(reactor) {
            return;
        }
        self.core.pool.shed_some(reactor);
        let idle = self.clients.iter().filter(|(_, client)| client.is_idle());
        let mut idle: Vec<_> = idle.map(|(id, client)| (client.idle_since, id)).collect();
        idle.sort_unstable_by_key(|&(since, _)| since);
        let count = idle.len().div_ceil(8).min(32);
        let quiet = idle.into_iter().map(|(_, id)| id).filter(|&id| {
            let client = self.clients.get_mut(id);
            client.is_some_and(|client| client.is_quiet(reactor, &mut self.core))
        });
        let quiet: Vec<_> = quiet.take(count).collect();
        for client in quiet.into_iter().filter_map(|id| self.clients.remove(id)) {
            reactor.close(client.io);
        }
        self.make_room(reactor);
    }

    /// Ends the fetches whose responses nobody reads; whether there were some.
    fn shed_unread(&mut self, reactor: &mut Reactor<Mail>) -> bool {
        let unread = self.fetches.iter().filter(|(_, fetch)| fetch.is_unread());
        let unread: Vec<_> = unread.map(|(id, _)| id).collect();
        for &id in &unread {
            if let Some(mut fetch) = self.fetches.remove(id) {
                let core = &mut self.core;
                let mut cx = FetchCx { reactor, core, budget: Budget::default() };
                fetch.fail(&ExchangeError::ClientGone, &mut cx);
            }
        }
        !unread.is_empty()
    }

    /// A client has gone: those who wait to be accepted may come, once there is some room.
    pub(super) fn make_room(&mut self, reactor: &mut Reactor<Mail>) {
        if self.clients.len() + self.tunnels.len() < self.max_clients - self.max_clients / 10 {
            self.gates.iter_mut().for_each(|(_, gate)| gate.listener.resume(reactor));
        }
    }
}
