//! Idle connections to origins, kept for the next request.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::reactor::{Active, Arena, Id, Io, Reactor, Ready, Wake};

use super::limits::Limits;
use super::surroundings::Mail;

/// An origin, as far as its connections are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OriginKey {
    /// Host and port, host in lower case.
    pub(super) authority: Arc<str>,
}

/// A connection to an origin, with its history.
#[derive(Clone, Copy, Debug)]
pub(super) struct OriginConnection {
    pub(super) io: Io,
    pub(super) address: SocketAddr,
    pub(super) opened: Instant,
    /// Whether it has carried a request before.
    pub(super) reused: bool,
}

/// An idle connection: the object that is told when the origin closes it.
#[derive(Debug)]
pub(super) struct Idle {
    connection: OriginConnection,
    origin: OriginKey,
    until: Instant,
}

impl Active for Idle {
    const KIND: u8 = 4;
}

/// Idle connections by origin, the one used last first.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Arena<Idle>,
    by_origin: HashMap<OriginKey, Vec<Id<Idle>>>,
    /// How many are kept at most.
    bound: usize,
}

impl Pool {
    /// An empty pool for at most `bound` connections.
    pub(super) fn new(bound: usize) -> Self {
        Self { idle: Arena::new(), by_origin: HashMap::new(), bound }
    }

    /// Changes how many connections are kept, from now on.
    pub(super) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// A connection to `origin` at an address that is `allowed`, still good as far as can be seen.
    pub(super) fn take(
        &mut self,
        origin: &OriginKey,
        mut allowed: impl FnMut(IpAddr) -> bool,
        reactor: &Reactor<Mail>,
    ) -> Option<OriginConnection> {
        let list = self.by_origin.get_mut(origin)?;
        let position = list.iter().rposition(|&id| {
            // Something to read on an idle connection is its end, or an answer to nothing; the
            // connection is closed when it is driven.
            self.idle.get(id).is_some_and(|idle| {
                !reactor.ready(idle.connection.io).contains(Ready::READABLE)
                    && reactor.now().mono < idle.until
                    && allowed(idle.connection.address.ip())
            })
        })?;
        let id = list.remove(position);
        if list.is_empty() {
            self.by_origin.remove(origin);
        }
        let connection = self.idle.remove(id)?.connection;
        Some(OriginConnection { reused: true, ..connection })
    }

    /// Keeps a connection that has carried a whole exchange, unless it is too old, has something to
    /// say, or there are too many.
    pub(super) fn put(
        &mut self,
        origin: &OriginKey,
        connection: OriginConnection,
        limits: &Limits,
        reactor: &mut Reactor<Mail>,
    ) {
        let now = reactor.now().mono;
        let until = (now + limits.pool_idle).min(connection.opened + limits.pool_age);
        let full = self.idle.len() >= self.bound
            || self.by_origin.get(origin).is_some_and(|list| list.len() >= limits.origin_idle);
        if full || now >= until || !is_quiet(connection.io, reactor) {
            reactor.close(connection.io);
            return;
        }
        let id = self.idle.insert(Idle { connection, origin: origin.clone(), until });
        self.by_origin.entry(origin.clone()).or_default().push(id);
        reactor.set_owner(connection.io, id.token());
        reactor.set_deadline(id.token(), Some(until));
    }

    /// An idle connection became readable, or its time is up: close it. Writability is no reason.
    pub(super) fn drive(&mut self, id: Id<Idle>, reactor: &mut Reactor<Mail>) {
        let Some(idle) = self.idle.get(id) else { return };
        if reactor.now().mono >= idle.until || !is_quiet(idle.connection.io, reactor) {
            self.drop_idle(id, reactor);
        }
    }

    /// Uses none of them any more; each is closed when it is driven.
    pub(super) fn clear(&mut self, reactor: &mut Reactor<Mail>) {
        let now = reactor.now().mono;
        for (id, idle) in self.idle.iter_mut() {
            idle.until = now;
            reactor.wake(id.token());
        }
    }

    /// Closes some of those idle for longest, for want of descriptors; whether there were any.
    pub(super) fn shed_some(&mut self, reactor: &mut Reactor<Mail>) -> bool {
        let count = self.idle.len().div_ceil(8).min(32);
        let mut oldest: Vec<_> = self.idle.iter().map(|(id, idle)| (idle.until, id)).collect();
        oldest.sort_unstable_by_key(|&(until, _)| until);
        oldest.into_iter().take(count).for_each(|(_, id)| self.drop_idle(id, reactor));
        count > 0
    }

    fn drop_idle(&mut self, id: Id<Idle>, reactor: &mut Reactor<Mail>) {
        let Some(idle) = self.idle.remove(id) else { return };
        reactor.close(idle.connection.io);
        if let Some(list) = self.by_origin.get_mut(&idle.origin) {
            list.retain(|&other| other != id);
            if list.is_empty() {
                self.by_origin.remove(&idle.origin);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }

    /// Panics if its books do not agree.
    pub(super) fn check(&self) {
        let listed: usize = self.by_origin.values().map(Vec::len).sum();
        assert_eq!(listed, self.idle.len(), "every idle connection is listed once");
        assert!(self.by_origin.values().all(|list| !list.is_empty()));
    }
}

/// Whether there is nothing to read, not even the end.
fn is_quiet(io: Io, reactor: &mut Reactor<Mail>) -> bool {
    if !reactor.ready(io).contains(Ready::READABLE) {
        return true;
    }
    let mut nothing = Vec::with_capacity(1);
    reactor.recv(io, &mut nothing).is_pending()
}
