//! The interface between a reactor and a network: TCP, or a simulation.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::reactor::arena::{Id, Token};
use crate::reactor::ready::Ready;

/// Bytes of a file that are sent.
#[derive(Clone, Copy, Debug)]
pub struct FileRange<'f> {
    /// The file.
    pub file: BorrowedFd<'f>,
    /// Offset of the first byte.
    pub at: u64,
    /// Most bytes that are sent.
    pub most: usize,
}

/// Marker type of [`SocketId`], without values.
#[derive(Debug)]
pub enum Socket {}

/// Name of a socket: a connection, a listener or a UDP socket. The name is copyable, and dropping
/// it closes nothing. Operations on a socket that was closed return
/// [`io::ErrorKind::NotConnected`].
pub type SocketId = Id<Socket>;

/// Connections that the kernel keeps for a listener until they are accepted.
pub(super) const BACKLOG: i32 = 4096;

/// Placeholder for the address of a Unix socket, which has none.
pub(crate) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Address of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address, for its own family only.
    Address(SocketAddr),
    /// A port on all addresses of IPv6 and IPv4 (RFC 3493 §5.3). IPv4 peers are reported with
    /// IPv4-mapped IPv6 addresses.
    Everywhere(u16),
}

impl Endpoint {
    /// Returns the address to bind to.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Address(address) => address,
            Self::Everywhere(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
        }
    }
}

/// Options of a listener at a path in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// Permissions of the file, such as `0o660`: a client needs the permission to write. The file
    /// has exactly these permissions, whatever the umask of the process is.
    pub mode: u32,
    /// Limit of connections that wait to be accepted. The kernel reduces it to
    /// `net.core.somaxconn`.
    pub backlog: i32,
}

impl LocalOptions {
    /// Options for a socket with few clients, which belong to the owner of the process.
    pub(crate) const CONTROL: Self = Self { mode: 0o600, backlog: 16 };
}

impl Default for LocalOptions {
    /// Returns options that admit only the owner of the process, with the backlog of TCP listeners.
    fn default() -> Self {
        Self { mode: 0o600, backlog: BACKLOG }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// A report of a [`Transport::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// The socket has become ready in the given ways.
    Ready(SocketId, Ready),
    /// The waker was woken, or a watched descriptor became readable.
    Notice,
}

/// A network of sockets with edge-triggered readiness.
///
/// No method but [`poll`](Self::poll) waits: an operation that cannot be done now fails with
/// [`io::ErrorKind::WouldBlock`], and a report follows once it can. A transport owes a report after
/// each of the following, and after nothing else: `WouldBlock`; a read that filled less than the
/// room it was given, once more has arrived; a write that took less than it was offered, once there
/// is room.
///
/// Only the transports of this crate create names of sockets, so another implementation has to wrap
/// one of them.
pub trait Transport: fmt::Debug {
    /// Waits for reports, at most for `timeout` (without limit if `None`), and appends all that
    /// there are to `reports`. May return early without any.
    ///
    /// # Errors
    /// Fails only if the network as a whole has failed.
    fn poll(
        &mut self,
        reports: &mut Vec<TransportEvent>,
        timeout: Option<Duration>,
    ) -> io::Result<()>;

    /// Opens a TCP listener.
    ///
    /// # Errors
    /// The errors of `bind(2)` and `listen(2)`.
    fn listen(&mut self, endpoint: Endpoint) -> io::Result<SocketId>;

    /// Takes over a TCP listener opened elsewhere, such as one inherited from a service manager.
    ///
    /// # Errors
    /// Fails if the listener cannot be registered, or if the transport has no such sockets.
    fn adopt(&mut self, listener: std::net::TcpListener) -> io::Result<SocketId>;

    /// Opens a Unix socket that listens at `path`. Replaces a socket left behind by a dead process.
    ///
    /// # Errors
    /// The errors of `bind(2)`; `AddrInUse` if another process listens at `path`, or if the file is
    /// not a socket.
    fn listen_local(&mut self, path: &Path, options: LocalOptions) -> io::Result<SocketId>;

    /// Takes over a Unix socket opened elsewhere. Its file stays when the listener is closed.
    ///
    /// # Errors
    /// Fails if the listener cannot be registered; `Unsupported` if the transport has no such sockets.
    fn adopt_local(&mut self, listener: UnixListener) -> io::Result<SocketId> {
        let _ = listener;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins to connect to the Unix socket at `path`, as [`connect`](Self::connect) does to an
    /// address.
    ///
    /// # Errors
    /// The errors of `connect(2)`; [`io::ErrorKind::WouldBlock`] if the backlog of the listener is
    /// full, after which no report follows.
    fn connect_local(&mut self, path: &Path) -> io::Result<SocketId>;

    /// Takes one connection from a listener's backlog. The connection counts as readable and
    /// writable.
    ///
    /// # Errors
    /// The errors of `accept(2)`.
    fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)>;

    /// Begins to connect. The socket is reported writable once the connect has succeeded or failed.
    ///
    /// # Errors
    /// The errors of `connect(2)`; `EINPROGRESS` is a success.
    fn connect(&mut self, address: SocketAddr) -> io::Result<SocketId>;

    /// Returns `Ok` once the socket is connected.
    ///
    /// # Errors
    /// Returns `WouldBlock` while the connect is under way, or the error with which it failed.
    fn connected(&mut self, io: SocketId) -> io::Result<()>;

    /// Appends at most `most` received bytes to `into`, up to its spare capacity, and returns their
    /// number. 0 is the end of the stream.
    ///
    /// # Errors
    /// The errors of `recv(2)`.
    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>, most: usize) -> io::Result<usize>;

    /// Sends from the slices in their order, as much as there is room for, and returns the number
    /// of bytes. Never raises SIGPIPE.
    ///
    /// # Errors
    /// The errors of `sendmsg(2)`.
    fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends `lead`, then up to `most` bytes of a file from offset `at`, as much as there is room for, and
    /// returns the number of bytes. A lead is sent in one packet with bytes of the file, if they fit. May raise SIGPIPE in a program that does not ignore it, as Rust programs do.
    ///
    /// # Errors
    /// The errors of `sendfile(2)`; `Unsupported` if the transport has no such call.
    fn send_file(&mut self, io: SocketId, lead: &[u8], file: FileRange<'_>) -> io::Result<usize> {
        let _ = (io, lead, file);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a UDP socket at `address`. The socket counts as writable.
    ///
    /// # Errors
    /// The errors of `bind(2)`.
    fn bind_datagrams(&mut self, address: SocketAddr) -> io::Result<SocketId>;

    /// Opens a UDP socket that exchanges datagrams with `peer` alone, at an unpredictable port if
    /// the system picks such ports. The socket counts as writable.
    ///
    /// # Errors
    /// The errors of `connect(2)`.
    fn connect_datagrams(&mut self, peer: SocketAddr) -> io::Result<SocketId>;

    /// Appends the next datagram to `into`, up to its spare capacity, and returns the sender's
    /// address.
    ///
    /// # Errors
    /// The errors of `recvfrom(2)`; `ConnectionRefused` if the peer's port is closed.
    fn recv_datagram(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<SocketAddr>;

    /// Sends a datagram as a whole; the network may lose it. `to` is needed for a socket that is
    /// not connected.
    ///
    /// # Errors
    /// The errors of `sendto(2)`.
    fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<()>;

    /// Closes the sending direction of a connection. Receiving remains possible.
    ///
    /// # Errors
    /// The errors of `shutdown(2)`.
    fn shutdown(&mut self, io: SocketId) -> io::Result<()>;

    /// Closes the socket. Bytes sent before are still delivered, unless received bytes were not
    /// read: the peer sees a reset then.
    fn close(&mut self, io: SocketId);

    /// Closes a connection with a reset, and drops bytes that were not sent yet. Unix sockets have
    /// no reset: they are closed.
    fn reset(&mut self, io: SocketId);

    /// Returns the local address of a socket.
    ///
    /// # Errors
    /// The errors of `getsockname(2)`.
    fn local_address(&self, io: SocketId) -> io::Result<SocketAddr>;

    /// Returns a handle that ends a poll from another thread; `None` if the transport never waits.
    fn waker(&self) -> Option<Arc<mio::Waker>>;

    /// Reports a [`TransportEvent::Notice`] whenever `descriptor` becomes readable.
    ///
    /// # Errors
    /// The errors of `epoll_ctl(2)`, or [`io::ErrorKind::Unsupported`].
    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()>;

    /// Returns a descriptor that becomes readable when a poll has something to report; `None` if
    /// there is none.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Called at the end of a turn, after which another loop may wait on the descriptor. Does what
    /// was deferred until then, and appends reports of sockets for which it failed to `reports`.
    fn end_turn(&mut self, _reports: &mut Vec<TransportEvent>) {}

    /// Changes the order in which objects are driven. A simulation shuffles it; others keep it.
    fn shuffle(&mut self, _run: &mut VecDeque<Token>) {}
}
