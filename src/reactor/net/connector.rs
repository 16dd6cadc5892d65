//! Connecting to the first of several addresses that answers, within one deadline.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::reactor::Reactor;
use crate::reactor::arena::Token;
use crate::work::count;

use super::listener::is_exhaustion;
use super::transport::SocketId;

/// Attempts under way at a time: a name with many addresses, of which none answers, does not take a
/// socket for each.
const MOST_ATTEMPTS: usize = 8;

/// Attempts on a list of addresses, in its order.
///
/// The next address is tried when the ones before have failed, or have not answered for the stagger
/// (RFC 8305 §5). None is given up before the deadline, unless eight are under way and another is to be
/// tried: then the one that was begun first is. More addresses may be added while attempts are
/// under way ([`update`](Self::update)). Owned by the object that wants the
/// connection, which drives it and, if it loses interest, [`cancel`](Self::cancel)s it: one that is
/// dropped while it is `Pending` leaves its sockets open in the reactor.
#[derive(Debug)]
pub struct Connector {
    owner: Token,
    waiting: VecDeque<SocketAddr>,
    /// Addresses that were tried, or are.
    tried: Vec<SocketAddr>,
    /// False while more addresses may come.
    complete: bool,
    /// Sockets, their addresses, and when each attempt was begun.
    attempts: Vec<(SocketId, SocketAddr, Instant)>,
    stagger: Duration,
    next_attempt: Instant,
    deadline: Instant,
    failed: Option<(SocketAddr, io::Error)>,
    /// Which addresses have answered and which have not, until somebody asks.
    results: Vec<(SocketAddr, bool)>,
}

/// Why no address could be connected to.
#[derive(Debug)]
pub enum ConnectError {
    /// There was no address.
    NoAddress,
    /// The deadline has passed with attempts under way, or before the first.
    TimedOut,
    /// All attempts failed; this is the last.
    Failed(SocketAddr, io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no address to connect to"),
            Self::TimedOut => f.write_str("no connection within the time allowed"),
            Self::Failed(address, error) => write!(f, "{address}: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl Connector {
    /// Will try `addresses` in their order for `owner`, which is to drive it now.
    pub fn new(
        owner: Token,
        addresses: impl IntoIterator<Item = SocketAddr>,
        now: Instant,
        stagger: Duration,
        timeout: Duration,
    ) -> Self {
        Self {
            owner,
            waiting: addresses.into_iter().collect(),
            tried: Vec::new(),
            complete: true,
            attempts: Vec::new(),
            stagger,
            next_attempt: now,
            deadline: after(now, timeout),
            failed: None,
            results: Vec::new(),
        }
    }

    /// Goes on with `addresses`, in their order, in the place of those not tried yet. An address that
    /// was tried is not tried again.
    pub fn update(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let new = |address: &SocketAddr| !self.tried.contains(address);
        self.waiting = addresses.into_iter().filter(new).collect();
        count(self.waiting.len() * (1 + self.tried.len()));
    }

    /// Says whether the addresses are complete, as they are at first. While they are not, it does not
    /// fail for want of one before the deadline (RFC 8305 §3).
    pub const fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Goes on as far as it can: a connection, an error, or `Pending` until one of its sockets is
    /// ready or [`next_deadline`](Self::next_deadline) has come.
    pub fn drive<M>(
        &mut self,
        reactor: &mut Reactor<M>,
    ) -> Poll<Result<(SocketId, SocketAddr), ConnectError>> {
        let now = reactor.now().mono;
        if let Some(connected) = self.check_attempts(reactor) {
            self.results.push((connected.1, true));
            let stagger = self.stagger;
            self.note_silent(|begun| now >= after(begun, stagger));
            self.cancel(reactor);
            return Poll::Ready(Ok((connected.0, connected.1)));
        }
        self.make_up_for_delay(now);
        if now >= self.deadline {
            let unanswered = !self.attempts.is_empty() || !self.waiting.is_empty();
            self.note_silent(|_| true);
            self.cancel(reactor);
            return Poll::Ready(Err(self.error(unanswered)));
        }
        while !self.waiting.is_empty() && (self.attempts.is_empty() || now >= self.next_attempt) {
            self.attempt_next(reactor, now);
        }
        let failed = self.attempts.is_empty() && self.complete;
        if failed { Poll::Ready(Err(self.error(false))) } else { Poll::Pending }
    }

    /// Gives an attempt that was due before the deadline, and could not be begun as the loop was late,
    /// the time that it would have had.
    fn make_up_for_delay(&mut self, now: Instant) {
        let due = !self.waiting.is_empty() && self.next_attempt < self.deadline;
        if due && now >= self.deadline {
            self.deadline = after(self.deadline, now.duration_since(self.next_attempt));
        }
    }

    /// When to drive it again at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        if self.waiting.is_empty() { self.deadline } else { self.next_attempt.min(self.deadline) }
    }

    /// Which addresses have answered, and which have not: refused, or silent until another answered
    /// or the deadline came. Each is told once. See [`FailedAddresses`](crate::reactor::FailedAddresses).
    pub fn take_results(&mut self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.results.drain(..)
    }

    /// Takes note of the attempts that have not answered, of those for which their time was enough.
    fn note_silent(&mut self, enough: impl Fn(Instant) -> bool) {
        let silent = self.attempts.iter().filter(|attempt| enough(attempt.2));
        self.results.extend(silent.map(|attempt| (attempt.1, false)));
    }

    /// Closes what it has begun.
    pub fn cancel<M>(&mut self, reactor: &mut Reactor<M>) {
        for (io, ..) in self.attempts.drain(..) {
            reactor.close(io);
        }
    }

    /// The attempt that has succeeded, taken out; those that have failed are closed.
    fn check_attempts<M>(
        &mut self,
        reactor: &mut Reactor<M>,
    ) -> Option<(SocketId, SocketAddr, Instant)> {
        let mut next = 0;
        while next < self.attempts.len() {
            let (io, address, _) = self.attempts[next];
            match reactor.connected(io) {
                Poll::Pending => next += 1,
                Poll::Ready(Ok(())) => return Some(self.attempts.swap_remove(next)),
                Poll::Ready(Err(error)) => {
                    reactor.close(io);
                    self.attempts.remove(next);
                    self.fail(address, error);
                    self.next_attempt = reactor.now().mono;
                }
            }
        }
        None
    }

    fn attempt_next<M>(&mut self, reactor: &mut Reactor<M>, now: Instant) {
        let Some(address) = self.waiting.pop_front() else { return };
        if self.attempts.len() >= MOST_ATTEMPTS {
            let (io, silent, _) = self.attempts.remove(0);
            reactor.close(io);
            self.results.push((silent, false));
        }
        self.tried.push(address);
        match reactor.connect(address, self.owner) {
            Ok(io) => {
                self.attempts.push((io, address, now));
                self.next_attempt = after(now, self.stagger);
            }
            Err(error) => self.fail(address, error),
        }
    }

    /// Want of descriptors is nothing that the address could help.
    fn fail(&mut self, address: SocketAddr, error: io::Error) {
        if !is_exhaustion(&error) {
            self.results.push((address, false));
        }
        self.failed = Some((address, error));
    }

    fn error(&mut self, timed_out: bool) -> ConnectError {
        match self.failed.take() {
            _ if timed_out => ConnectError::TimedOut,
            Some((address, error)) => ConnectError::Failed(address, error),
            None => ConnectError::NoAddress,
        }
    }
}

/// `time` after `now`. One beyond what an [`Instant`] can hold means 'never', which a century is.
fn after(now: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(time).unwrap_or_else(|| now + CENTURY)
}
