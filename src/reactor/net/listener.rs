//! Accepting connections as fast as they can be borne, and no faster.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::reactor::arena::Token;
use crate::reactor::{Reactor, Wake};

use super::transport::{Endpoint, SocketId};

/// Connections taken in one drive; the rest waits for the next turn.
const BATCH: usize = 64;
/// How long to leave the backlog alone when the process or the machine is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket with its own idea of when to accept.
///
/// After an accept fails for want of descriptors, no event tells when there are some again; so the
/// listener pauses and tries anew by the clock. At a cap of its owner it stops until told to resume.
#[derive(Debug)]
pub struct Listener {
    io: SocketId,
    address: SocketAddr,
    owner: Token,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Accepting,
    Paused { until: Instant },
    Full,
}

/// How a batch of accepts ended.
#[derive(Debug)]
pub enum Accepted {
    /// Nobody waits any more, or accepting is paused.
    Drained,
    /// There may be more; the owner is driven again in the next turn.
    More,
    /// The owner's room is used up; nothing is accepted until [`Listener::resume`].
    Full,
    /// There are no descriptors (or no memory for a socket): free some. Accepting pauses until
    /// [`Listener::next_deadline`].
    Exhausted(io::Error),
    /// The listener has failed, as one does that was shut down by who else has it. Accepting
    /// pauses as well: the error would be the same for as long as the cause lasts.
    Failed(io::Error),
}

impl Listener {
    /// Listens at an endpoint, such as an address, for the object `owner`.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn bind<M>(
        reactor: &mut Reactor<M>,
        endpoint: impl Into<Endpoint>,
        owner: Token,
    ) -> io::Result<Self> {
        let io = reactor.listen(endpoint, owner)?;
        Self::on(reactor, io, owner)
    }

    /// Listens at `path` in the file system; see [`Reactor::listen_local`].
    ///
    /// # Errors
    /// As [`Reactor::listen_local`].
    pub fn bind_local<M>(reactor: &mut Reactor<M>, path: &Path, owner: Token) -> io::Result<Self> {
        let io = reactor.listen_local(path, owner)?;
        Self::on(reactor, io, owner)
    }

    /// Takes over a listener opened elsewhere.
    ///
    /// # Errors
    /// As [`Reactor::adopt`].
    pub fn adopt<M>(
        reactor: &mut Reactor<M>,
        listener: TcpListener,
        owner: Token,
    ) -> io::Result<Self> {
        let io = reactor.adopt(listener, owner)?;
        Self::on(reactor, io, owner)
    }

    fn on<M>(reactor: &mut Reactor<M>, io: SocketId, owner: Token) -> io::Result<Self> {
        match reactor.local_address(io) {
            Ok(address) => Ok(Self { io, address, owner, state: State::Accepting }),
            Err(error) => {
                reactor.close(io);
                Err(error)
            }
        }
    }

    /// The address listened on, with the port the system picked if 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Appends up to 64 connections to `accepted`, but no more than there is `room` for.
    pub fn accept<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        room: usize,
        accepted: &mut Vec<(SocketId, SocketAddr)>,
    ) -> Accepted {
        match self.state {
            State::Full => return Accepted::Full,
            State::Paused { until } if until > reactor.now().mono => return Accepted::Drained,
            _ => self.state = State::Accepting,
        }
        let before = accepted.len();
        for _ in 0..BATCH {
            if accepted.len() - before >= room {
                self.state = State::Full;
                return Accepted::Full;
            }
            match reactor.accept(self.io) {
                Poll::Pending => return Accepted::Drained,
                Poll::Ready(Ok(connection)) => accepted.push(connection),
                Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
                Poll::Ready(Err(error)) => {
                    self.state = State::Paused { until: reactor.now().mono + PAUSE };
                    let exhausted = is_exhaustion(&error);
                    return if exhausted { Accepted::Exhausted } else { Accepted::Failed }(error);
                }
            }
        }
        reactor.wake(self.owner);
        Accepted::More
    }

    /// Ends [`Accepted::Full`].
    pub fn resume(&mut self, reactor: &mut impl Wake) {
        if self.state == State::Full {
            self.state = State::Accepting;
            reactor.wake(self.owner);
        }
    }

    /// When the owner is to be driven to try again.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Accepting | State::Full => None,
        }
    }

    /// Stops listening; who is in the backlog is reset.
    pub fn close<M>(self, reactor: &mut Reactor<M>) {
        reactor.close(self.io);
    }
}

/// Whether only the connection that was to be accepted has failed, while it waited.
fn is_of_one_connection(error: &io::Error) -> bool {
    let of_network = [
        libc::ECONNABORTED,
        libc::EHOSTDOWN,
        libc::EHOSTUNREACH,
        libc::EINTR,
        libc::ENETDOWN,
        libc::ENETUNREACH,
        libc::ENONET,
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP,
        libc::EPROTO,
        libc::ETIMEDOUT,
    ];
    error.raw_os_error().is_some_and(|code| of_network.contains(&code))
}

/// Whether an error says that the process or the machine has no descriptors, or no memory for a
/// socket, to be had: closing something helps.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
