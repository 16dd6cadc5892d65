//! What a reactor asks of a network: the seam between it and either TCP or a simulation.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::reactor::arena::{Id, Token};
use crate::reactor::ready::Ready;

/// Marks the ids of sockets; see [`SocketId`].
#[derive(Debug)]
pub enum Socket {}

/// The name of a socket: a connection, a listener or one for datagrams. One that was closed finds nothing, and every
/// operation on it says [`io::ErrorKind::NotConnected`].
pub type SocketId = Id<Socket>;

/// What stands for the address of a local socket, which has none.
pub(crate) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The place of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address, for its family only.
    Address(SocketAddr),
    /// A port of all addresses, of IPv6 and of IPv4 (RFC 3493 §5.3): peers of IPv4 have mapped
    /// addresses.
    Everywhere(u16),
}

impl Endpoint {
    /// The address to bind to.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Address(address) => address,
            Self::Everywhere(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// One report of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// A socket became ready.
    Ready(SocketId, Ready),
    /// The waker was woken, or a watched descriptor became readable.
    Notice,
}

/// A network of sockets with edge-triggered readiness.
///
/// Everything is nonblocking: what cannot be done now is [`io::ErrorKind::WouldBlock`], and a
/// report follows once it can. A transport owes a report for each of these and for nothing less:
/// `WouldBlock`, a read that filled less than the room it was given (more has come since), a write
/// that took less than it was offered (there is room again).
///
/// The names of sockets are given by the transports of this crate; another wraps one of them.
pub trait Transport: fmt::Debug {
    /// Waits up to `timeout` (without end if `None`) for reports, and adds all there are to `reports`.
    /// May return early with none.
    ///
    /// # Errors
    /// Only if the network as a whole has failed.
    fn poll(
        &mut self,
        reports: &mut Vec<TransportEvent>,
        timeout: Option<Duration>,
    ) -> io::Result<()>;

    /// Opens a listening socket.
    ///
    /// # Errors
    /// As `bind(2)` and `listen(2)`.
    fn listen(&mut self, endpoint: Endpoint) -> io::Result<SocketId>;

    /// Takes in a socket that listens already, as one inherited from a service manager.
    ///
    /// # Errors
    /// If it cannot be registered, or where there are no such sockets.
    fn adopt(&mut self, listener: std::net::TcpListener) -> io::Result<SocketId>;

    /// Opens a listening socket at `path`, for the owner of this process only. A socket that a dead
    /// process has left there is replaced.
    ///
    /// # Errors
    /// As `bind(2)`; `AddrInUse` if somebody listens there, or if it is no socket.
    fn listen_local(&mut self, path: &Path) -> io::Result<SocketId>;

    /// Connects to who listens at `path`.
    ///
    /// # Errors
    /// As `connect(2)`.
    fn connect_local(&mut self, path: &Path) -> io::Result<SocketId>;

    /// Takes one connection from a listener's backlog. It counts as readable and writable.
    ///
    /// # Errors
    /// As `accept(2)`.
    fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)>;

    /// Begins to connect; the socket is reported writable when that has come to its end.
    ///
    /// # Errors
    /// As `connect(2)`, except that `EINPROGRESS` is success.
    fn connect(&mut self, address: SocketAddr) -> io::Result<SocketId>;

    /// How a begun connect stands: `Ok` once connected, `WouldBlock` while it is under way.
    ///
    /// # Errors
    /// Why the connect failed.
    fn connected(&mut self, io: SocketId) -> io::Result<()>;

    /// Appends to `into` what can be read, up to its spare capacity. 0 is the end of the stream.
    ///
    /// # Errors
    /// As `recv(2)`.
    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<usize>;

    /// Writes from the slices in their order, as much as there is room for. Never raises SIGPIPE.
    ///
    /// # Errors
    /// As `sendmsg(2)`.
    fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Opens a socket for datagrams at `address`. It counts as writable.
    ///
    /// # Errors
    /// As `bind(2)`.
    fn bind_datagrams(&mut self, address: SocketAddr) -> io::Result<SocketId>;

    /// Opens a socket for datagrams to and from `peer` alone, at a port that nobody can foretell
    /// where the system picks such. It counts as writable.
    ///
    /// # Errors
    /// As `connect(2)`.
    fn connect_datagrams(&mut self, peer: SocketAddr) -> io::Result<SocketId>;

    /// Appends the next datagram to `into`, or as much of it as there is spare capacity for, and
    /// says who sent it.
    ///
    /// # Errors
    /// As `recvfrom(2)`; `ConnectionRefused` if there is nobody at the peer's port.
    fn recv_datagram(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<SocketAddr>;

    /// Sends a datagram, whole; it may be lost. One that is bound needs to be told `to` whom.
    ///
    /// # Errors
    /// As `sendto(2)`.
    fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<()>;

    /// Ends the stream to the peer; its own may go on.
    ///
    /// # Errors
    /// As `shutdown(2)`.
    fn shutdown(&mut self, io: SocketId) -> io::Result<()>;

    /// Closes the socket. What was written is still delivered, unless something had come that was
    /// not read: the peer sees a reset then.
    fn close(&mut self, io: SocketId);

    /// Closes a connection so that the peer sees a reset, and drops what was written.
    fn reset(&mut self, io: SocketId);

    /// The address on this side.
    ///
    /// # Errors
    /// As `getsockname(2)`.
    fn local_address(&self, io: SocketId) -> io::Result<SocketAddr>;

    /// What ends a poll from another thread, if this transport can block.
    fn waker(&self) -> Option<Arc<mio::Waker>>;

    /// Reports a [`TransportEvent::Notice`] when `descriptor` becomes readable.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`, or [`io::ErrorKind::Unsupported`].
    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()>;

    /// The descriptor that becomes readable when a poll would report something, for embedding.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Everybody was driven; somebody else may wait on the descriptor now. Does what was put off
    /// until then, and adds to `reports` what has failed of it.
    fn end_turn(&mut self, _reports: &mut Vec<TransportEvent>) {}

    /// A simulation's chance to change the order in which objects are driven.
    fn shuffle(&mut self, _run: &mut VecDeque<Token>) {}
}
