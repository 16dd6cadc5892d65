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

/// Limit of attempts under way, so that a name with many addresses that do not answer takes few
/// sockets.
const MOST_ATTEMPTS: usize = 8;

/// Attempts to connect to a list of addresses, in order, until one answers.
///
/// The next address is tried when the attempts before have failed, or have not answered for the
/// stagger (RFC 8305 §5). Attempts continue in parallel until the deadline. If eight are under way
/// when another is due, the oldest is closed. The list may change meanwhile
/// ([`update`](Self::update)).
///
/// The object that wants the connection owns the connector and its sockets: it calls
/// [`drive`](Self::drive) whenever it is driven, sets [`next_deadline`](Self::next_deadline), and
/// calls [`cancel`](Self::cancel) if it no longer wants the connection. Dropping a connector that
/// is `Pending` leaves its sockets open in the reactor.
#[derive(Debug)]
pub struct Connector {
    owner: Token,
    waiting: VecDeque<SocketAddr>,
    /// Addresses tried so far.
    tried: Vec<SocketAddr>,
    /// False while more addresses may be added.
    complete: bool,
    /// Socket, address and start of each attempt under way.
    attempts: Vec<(SocketId, SocketAddr, Instant)>,
    stagger: Duration,
    next_attempt: Instant,
    deadline: Instant,
    failed: Option<(SocketAddr, io::Error)>,
    /// Addresses with true for connected and false for failed, until they are taken.
    results: Vec<(SocketAddr, bool)>,
}

/// Reason why no address could be connected to.
#[derive(Debug)]
pub enum ConnectError {
    /// The list of addresses was empty.
    NoAddress,
    /// The deadline passed with attempts under way, or with addresses not tried.
    TimedOut,
    /// All attempts failed; address and error are those of the last failure.
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
    /// Creates a connector that tries `addresses` in their order. Its sockets belong to `owner`,
    /// which has to call [`drive`](Self::drive) once to begin.
    ///
    /// `stagger` is the delay before the next address is tried in parallel; `timeout` limits all
    /// attempts together.
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

    /// Replaces the addresses not tried yet by `addresses`, in their order. Addresses that were
    /// tried already are left out.
    pub fn update(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let new = |address: &SocketAddr| !self.tried.contains(address);
        self.waiting = addresses.into_iter().filter(new).collect();
        count(self.waiting.len() * (1 + self.tried.len()));
    }

    /// Declares whether the list of addresses is complete, as it is at first. While it is not, the
    /// connector waits for more addresses until the deadline instead of failing (RFC 8305 §3).
    pub const fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Continues as far as possible without waiting. Returns the connected socket and its address,
    /// an error, or `Pending`: call again when the owner is driven, because a socket is ready or
    /// [`next_deadline`](Self::next_deadline) has passed.
    ///
    /// On success all other attempts are closed.
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

    /// Extends the deadline for an attempt that was due before it but could not begin because the
    /// loop was late.
    fn make_up_for_delay(&mut self, now: Instant) {
        let due = !self.waiting.is_empty() && self.next_attempt < self.deadline;
        if due && now >= self.deadline {
            self.deadline = after(self.deadline, now.duration_since(self.next_attempt));
        }
    }

    /// Returns the latest time of the next [`drive`](Self::drive).
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        if self.waiting.is_empty() { self.deadline } else { self.next_attempt.min(self.deadline) }
    }

    /// Returns addresses with true if they connected. False means that an address refused, or was
    /// silent until another connected or the deadline passed. Each result is returned once. See
    /// [`FailedAddresses`](crate::reactor::FailedAddresses).
    pub fn take_results(&mut self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.results.drain(..)
    }

    /// Records as failed the silent attempts whose start satisfies `enough`: they had enough time.
    fn note_silent(&mut self, enough: impl Fn(Instant) -> bool) {
        let silent = self.attempts.iter().filter(|attempt| enough(attempt.2));
        self.results.extend(silent.map(|attempt| (attempt.1, false)));
    }

    /// Rejects a connected address: what was to follow on the connection has failed. Returns true if
    /// there are further addresses, which the next [`drive`](Self::drive) tries.
    pub fn reject(&mut self, address: SocketAddr) -> bool {
        self.results.push((address, false));
        !self.waiting.is_empty()
    }

    /// Closes all attempts under way.
    pub fn cancel<M>(&mut self, reactor: &mut Reactor<M>) {
        for (io, ..) in self.attempts.drain(..) {
            reactor.close(io);
        }
    }

    /// Removes and returns a successful attempt. Closes failed ones.
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

    /// Records a failed attempt. Want of descriptors is not the fault of the address.
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

/// Returns `now + time`. A sum beyond the range of [`Instant`] stands for 'never', and a century is
/// long enough.
pub(super) fn after(now: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(time).unwrap_or_else(|| now + CENTURY)
}
