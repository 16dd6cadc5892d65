//! Letting clients in, as far as there are places for them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::auth::client_network;
use crate::proxy::admission::Newcomer;
use crate::proxy::client::Client;
use crate::proxy::mail::Mail;
use crate::reactor::{Accepted, Id, Reactor, SocketId, Wake};

use super::Worker;
use super::listener::ClientListener;

/// Connections that were idle for less are not closed to make room: a new one has had no time to ask.
const IDLE: Duration = Duration::from_secs(1);
/// When a connection that found no place is looked at again: some may be idle by then.
const RETRY: Duration = Duration::from_millis(100);

impl Worker {
    /// Takes some of the connections that wait; more of them in the next turn.
    pub(super) fn accept(&mut self, id: Id<ClientListener>, reactor: &mut Reactor<Mail>) {
        let room = self.shared.admission.room();
        let Some(gate) = self.listeners.get_mut(id) else { return };
        let address = gate.listener.address();
        let (newcomers, ended) = gate.take(room, reactor);
        let (accepted, mut retry) = (newcomers.len(), gate.listener.next_deadline());
        let waiting = newcomers.into_iter().find(|&(io, peer)| {
            let admitted = self.admit(io, (peer, address), reactor);
            !admitted // the one beyond all places is the last
        });
        if waiting.is_some() {
            self.shared.admission.reach();
            retry = Some(reactor.now().mono + RETRY);
        }
        reactor.set_deadline(id.token(), retry);
        match ended {
            Accepted::Exhausted(_) => self.shed(reactor),
            Accepted::Full if waiting.is_none() => reactor.wake(id.token()),
            _ => {}
        }
        let Some(gate) = self.listeners.get_mut(id) else { return };
        gate.waiting = waiting;
        let drained = gate.is_drained(accepted, matches!(ended, Accepted::More));
        if drained && let Some(gate) = self.listeners.remove(id) {
            gate.close(reactor);
        }
    }

    /// Lets a connection in, or closes it if its client has its share of the places. Returns false if
    /// there is no place, none can be had of idle connections, and the client has none yet.
    fn admit(
        &mut self,
        io: SocketId,
        between: (SocketAddr, SocketAddr),
        reactor: &mut Reactor<Mail>,
    ) -> bool {
        // At a listener of both families, one of IPv4 has a mapped address.
        let (client, listener) = between;
        let between = (SocketAddr::new(client.ip().to_canonical(), client.port()), listener);
        let now = reactor.now().mono;
        let address = between.0.ip();
        let client = client_network(address);
        let newcomer = Newcomer { client, brings_many: self.shared.settings.brings_many(address) };
        if self.shared.admission.room() == 0 {
            self.shed_idle(None, IDLE, reactor);
        }
        let is_first = newcomer.brings_many || self.shared.admission.holds(client) == 0;
        if self.shared.admission.room() == 0 && is_first {
            return false;
        }
        if !self.shared.admission.admits(newcomer, now) {
            // A client that has none yet is refused for others, of whom some may have waited for long.
            let of = Some(client).filter(|client| self.shared.admission.holds(*client) > 0);
            self.shed_idle(of, IDLE, reactor);
            if !self.shared.admission.admits(newcomer, now) {
                self.shared.admission.refuse();
                reactor.close(io);
                return true;
            }
        }
        self.shared.admission.enter(client);
        let until = now + self.shared.settings.limits.header_timeout;
        let id = self.clients.insert_with(|id| Client::new(id, io, between, now, until));
        reactor.set_owner(io, id.token());
        true
    }

    /// Has the connections come that wait to be accepted, once there is ample room.
    pub(super) fn resume(&mut self, reactor: &mut Reactor<Mail>) {
        if self.shared.admission.has_ample_room() {
            let waiting = self.listeners.iter().filter(|(_, gate)| gate.waiting.is_some());
            waiting.for_each(|(id, _)| reactor.wake(id.token()));
        }
    }
}
