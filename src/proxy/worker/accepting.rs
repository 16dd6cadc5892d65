//! Letting clients in, and making room where places or descriptors are short.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::auth::client_network;
use crate::reactor::{Accepted, Budget, Id, Io, Reactor, Wake};
use crate::work;

use super::super::admission::Newcomer;
use super::super::client::Client;
use super::super::error::ExchangeError;
use super::super::fetch::FetchCx;
use super::super::surroundings::Mail;
use super::super::tunnel::Tunnel;
use super::{Gate, Worker};

/// Connections that were idle for less are not closed to make room: a new one has had no time to ask.
const IDLE: Duration = Duration::from_secs(1);
/// Connections looked at to find idle ones, at a time.
const LOOKED_AT: usize = 8192;
/// Idle connections closed at a time.
const SHED: usize = 64;
/// When a connection that found no place is looked at again: some may be idle by then.
const RETRY: Duration = Duration::from_millis(100);

/// A connection that can be closed to make room.
#[derive(Clone, Copy)]
enum Sheddable {
    Client(Id<Client>),
    Tunnel(Id<Tunnel>),
}

impl Worker {
    /// Takes some of the connections that wait; returns true if there may be more.
    pub(super) fn accept(&mut self, id: Id<Gate>, reactor: &mut Reactor<Mail>) -> bool {
        let room = self.core.admission.room();
        let Some(gate) = self.gates.get_mut(id) else { return false };
        let address = gate.listener.address();
        let mut newcomers: Vec<_> = gate.waiting.take().into_iter().collect();
        let mut ended = Accepted::Full;
        if room >= newcomers.len() {
            // One more than there are places shows that a place is wanted.
            let wanted = room + 1 - newcomers.len();
            gate.listener.resume(reactor);
            ended = gate.listener.accept(reactor, wanted, &mut newcomers);
        }
        let mut retry = gate.listener.next_deadline();
        let waiting = newcomers.into_iter().find(|&(io, peer)| {
            let admitted = self.admit(io, (peer, address), reactor);
            !admitted // the one beyond all places is the last
        });
        if waiting.is_some() {
            self.core.admission.reach();
            retry = Some(reactor.now().mono + RETRY);
        }
        reactor.set_deadline(id.token(), retry);
        match ended {
            Accepted::Exhausted(_) => self.shed(reactor),
            Accepted::Full if waiting.is_none() => reactor.wake(id.token()),
            _ => {}
        }
        if let Some(gate) = self.gates.get_mut(id) {
            gate.waiting = waiting;
        }
        matches!(ended, Accepted::More)
    }

    /// Lets a connection in, or closes it if its client has its share of the places. Returns false if
    /// there is no place, and none can be had of idle connections.
    fn admit(
        &mut self,
        io: Io,
        between: (SocketAddr, SocketAddr),
        reactor: &mut Reactor<Mail>,
    ) -> bool {
        let now = reactor.now().mono;
        let address = between.0.ip();
        let client = client_network(address);
        let newcomer = Newcomer { client, brings_many: self.core.settings.brings_many(address) };
        if !self.core.admission.admits(newcomer, now) {
            self.shed_idle(Some(client), IDLE, reactor);
            if !self.core.admission.admits(newcomer, now) {
                self.core.admission.refuse();
                reactor.close(io);
                return true;
            }
        }
        if self.core.admission.room() == 0 {
            self.shed_idle(None, IDLE, reactor);
        }
        if self.core.admission.room() == 0 {
            return false;
        }
        self.core.admission.enter(client);
        let until = now + self.core.settings.limits.header_timeout;
        let id = self.clients.insert_with(|id| Client::new(id, io, between, now, until));
        reactor.set_owner(io, id.token());
        true
    }

    /// Closes some connections for want of descriptors: those of responses that nobody reads, or
    /// else some that are idle.
    fn shed(&mut self, reactor: &mut Reactor<Mail>) {
        if !self.shed_unread(reactor) {
            self.core.pool.shed_some(reactor);
            self.shed_idle(None, Duration::ZERO, reactor);
        }
    }

    /// Closes some connections that have been idle for so long at `least`, of one client or of those
    /// that have the most, those idle for longest first. Connections are looked through once a turn at
    /// most.
    fn shed_idle(
        &mut self,
        only: Option<IpAddr>,
        least: Duration,
        reactor: &mut Reactor<Mail>,
    ) {
        let now = reactor.now().mono;
        if self.shed_at.replace(now) == Some(now) {
            return;
        }
        let mut idle = self.idle(only, least, now);
        let count = idle.len().div_ceil(8).min(SHED);
        idle.sort_unstable_by_key(|&(holds, since, _)| (Reverse(holds), since));
        let mut closed = 0;
        for (_, _, connection) in idle {
            if closed == count {
                break;
            }
            closed += usize::from(self.close_idle(connection, reactor));
        }
        self.resume(reactor);
    }

    /// Connections that have been idle for so long at `least`, each with how many its client has and
    /// since when it is idle. Of very many connections another part is looked through each time.
    fn idle(
        &mut self,
        only: Option<IpAddr>,
        least: Duration,
        now: Instant,
    ) -> Vec<(usize, Instant, Sheddable)> {
        let from = std::mem::take(&mut self.looked_through);
        let clients = self.clients.iter().map(|(id, client)| {
            (Sheddable::Client(id), client.network(), client.idle_since, client.is_idle())
        });
        let tunnels = self.tunnels.iter().map(|(id, tunnel)| {
            (Sheddable::Tunnel(id), tunnel.network(), tunnel.moved_at, true)
        });
        let looked_at = clients.chain(tunnels).skip(from).take(LOOKED_AT);
        let mut idle = Vec::new();
        for (connection, network, since, asks_nothing) in looked_at {
            work::count(work::LOOK_UP);
            self.looked_through += 1;
            let fits = asks_nothing && only.is_none_or(|only| only == network);
            if fits && now.duration_since(since) >= least {
                idle.push((self.core.admission.holds(network), since, connection));
            }
        }
        let all_seen = self.looked_through < LOOKED_AT;
        self.looked_through = if all_seen { 0 } else { from + self.looked_through };
        idle
    }

    /// Closes an idle connection, unless something has come on it; returns true if it is closed.
    fn close_idle(&mut self, connection: Sheddable, reactor: &mut Reactor<Mail>) -> bool {
        let core = &mut self.core;
        match connection {
            Sheddable::Client(id) => {
                let client = self.clients.get_mut(id);
                if !client.is_some_and(|client| client.is_quiet(reactor, core)) {
                    return false;
                }
                let Some(client) = self.clients.remove(id) else { return false };
                client.close_idle(reactor, core);
            }
            Sheddable::Tunnel(id) => {
                let Some(tunnel) = self.tunnels.remove(id) else { return false };
                tunnel.shed(reactor, core);
            }
        }
        true
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

    /// Has the connections come that wait to be accepted, once there is ample room.
    pub(super) fn resume(&mut self, reactor: &mut Reactor<Mail>) {
        if self.core.admission.has_ample_room() {
            let waiting = self.gates.iter().filter(|(_, gate)| gate.waiting.is_some());
            waiting.for_each(|(id, _)| reactor.wake(id.token()));
        }
    }
}
