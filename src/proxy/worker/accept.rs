//! Admission of clients: accepting connections as far as there are places.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::client_network;
use crate::proxy::admission::Newcomer;
use crate::proxy::client::Client;
use crate::proxy::mail::Mail;
use crate::proxy::observe::listener::{ListenerInfo, ListenerKind};
use crate::reactor::{Accepted, Id, Reactor, SocketId, Wake};
use crate::throttle::BanAction;
use crate::tls::ServerLayer;

use super::Worker;
use super::listener::ClientListener;

/// Shortest time after which an idle connection may be closed to make room: a new one needs time to
/// send its request.
const IDLE: Duration = Duration::from_secs(1);
/// Time after which a connection without a place is tried again: others may be idle by then.
const RETRY: Duration = Duration::from_millis(100);

impl Worker {
    /// Accepts connections that wait, as many as there are places; continues in the next turn.
    pub(super) fn accept(&mut self, id: Id<ClientListener>, reactor: &mut Reactor<Mail>) {
        let room = self.shared.admission.room();
        let Some(gate) = self.listeners.get_mut(id) else { return };
        let info = gate.info();
        let (newcomers, ended) = gate.take(room, reactor);
        let (accepted, mut retry) = (newcomers.len(), gate.listener.next_deadline());
        let waiting = newcomers.into_iter().find(|&(io, peer)| {
            let admitted = self.admit(io, peer, info, reactor);
            !admitted // only the last one can be beyond all places
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

    /// Admits a connection, or closes it if its client has its share of the places. Returns false
    /// if the client has no connection yet and there is no place, even after closing idle
    /// connections: the connection then waits.
    fn admit(
        &mut self,
        io: SocketId,
        client: SocketAddr,
        listener: ListenerInfo,
        reactor: &mut Reactor<Mail>,
    ) -> bool {
        // A listener for both families reports IPv4 clients by mapped addresses.
        let peer = SocketAddr::new(client.ip().to_canonical(), client.port());
        let (now, address) = (reactor.now().mono, peer.ip());
        let ban = self.shared.throttling.ban_of(address, now);
        if let Some((BanAction::Drop, _)) = ban {
            self.shared.counters.client_bans.connections += 1;
            reactor.close(io);
            return true;
        }
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
            // A client beyond its share loses its own idle connections; a new client is refused
            // because of the reserved places, and any idle connection is closed for it.
            let of = Some(client).filter(|client| self.shared.admission.holds(*client) > 0);
            self.shed_idle(of, IDLE, reactor);
            if !self.shared.admission.admits(newcomer, now) {
                self.shared.admission.refuse();
                reactor.close(io);
                return true;
            }
        }
        if listener.kind() == ListenerKind::Tls && !listener.settings.proxy_protocol {
            let Some(tls) = self.shared.identity.tls() else {
                reactor.close(io); // settings without TLS never serve clients in the clear here
                return true;
            };
            reactor.secure(io, Box::new(ServerLayer::new(Arc::clone(tls))));
        }
        self.shared.admission.enter(client);
        let until = now + self.shared.settings.limits.header_timeout;
        let id = self.clients.insert_with(|id| Client::new(id, io, peer, listener, (now, until)));
        reactor.set_owner(io, id.token());
        true
    }

    /// Wakes the listeners with a waiting connection, once there is ample room.
    pub(super) fn resume(&mut self, reactor: &mut Reactor<Mail>) {
        if self.shared.admission.has_ample_room() {
            let waiting = self.listeners.iter().filter(|(_, gate)| gate.waiting.is_some());
            waiting.for_each(|(id, _)| reactor.wake(id.token()));
        }
    }
}
