//! Listeners that accept no more connections than the program can hold.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::reactor::arena::Token;
use crate::reactor::{Reactor, Wake};

use super::transport::{Endpoint, LocalOptions, SocketId};

/// Connections accepted in one call; the rest waits for the next turn.
const BATCH: usize = 64;
/// Pause after an accept that failed, because the process or the machine is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket that decides when to accept.
///
/// No event tells that descriptors are available again after an accept failed for want of them, so
/// the listener pauses and retries after a time ([`next_deadline`](Self::next_deadline)). When its
/// owner has no room, the listener stops until [`resume`](Self::resume).
///
/// The owner calls [`accept`](Self::accept) whenever it is driven, passes
/// [`next_deadline`](Self::next_deadline) to [`Reactor::set_deadline`] afterwards, and gives each
/// connection an owner.
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

/// Result of [`Listener::accept`].
#[derive(Debug)]
pub enum Accepted {
    /// The backlog is empty, or accepting is paused.
    Drained,
    /// The backlog may hold more connections; the owner is driven again in the next turn.
    More,
    /// The given room is used up; nothing is accepted until [`Listener::resume`].
    Full,
    /// No descriptors, or no memory for a socket, are available: close something. Accepting pauses
    /// until [`Listener::next_deadline`].
    Exhausted(io::Error),
    /// The listener has failed, for example because another process that shares it has shut it
    /// down. Accepting pauses, too, because the error persists for as long as its cause.
    Failed(io::Error),
}

impl Listener {
    /// Listens at an endpoint or address. `owner` is driven when connections can be accepted.
    ///
    /// # Errors
    /// The errors of [`Reactor::listen`].
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
    /// The errors of [`Reactor::listen_local`].
    pub fn bind_local<M>(reactor: &mut Reactor<M>, path: &Path, owner: Token) -> io::Result<Self> {
        let io = reactor.listen_local(path, owner)?;
        Self::on(reactor, io, owner)
    }

    /// Listens at `path` with these options; see [`Reactor::listen_local_with`].
    ///
    /// # Errors
    /// The errors of [`Reactor::listen_local_with`].
    pub fn bind_local_with<M>(
        reactor: &mut Reactor<M>,
        path: &Path,
        options: LocalOptions,
        owner: Token,
    ) -> io::Result<Self> {
        let io = reactor.listen_local_with(path, options, owner)?;
        Self::on(reactor, io, owner)
    }

    /// Listens on a socket that was opened elsewhere, such as one inherited from a service manager.
    ///
    /// # Errors
    /// The errors of [`Reactor::adopt`].
    pub fn adopt<M>(
        reactor: &mut Reactor<M>,
        listener: TcpListener,
        owner: Token,
    ) -> io::Result<Self> {
        let io = reactor.adopt(listener, owner)?;
        Self::on(reactor, io, owner)
    }

    /// Listens on a Unix socket that was opened elsewhere. Its file stays when the listener is closed.
    ///
    /// # Errors
    /// The errors of [`Reactor::adopt_local`].
    pub fn adopt_local<M>(
        reactor: &mut Reactor<M>,
        listener: UnixListener,
        owner: Token,
    ) -> io::Result<Self> {
        let io = reactor.adopt_local(listener, owner)?;
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

    /// Returns the address of the listener, with the port that the system picked if 0 was
    /// requested.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts up to 64 connections, but at most `room`, and appends them to `accepted`. They have
    /// no owner: call [`Reactor::set_owner`] for each.
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

    /// Resumes accepting after [`Accepted::Full`]. Call this whenever there is room again.
    pub fn resume(&mut self, reactor: &mut impl Wake) {
        if self.state == State::Full {
            self.state = State::Accepting;
            reactor.wake(self.owner);
        }
    }

    /// Returns the time at which the owner has to call [`accept`](Self::accept) again after a
    /// failure; `None` if accepting is not paused.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Accepting | State::Full => None,
        }
    }

    /// Closes the listener. Connections in its backlog are reset.
    pub fn close<M>(self, reactor: &mut Reactor<M>) {
        reactor.close(self.io);
    }
}

/// Returns true if only the connection at the head of the backlog has failed, while it waited.
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

/// Returns true if the process or the machine has no descriptors left, or no memory for a socket.
/// Closing something helps.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
