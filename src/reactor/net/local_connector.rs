//! Connecting to a Unix socket within a deadline.

use std::io;
use std::path::PathBuf;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::reactor::Reactor;
use crate::reactor::arena::Token;

use super::connector::after;
use super::transport::SocketId;

/// Pause after a connect that failed because the backlog of the listener is full. No event tells
/// that there is room again.
const PAUSE: Duration = Duration::from_millis(10);

/// An attempt to connect to the Unix socket at a path, as [`Connector`](super::connector::Connector)
/// does to addresses.
///
/// A full backlog is no failure: the connect is repeated every 10 ms until the deadline. The other
/// errors of `connect(2)` are final, because they persist: no file (`NotFound`), no listener
/// (`ConnectionRefused`), no permission (`PermissionDenied`).
///
/// The object that wants the connection owns the connector and its socket: it calls
/// [`drive`](Self::drive) whenever it is driven, sets [`next_deadline`](Self::next_deadline), and
/// calls [`cancel`](Self::cancel) if it no longer wants the connection. Dropping a connector that
/// is `Pending` may leave a socket open in the reactor.
#[derive(Debug)]
pub struct LocalConnector {
    owner: Token,
    path: PathBuf,
    attempt: Option<SocketId>,
    next_attempt: Instant,
    deadline: Instant,
    /// True if the backlog was full at the last attempt.
    was_full: bool,
}

impl LocalConnector {
    /// Creates a connector to the socket at `path`. Its socket belongs to `owner`, which has to call
    /// [`drive`](Self::drive) once to begin. `timeout` limits all attempts together.
    pub fn new(owner: Token, path: impl Into<PathBuf>, now: Instant, timeout: Duration) -> Self {
        Self {
            owner,
            path: path.into(),
            attempt: None,
            next_attempt: now,
            deadline: after(now, timeout),
            was_full: false,
        }
    }

    /// Continues as far as possible without waiting. Returns the connected socket, an error, or
    /// `Pending`: call again when the owner is driven, because the socket is ready or
    /// [`next_deadline`](Self::next_deadline) has passed.
    ///
    /// The error at the deadline is [`io::ErrorKind::TimedOut`], also if the backlog was full all
    /// the time.
    pub fn drive<M>(&mut self, reactor: &mut Reactor<M>) -> Poll<io::Result<SocketId>> {
        let now = reactor.now().mono;
        self.make_up_for_delay(now);
        if self.attempt.is_none() && now >= self.next_attempt && now < self.deadline {
            match reactor.connect_local(&self.path, self.owner) {
                Ok(io) => (self.attempt, self.was_full) = (Some(io), false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.was_full = true;
                    self.next_attempt = after(now, PAUSE);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if let Some(io) = self.attempt
            && let Poll::Ready(connected) = reactor.connected(io)
        {
            self.attempt = None;
            if connected.is_err() {
                reactor.close(io);
            }
            return Poll::Ready(connected.map(|()| io));
        }
        if now >= self.deadline {
            self.cancel(reactor);
            return Poll::Ready(Err(self.timed_out()));
        }
        Poll::Pending
    }

    /// Extends the deadline for an attempt that was due before it but could not begin because the
    /// loop was late.
    fn make_up_for_delay(&mut self, now: Instant) {
        let due = self.attempt.is_none() && self.next_attempt < self.deadline;
        if due && now >= self.deadline {
            self.deadline = after(self.deadline, now.duration_since(self.next_attempt));
        }
    }

    /// Returns the latest time of the next [`drive`](Self::drive).
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        match self.attempt {
            Some(_) => self.deadline,
            None => self.next_attempt.min(self.deadline),
        }
    }

    /// Closes the socket of an attempt under way.
    pub fn cancel<M>(&mut self, reactor: &mut Reactor<M>) {
        if let Some(io) = self.attempt.take() {
            reactor.close(io);
        }
    }

    fn timed_out(&self) -> io::Error {
        let text = match self.was_full {
            true => "the listener accepts no connection: its backlog was full for the time allowed",
            false => "no connection within the time allowed",
        };
        io::Error::new(io::ErrorKind::TimedOut, text)
    }
}
