//! Closing of connections when places, descriptors or memory are short.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::proxy::client::Client;
use crate::proxy::client::context::ClientCx;
use crate::proxy::error::ExchangeError;
use crate::proxy::fetch::context::FetchCx;
use crate::proxy::mail::Mail;
use crate::proxy::observe::reason::Reason;
use crate::proxy::tunnel::Tunnel;
use crate::reactor::{Budget, Id, Reactor};
use crate::work;

use super::Worker;

/// Most connections examined in one scan.
const LOOKED_AT: usize = 8192;
/// Most connections closed at a time.
const SHED: usize = 64;
/// Age at which an incomplete request head may be cut off to make room.
const HALF_HEAD: Duration = Duration::from_secs(3);
/// The reason for the log.
const OVERLOADED: Reason = Reason::Error(ExchangeError::Overloaded);

/// A connection that can be closed.
#[derive(Clone, Copy, Debug)]
enum Sheddable {
    Client(Id<Client>),
    Tunnel(Id<Tunnel>),
}

/// A connection that can be closed, the number of connections of its client, and the time since
/// which it is idle. For a stalled client, the time is its deadline, which gives the same order.
type Candidate = (Reverse<usize>, Instant, Sheddable);

impl Worker {
    /// Closes some connections to free descriptors: those of responses without readers, or else
    /// idle ones.
    pub(super) fn shed(&mut self, reactor: &mut Reactor<Mail>) {
        if !self.shed_unread(reactor) {
            self.shared.origins.pool.shed_some(reactor);
            self.shed_idle(None, Duration::ZERO, reactor);
        }
    }

    /// Closes some connections of client `only`, or of all clients, that have been idle for `least`
    /// or longer, or have been sending a head for [`HALF_HEAD`]. Those of the clients with the most
    /// connections are closed first, and among them the ones idle longest.
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
                idle.filter(|_| is_meant(tunnel.network))
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

    /// Closes connections that hold memory and whose client makes no progress, at most [`SHED`],
    /// until memory is no longer exhausted. Those of the clients with the most connections are
    /// closed first, and among them the ones stalled longest.
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
            // Memory of the fetch is freed later, when the fetch finds that it has no reader.
            excess = excess.saturating_sub(self.frees(connection));
            self.shared.counters.relieved += 1;
            self.cut(connection, OVERLOADED, reactor);
        }
        self.resume(reactor);
    }

    /// Returns the bytes that closing a connection frees.
    fn frees(&self, connection: Sheddable) -> usize {
        match connection {
            Sheddable::Client(id) => {
                self.clients.get(id).map_or(0, |client| client.held + client.passing(&self.shared))
            }
            Sheddable::Tunnel(id) => self.tunnels.get(id).map_or(0, |tunnel| tunnel.held),
        }
    }

    /// Returns the connections that can be closed, in the order of closing. The functions return
    /// the time since which a connection is idle or stalled; `None` keeps it open. Each scan
    /// examines another [`LOOKED_AT`] connections; a second scan in the same turn finds none.
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
            .map(|(id, tunnel)| (Sheddable::Tunnel(id), tunnel.network, tunnel_since(tunnel)));
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

    /// Closes an idle connection, unless it has unread input; returns true if it is closed.
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

    /// Cuts off a connection in any state, and logs the reason.
    fn cut(&mut self, connection: Sheddable, reason: Reason, reactor: &mut Reactor<Mail>) {
        match connection {
            Sheddable::Client(id) => {
                let Some(client) = self.clients.remove(id) else { return };
                let Self { shared, fetches, tunnels, compressors, .. } = self;
                let mut cx = ClientCx::new(reactor, shared, fetches, tunnels, compressors);
                client.abort(reason, &mut cx);
            }
            Sheddable::Tunnel(id) => {
                let Some(tunnel) = self.tunnels.remove(id) else { return };
                tunnel.abort(reason, reactor, &mut self.shared);
            }
        }
    }

    /// Cuts off all connections, and logs the reason.
    pub(super) fn abort_all(&mut self, reason: &Reason, reactor: &mut Reactor<Mail>) {
        let clients = self.clients.iter().map(|(id, _)| Sheddable::Client(id));
        let tunnels = self.tunnels.iter().map(|(id, _)| Sheddable::Tunnel(id));
        for connection in clients.chain(tunnels).collect::<Vec<_>>() {
            self.cut(connection, reason.clone(), reactor);
        }
    }

    /// Ends the fetches whose responses have no reader; returns true if there were any.
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
