//! The pool of idle connections to origins.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Instant;

use crate::cache::CacheKey;
use crate::proxy::mail::Mail;
use crate::proxy::remembered::Remembered;
use crate::proxy::routing::origin_key::OriginKey;
use crate::proxy::settings::limits::Limits;
use crate::reactor::{Arena, Driven, Id, Reactor, Ready, SocketId, Token, Wake};

/// Most origins remembered for stray bytes: bytes that belong to no response.
const MAX_SUSPECTS: usize = 1024;

/// A connection to an origin, with its history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OriginConnection {
    pub(crate) io: SocketId,
    /// The origin's address; `None` for a socket in the file system.
    pub(crate) address: Option<SocketAddr>,
    pub(super) opened: Instant,
    /// True if the connection has carried a request before.
    pub(crate) reused: bool,
    /// The client that has authenticated the connection itself. Only this client may use it (RFC
    /// 4559 §6).
    pub(crate) bound_to: Option<Token>,
}

impl OriginConnection {
    /// Wraps a connection that was opened `now`.
    pub(super) const fn new(io: SocketId, address: Option<SocketAddr>, now: Instant) -> Self {
        Self { io, address, opened: now, reused: false, bound_to: None }
    }
}

/// A connection returned to the pool after a complete response.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) connection: OriginConnection,
    pub(crate) origin: OriginKey,
    /// Cache key of the last response, which is doubtful if stray bytes follow.
    pub(crate) last: CacheKey,
    /// True if the response announced content that it does not have (HEAD, 304). A faulty origin
    /// sends the content all the same, a moment later.
    pub(crate) announced: bool,
}

/// An idle connection, driven when it becomes readable or its time is up.
#[derive(Debug)]
pub(crate) struct Idle {
    returned: Returned,
    /// Number of polls of the reactor when the connection was returned.
    polls: u64,
    until: Instant,
    /// Time from which on the connection may be reused.
    rested: Instant,
}

impl Driven for Idle {
    const KIND: u8 = 4;
}

/// Result of reading from an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// The origin has ended or reset its stream.
    End,
    /// Stray bytes.
    Stray,
}

/// Idle connections by origin. The one used last is reused first.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Arena<Idle>,
    by_origin: HashMap<OriginKey, Vec<Id<Idle>>>,
    /// Most connections kept.
    bound: usize,
    /// Origins that have sent stray bytes. Their connections are not reused.
    suspects: Remembered<OriginKey>,
    /// Keys of responses followed by stray bytes, until they are [taken](Self::take_doubtful).
    doubtful: Vec<CacheKey>,
    strays: u64,
}

impl Pool {
    /// Creates an empty pool for at most `bound` connections.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            idle: Arena::new(),
            by_origin: HashMap::new(),
            bound,
            suspects: Remembered::new(MAX_SUSPECTS),
            doubtful: Vec::new(),
            strays: 0,
        }
    }

    /// Returns the number of connections that may be kept.
    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }

    /// Changes the bound. Connections beyond it are not closed at once.
    pub(crate) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Takes a connection to `origin` at an address that is `allowed`: one bound to `client` if
    /// there is one, or else one bound to no client. The connection is open and has no stray bytes,
    /// as of the last poll, or of a read if it was returned after that.
    pub(crate) fn take(
        &mut self,
        origin: &OriginKey,
        client: Option<Token>,
        mut allowed: impl FnMut(IpAddr) -> bool,
        limits: &Limits,
        reactor: &mut Reactor<Mail>,
    ) -> Option<OriginConnection> {
        let (now, polls) = (reactor.now().mono, reactor.polls());
        while let Some(id) = self.find(origin, client, &mut allowed, (now, polls)) {
            let Idle { returned, polls: before, .. } = self.remove(id)?;
            let Returned { connection, origin, last, .. } = returned;
            // A connection returned in this turn was not polled since: only a read can tell.
            let hear = if before == polls { heard_now } else { heard };
            match hear(connection.io, reactor) {
                Heard::Nothing => return Some(OriginConnection { reused: true, ..connection }),
                Heard::End => reactor.close(connection.io),
                Heard::Stray => {
                    reactor.close(connection.io);
                    self.suspect(&origin, Some(last), limits, reactor);
                }
            }
        }
        None
    }

    fn find(
        &self,
        origin: &OriginKey,
        client: Option<Token>,
        allowed: &mut impl FnMut(IpAddr) -> bool,
        (now, polls): (Instant, u64),
    ) -> Option<Id<Idle>> {
        let list = self.by_origin.get(origin)?;
        let mut fits = |id: Id<Idle>, owner: Option<Token>, polled: bool| {
            self.idle.get(id).is_some_and(|idle| {
                let connection = &idle.returned.connection;
                connection.bound_to == owner
                    && (!polled || idle.polls < polls)
                    && (idle.rested..idle.until).contains(&now)
                    && connection.address.is_none_or(|address| allowed(address.ip()))
            })
        };
        let mut newest_of = |owner| {
            // Preferred: a connection polled since its return needs no read.
            let mut newest =
                |polled| list.iter().rev().copied().find(|&id| fits(id, owner, polled));
            newest(true).or_else(|| newest(false))
        };
        client.and_then(|client| newest_of(Some(client))).or_else(|| newest_of(None))
    }

    /// Keeps a connection, or closes it if it is too old, closed by the origin or has stray bytes,
    /// if the pool is full, or if the origin is suspect.
    pub(crate) fn put(&mut self, returned: Returned, limits: &Limits, reactor: &mut Reactor<Mail>) {
        let now = reactor.now().mono;
        let Returned { connection, ref origin, announced, .. } = returned;
        let until = (now + limits.pool_idle).min(connection.opened + limits.pool_age);
        let rested = if announced { now + limits.pool_rest } else { now };
        let full = self.idle.len() >= self.bound
            || self.by_origin.get(origin).map_or(0, Vec::len) >= limits.origin_idle;
        if self.suspects.contains(origin, now) {
            // On a reused connection, the response may have been stray bytes that look like HTTP.
            self.doubtful.extend(connection.reused.then_some(returned.last));
            return reactor.close(connection.io);
        }
        if full || now >= until {
            return reactor.close(connection.io);
        }
        match heard(connection.io, reactor) {
            Heard::Nothing => {
                let origin = origin.clone();
                let id = self.idle.insert(Idle { returned, polls: reactor.polls(), until, rested });
                self.by_origin.entry(origin).or_default().push(id);
                reactor.set_owner(connection.io, id.token());
                reactor.set_deadline(id.token(), Some(until));
            }
            Heard::End => reactor.close(connection.io),
            Heard::Stray => {
                reactor.close(connection.io);
                self.suspect(&returned.origin, Some(returned.last), limits, reactor);
            }
        }
    }

    /// Closes an idle connection that became readable or whose time is up. Mere writability is
    /// ignored.
    pub(crate) fn drive(&mut self, id: Id<Idle>, limits: &Limits, reactor: &mut Reactor<Mail>) {
        let Some(idle) = self.idle.get(id) else { return };
        let heard = heard(idle.returned.connection.io, reactor);
        if heard == Heard::Nothing && reactor.now().mono < idle.until {
            return;
        }
        let Some(idle) = self.drop_idle(id, reactor) else { return };
        if heard == Heard::Stray {
            self.suspect(&idle.returned.origin, Some(idle.returned.last), limits, reactor);
        }
    }

    /// Marks an origin as suspect for stray bytes, after the response `last` if that is known. Its
    /// idle connections are closed, and none is reused for `origin-suspect`: further stray bytes
    /// could be taken for the response to another request.
    pub(crate) fn suspect(
        &mut self,
        origin: &OriginKey,
        last: Option<CacheKey>,
        limits: &Limits,
        reactor: &mut Reactor<Mail>,
    ) {
        self.strays += 1;
        self.doubtful.extend(last);
        self.suspects.insert(origin, limits.origin_suspect, reactor.now().mono);
        for id in self.by_origin.get(origin).cloned().unwrap_or_default() {
            self.drop_idle(id, reactor);
        }
    }

    /// Takes the keys of responses followed by stray bytes. The caller removes these from the
    /// cache.
    pub(crate) fn take_doubtful(&mut self) -> Vec<CacheKey> {
        std::mem::take(&mut self.doubtful)
    }

    /// Closes the connections bound to a client that has disconnected.
    pub(crate) fn release(&mut self, client: Token, reactor: &mut Reactor<Mail>) {
        let bound = |idle: &Idle| idle.returned.connection.bound_to == Some(client);
        let found = self.idle.iter().filter(|(_, idle)| bound(idle)).map(|(id, _)| id);
        for id in found.collect::<Vec<_>>() {
            self.drop_idle(id, reactor);
        }
    }

    /// Stops reusing all connections. Each is closed when it is driven.
    pub(crate) fn clear(&mut self, reactor: &mut Reactor<Mail>) {
        let now = reactor.now().mono;
        for (id, idle) in self.idle.iter_mut() {
            idle.until = now;
            reactor.wake(id.token());
        }
    }

    /// Closes some of the connections idle longest, to free descriptors. Returns true if there were
    /// any.
    pub(crate) fn shed_some(&mut self, reactor: &mut Reactor<Mail>) -> bool {
        let count = self.idle.len().div_ceil(8).min(32);
        let mut oldest: Vec<_> = self.idle.iter().map(|(id, idle)| (idle.until, id)).collect();
        oldest.sort_unstable_by_key(|&(until, _)| until);
        for (_, id) in oldest.into_iter().take(count) {
            self.drop_idle(id, reactor);
        }
        count > 0
    }

    fn drop_idle(&mut self, id: Id<Idle>, reactor: &mut Reactor<Mail>) -> Option<Idle> {
        let idle = self.remove(id)?;
        reactor.close(idle.returned.connection.io);
        Some(idle)
    }

    fn remove(&mut self, id: Id<Idle>) -> Option<Idle> {
        let idle = self.idle.remove(id)?;
        if let Entry::Occupied(mut list) = self.by_origin.entry(idle.returned.origin.clone()) {
            // Searched from the end: the connection used last is taken most often.
            if let Some(at) = list.get().iter().rposition(|&other| other == id) {
                list.get_mut().remove(at);
            }
            if list.get().is_empty() {
                list.remove();
            }
        }
        Some(idle)
    }

    pub(crate) fn len(&self) -> usize {
        self.idle.len()
    }

    /// Returns the number of connections that had stray bytes.
    pub(crate) const fn strays(&self) -> u64 {
        self.strays
    }

    /// Panics if the lists are inconsistent.
    pub(crate) fn check(&self) {
        let listed: usize = self.by_origin.values().map(Vec::len).sum();
        assert_eq!(listed, self.idle.len(), "every idle connection is listed once");
        assert!(self.by_origin.values().all(|list| !list.is_empty()));
        assert!(self.doubtful.is_empty(), "doubtful responses are forgotten at once");
    }
}

/// Reads from an idle connection, if a poll has reported it as readable.
fn heard(io: SocketId, reactor: &mut Reactor<Mail>) -> Heard {
    if reactor.ready(io).contains(Ready::READABLE) {
        heard_now(io, reactor)
    } else {
        Heard::Nothing
    }
}

/// Reads from an idle connection. A 408 is no stray response but counts as its end: some origins
/// send it when they close an idle connection (RFC 9110 §15.5.9).
fn heard_now(io: SocketId, reactor: &mut Reactor<Mail>) -> Heard {
    const TIMEOUTS: [&[u8]; 2] = [b"HTTP/1.1 408", b"HTTP/1.0 408"];
    // Room for the messages that follow a TLS handshake, which are no answer.
    let mut bytes = Vec::with_capacity(512);
    match reactor.recv_now(io, &mut bytes) {
        Poll::Pending => Heard::Nothing,
        Poll::Ready(Ok(1..)) if !TIMEOUTS.iter().any(|text| bytes.starts_with(text)) => {
            Heard::Stray
        }
        Poll::Ready(_) => Heard::End,
    }
}
