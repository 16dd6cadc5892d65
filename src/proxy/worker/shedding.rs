//! Closing connections where places, descriptors or memory are short.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::proxy::client::Client;
use crate::proxy::client::context::ClientCx;
use crate::proxy::fetch::context::FetchCx;
use crate::proxy::mail::Mail;
use crate::proxy::tunnel::Tunnel;
use crate::reactor::{Budget, Id, Reactor};
use crate::work;

use super::Worker;

/// Connections looked at, at a time.
const LOOKED_AT: usize = 8192;
/// Connections closed at a time.
const SHED: usize = 64;
/// A head that has taken so long may be cut off to make room.
const HALF_HEAD: Duration = Duration::from_secs(3);
/// The reason in the log.
const OVERLOADED: &str = "overloaded";

/// A connection that can be closed.
#[derive(Clone, Copy, Debug)]
enum Sheddable {
    Client(Id<Client>),
    Tunnel(Id<Tunnel>),
}

/// A connection that can be closed, how many its client has, and since when it does nothing. Of a
/// client that stalls, the time is when it would be given up, which says the same.
type Candidate = (Reverse<usize>, Instant, Sheddable);

impl Worker {
    /// Closes some connections for want of descriptors: those of responses that nobody reads, or
    /// else some that are idle.
    pub(super) fn shed(&mut self, reactor: &mut Reactor<Mail>) {
        if !self.shed_unread(reactor) {
            self.shared.pool.shed_some(reactor);
            self.shed_idle(None, Duration::ZERO, reactor);
        }
    }

    /// Closes some connections that have been idle for so long at `least`, or for a while in the middle
    /// of a head: of one client, or of those that have the most, those waited for longest first.
    pub(super) fn shed_idle(
        &mut self,
        only: Option<IpAddr>,
        least: Duration,
        reactor: &mut Reactor<Mail>,
    ) {
        let now = reactor.now().mono;
        let lasted = |least| move |began: &Instant| now.saturating_duration_since(*began) >= least;
        let is_meant = |network: IpAddr| only.is_none_or(|only| only == network);
        let idle = self.candidates(
            |client| {
                let idle = client.idle_since().filter(lasted(least));
                let half_head = client.half_head_since().filter(lasted(HALF_HEAD));
                idle.or(half_head).filter(|_| is_meant(client.network()))
            },
            |tunnel| {
                let idle = Some(tunnel.moved_at).filter(lasted(least));
                idle.filter(|_| is_meant(tunnel.network()))
            },
            now,
        );
        let count = idle.len().div_ceil(8).min(SHED);
        let mut closed = 0;
        for (.., connection) in idle {
            if closed == count {
                break;
            }
            closed += usize::from(self.close_idle(connection, reactor));
        }
        self.resume(reactor);
    }

    /// Closes connections that hold memory and whose client does not go on, while all memory for
    /// connections is used: of those that have the most, those waited for longest first.
    pub(super) fn relieve_memory(&mut self, reactor: &mut Reactor<Mail>) {
        let stalled = self.candidates(
            Client::stalls_until,
            |tunnel| (tunnel.held > 0).then_some(tunnel.moved_at),
            reactor.now().mono,
        );
        let mut excess = self.shared.memory.excess();
        for (.., connection) in stalled.into_iter().take(SHED) {
            if excess == 0 {
                break;
            }
            // What a fetch holds for the client is free once the fetch has noticed.
            excess = excess.saturating_sub(self.frees(connection));
            self.shared.counters.relieved += 1;
            self.cut(connection, OVERLOADED, reactor);
        }
        self.resume(reactor);
    }

    /// Returns the bytes that are free once a connection is closed.
    fn frees(&self, connection: Sheddable) -> usize {
        match connection {
            Sheddable::Client(id) => {
                self.clients.get(id).map_or(0, |client| client.held + client.passing(&self.shared))
            }
            Sheddable::Tunnel(id) => self.tunnels.get(id).map_or(0, |tunnel| tunnel.held),
        }
    }

    /// Connections that can be closed, in the order in which they are, each with the time that its
    /// function gives. Of very many connections another part is looked at each time, and none if that
    /// was done in this turn.
    fn candidates(
        &mut self,
        client_since: impl Fn(&Client) -> Option<Instant>,
        tunnel_since: impl Fn(&Tunnel) -> Option<Instant>,
        now: Instant,
    ) -> Vec<Candidate> {
        if self.looked_at.replace(now) == Some(now) {
            return Vec::new();
        }
        let clients = self
            .clients
            .iter()
            .map(|(id, client)| (Sheddable::Client(id), client.network(), client_since(client)));
        let tunnels = self
            .tunnels
            .iter()
            .map(|(id, tunnel)| (Sheddable::Tunnel(id), tunnel.network(), tunnel_since(tunnel)));
        let from = std::mem::take(&mut self.looked_through);
        let (mut seen, mut found) = (0, Vec::new());
        for (connection, network, since) in clients.chain(tunnels).skip(from).take(LOOKED_AT) {
            work::count(work::LOOK_UP);
            seen += 1;
            let holds = || Reverse(self.shared.admission.holds(network));
            found.extend(since.map(|since| (holds(), since, connection)));
        }
        if seen == LOOKED_AT {
            self.looked_through = from + seen;
        }
        found.sort_unstable_by_key(|&(holds, since, _)| (holds, since));
        found
    }

    /// Closes an idle connection, unless something has come on it; returns true if it is closed.
    fn close_idle(&mut self, connection: Sheddable, reactor: &mut Reactor<Mail>) -> bool {
        let shared = &mut self.shared;
        match connection {
            Sheddable::Client(id) => {
                let Some(client) = self.clients.get_mut(id) else { return false };
                if !client.is_quiet(reactor, shared) {
                    return false;
                }
                if client.half_head_since().is_some() {
                    self.cut(connection, OVERLOADED, reactor);
                } else if let Some(client) = self.clients.remove(id) {
                    client.close_idle(reactor, shared);
                }
            }
            Sheddable::Tunnel(id) => {
                let Some(tunnel) = self.tunnels.remove(id) else { return false };
                tunnel.end_idle(OVERLOADED, reactor, shared);
            }
        }
        true
    }

    /// Ends a connection whatever it is at, for this reason.
    fn cut(&mut self, connection: Sheddable, reason: &'static str, reactor: &mut Reactor<Mail>) {
        match connection {
            Sheddable::Client(id) => {
                let Some(client) = self.clients.remove(id) else { return };
                let mut cx = ClientCx {
                    reactor,
                    shared: &mut self.shared,
                    fetches: &mut self.fetches,
                    tunnels: &mut self.tunnels,
                    budget: Budget::default(),
                };
                client.abort(reason, &mut cx);
            }
            Sheddable::Tunnel(id) => {
                let Some(tunnel) = self.tunnels.remove(id) else { return };
                tunnel.abort(reason, reactor, &mut self.shared);
            }
        }
    }

    /// Ends everything that is left, for this reason.
    pub(super) fn give_up_all(&mut self, reason: &'static str, reactor: &mut Reactor<Mail>) {
        let clients = self.clients.iter().map(|(id, _)| Sheddable::Client(id));
        let tunnels = self.tunnels.iter().map(|(id, _)| Sheddable::Tunnel(id));
        for connection in clients.chain(tunnels).collect::<Vec<_>>() {
            self.cut(connection, reason, reactor);
        }
    }

    /// Ends the fetches whose responses nobody reads; whether there were some.
    fn shed_unread(&mut self, reactor: &mut Reactor<Mail>) -> bool {
        let unread = self.fetches.iter().filter(|(_, fetch)| fetch.is_unread());
        let unread: Vec<_> = unread.map(|(id, _)| id).collect();
        for &id in &unread {
            if let Some(mut fetch) = self.fetches.remove(id) {
                let shared = &mut self.shared;
                let mut cx = FetchCx { reactor, shared, budget: Budget::default() };
                fetch.abort(&mut cx);
            }
        }
        !unread.is_empty()
    }
}
