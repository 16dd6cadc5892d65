//! The transport over TCP, UDP and Unix sockets: epoll through mio, and socket options on
//! listeners, from which connections inherit them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token as Key, Waker};
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};

use crate::reactor::arena::{Arena, Id};
use crate::reactor::os;
use crate::reactor::ready::Ready;

use super::local::{self, LocalListener};
use super::open::open_listener;
use super::transport::{
    Endpoint, FileRange, LocalOptions, NO_ADDRESS, SocketId, Transport, TransportEvent,
};

/// Unsent bytes in the kernel's buffer of a connection above which the connection is not writable.
/// Without this limit, one stalled reader holds megabytes of kernel memory.
const UNSENT_LOW_WATER: u32 = 128 * 1024;
/// Events fetched from the kernel at once.
const EVENTS: usize = 256;
/// Fetches in one poll, while there are more events: ready sockets beyond 65,536 wait for the next
/// poll.
const ROUNDS: usize = 256;
/// Key of notices. No socket has it, because the index in an arena stays far below.
const NOTICE: Key = Key(usize::MAX);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const ALL: Interest = BOTH.add(Interest::PRIORITY);

/// Sockets of the operating system: TCP, UDP and Unix sockets on `epoll(7)`.
///
/// TCP listeners have `SO_REUSEADDR`, a backlog of 4,096, and `IPV6_V6ONLY` for an IPv6
/// [`Endpoint::Address`]. TCP connections have `TCP_NODELAY`, and `TCP_NOTSENT_LOWAT` of 128 KiB,
/// which limits the unsent bytes that a slow reader holds in the kernel. Connections accepted from
/// an adopted listener have both as well.
#[derive(Debug)]
pub struct TcpTransport {
    poll: Poll,
    events: Events,
    sockets: Arena<Open>,
    /// Accepted connections not registered with epoll yet. They are registered at the end of the
    /// turn, so that a connection which was answered and closed within the turn never is.
    accepted: Vec<SocketId>,
    waker: Arc<Waker>,
}

#[derive(Debug)]
enum Open {
    Listener(TcpListener),
    Stream(TcpStream),
    LocalListener(LocalListener),
    LocalStream(UnixStream),
    Datagrams(UdpSocket),
}

impl TcpTransport {
    /// Creates a transport without sockets.
    ///
    /// # Errors
    /// The errors of `epoll_create1(2)` and `eventfd(2)`.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), NOTICE)?);
        let events = Events::with_capacity(EVENTS);
        Ok(Self { poll, events, sockets: Arena::new(), accepted: Vec::new(), waker })
    }

    /// Stores and registers a socket.
    fn open(&mut self, socket: Open) -> io::Result<SocketId> {
        let io = self.sockets.insert(socket).retyped();
        if let Err(error) = self.register(io) {
            self.sockets.remove(io.retyped());
            return Err(error);
        }
        Ok(io)
    }

    fn register(&mut self, io: SocketId) -> io::Result<()> {
        let registry = self.poll.registry();
        match self.sockets.get_mut(io.retyped()) {
            Some(Open::Listener(listener)) => {
                registry.register(listener, key(io), Interest::READABLE)
            }
            Some(Open::Stream(stream)) => registry.register(stream, key(io), ALL),
            Some(Open::LocalListener(local)) => {
                registry.register(&mut local.listener, key(io), Interest::READABLE)
            }
            Some(Open::LocalStream(stream)) => registry.register(stream, key(io), ALL),
            Some(Open::Datagrams(socket)) => registry.register(socket, key(io), BOTH),
            None => Ok(()), // closed before it was registered
        }
    }

    fn register_accepted(&mut self, reports: &mut Vec<TransportEvent>) {
        let mut accepted = std::mem::take(&mut self.accepted);
        for io in accepted.drain(..) {
            if self.register(io).is_err() {
                // Without registration, no event is ever reported. This report makes the owner look
                // at the socket, find it failed, and close it.
                self.reset(io);
                reports.push(TransportEvent::Ready(io, Ready::ERROR.union(Ready::READABLE)));
            }
        }
        self.accepted = accepted;
    }

    fn stream(&self, io: SocketId) -> io::Result<&TcpStream> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Stream(stream)) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn datagrams(&self, io: SocketId) -> io::Result<&UdpSocket> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Datagrams(socket)) => Ok(socket),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Transport for TcpTransport {
    fn poll(
        &mut self,
        reports: &mut Vec<TransportEvent>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.register_accepted(reports); // accepted outside of a turn
        let mut timeout = if reports.is_empty() { timeout } else { Some(Duration::ZERO) };
        for _ in 0..ROUNDS {
            let before = reports.len();
            let more = match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => {
                    reports.extend(self.events.iter().map(report));
                    reports.len() - before == EVENTS
                }
                // The signal was meant for another part of the program, or the process was stopped
                // and continued: poll once more without waiting, so that what is ready is not
                // missed.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    timeout != Some(Duration::ZERO)
                }
                Err(error) => return Err(error),
            };
            if !more {
                break;
            }
            timeout = Some(Duration::ZERO);
        }
        Ok(())
    }

    fn listen(&mut self, endpoint: Endpoint) -> io::Result<SocketId> {
        self.adopt(open_listener(endpoint)?)
    }

    fn adopt(&mut self, listener: std::net::TcpListener) -> io::Result<SocketId> {
        listener.set_nonblocking(true)?;
        let socket = SockRef::from(&listener);
        // Accepted connections inherit both options, which saves two calls for each.
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_LOW_WATER)?;
        self.open(Open::Listener(TcpListener::from_std(listener)))
    }

    fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)> {
        let (stream, peer) = match self.sockets.get(listener.retyped()) {
            Some(Open::Listener(listener)) => {
                let (stream, peer) = listener.accept()?;
                (Open::Stream(stream), peer)
            }
            Some(Open::LocalListener(local)) => {
                (Open::LocalStream(local.listener.accept()?.0), NO_ADDRESS)
            }
            _ => return Err(io::ErrorKind::NotConnected.into()),
        };
        let io = self.sockets.insert(stream).retyped();
        self.accepted.push(io);
        Ok((io, peer))
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        let domain = Domain::for_address(address);
        let socket = RawSocket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_LOW_WATER)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        self.open(Open::Stream(TcpStream::from_std(socket.into())))
    }

    fn listen_local(&mut self, path: &Path, options: LocalOptions) -> io::Result<SocketId> {
        self.open(Open::LocalListener(LocalListener::bind(path, options)?))
    }

    fn adopt_local(&mut self, listener: UnixListener) -> io::Result<SocketId> {
        self.open(Open::LocalListener(LocalListener::adopt(listener)?))
    }

    fn connect_local(&mut self, path: &Path) -> io::Result<SocketId> {
        self.open(Open::LocalStream(local::connect(path)?))
    }

    fn connected(&mut self, io: SocketId) -> io::Result<()> {
        if let Some(Open::LocalStream(_)) = self.sockets.get(io.retyped()) {
            return Ok(());
        }
        let stream = self.stream(io)?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error),
        }
    }

    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Stream(stream)) => uninterrupted(|| os::recv(stream, into, most)),
            Some(Open::LocalStream(stream)) => uninterrupted(|| os::recv(stream, into, most)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Stream(stream)) => uninterrupted(|| os::send(stream, from)),
            Some(Open::LocalStream(stream)) => uninterrupted(|| os::send(stream, from)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn send_file(&mut self, io: SocketId, lead: &[u8], file: FileRange<'_>) -> io::Result<usize> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Stream(stream)) => send_file(stream, lead, file),
            Some(Open::LocalStream(stream)) => send_file(stream, lead, file),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn bind_datagrams(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        self.open(Open::Datagrams(UdpSocket::bind(address)?))
    }

    fn connect_datagrams(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        // The socket is not bound: the kernel picks a port of its range, and the address that leads
        // to the peer.
        let socket = RawSocket::new(
            Domain::for_address(peer),
            Type::DGRAM.nonblocking(),
            Some(Protocol::UDP),
        )?;
        socket.connect(&peer.into())?;
        self.open(Open::Datagrams(UdpSocket::from_std(socket.into())))
    }

    fn recv_datagram(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<SocketAddr> {
        let socket = self.datagrams(io)?;
        uninterrupted(|| os::recv_from(socket, into))
    }

    fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<()> {
        let socket = self.datagrams(io)?;
        uninterrupted(|| match to {
            Some(to) => socket.send_to(from, to),
            None => socket.send(from),
        })
        .map(|_| ()) // a datagram is sent as a whole or not at all
    }

    fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        match self.sockets.get(io.retyped()) {
            Some(Open::LocalStream(stream)) => stream.shutdown(std::net::Shutdown::Write),
            _ => self.stream(io)?.shutdown(std::net::Shutdown::Write),
        }
    }

    fn close(&mut self, io: SocketId) {
        // Closing the only descriptor of a socket removes it from the epoll set; an inherited
        // listener may have further descriptors.
        let _ = match self.sockets.remove(io.retyped()) {
            Some(Open::Listener(mut listener)) => self.poll.registry().deregister(&mut listener),
            Some(Open::LocalListener(mut local)) => {
                self.poll.registry().deregister(&mut local.listener)
            }
            _ => Ok(()),
        };
    }

    fn reset(&mut self, io: SocketId) {
        if let Ok(stream) = self.stream(io) {
            // If the option cannot be set, the peer sees an ordinary close, and nothing else can be
            // done.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        self.close(io);
    }

    fn local_address(&self, io: SocketId) -> io::Result<SocketAddr> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Listener(listener)) => listener.local_addr(),
            Some(Open::Stream(stream)) => stream.local_addr(),
            Some(Open::Datagrams(socket)) => socket.local_addr(),
            Some(Open::LocalListener(_) | Open::LocalStream(_)) => Ok(NO_ADDRESS),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn waker(&self) -> Option<Arc<Waker>> {
        Some(Arc::clone(&self.waker))
    }

    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        self.poll.registry().register(
            &mut SourceFd(&descriptor.as_raw_fd()),
            NOTICE,
            Interest::READABLE,
        )
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.poll.registry().as_fd())
    }

    fn end_turn(&mut self, reports: &mut Vec<TransportEvent>) {
        self.register_accepted(reports);
    }
}

/// Sends `lead`, then bytes of a file.
fn send_file(socket: &impl AsFd, lead: &[u8], file: FileRange<'_>) -> io::Result<usize> {
    let mut sent = 0;
    if !lead.is_empty() {
        sent = uninterrupted(|| os::send_more(socket, lead))?;
        if sent < lead.len() {
            return Ok(sent);
        }
    }
    match uninterrupted(|| os::send_file(socket, file)) {
        Ok(of_file) => Ok(sent + of_file),
        Err(_) if sent > 0 => Ok(sent), // the next call meets the error again
        Err(error) => Err(error),
    }
}

fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn key(io: SocketId) -> Key {
    Key((io.generation() as usize) << 32 | io.index())
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves that `key` has joined")]
fn report(event: &Event) -> TransportEvent {
    let key = event.token();
    if key == NOTICE {
        return TransportEvent::Notice;
    }
    let bits = [
        (event.is_readable(), Ready::READABLE),
        (event.is_writable(), Ready::WRITABLE),
        (event.is_read_closed(), Ready::CLOSED.union(Ready::READABLE)),
        (event.is_priority(), Ready::URGENT.union(Ready::READABLE)),
        (event.is_error(), Ready::ERROR.union(Ready::READABLE).union(Ready::WRITABLE)),
    ];
    let ready = bits.iter().filter(|bit| bit.0).fold(Ready::NONE, |ready, bit| ready.union(bit.1));
    TransportEvent::Ready(Id::from_parts(key.0 as u32, (key.0 >> 32) as u32), ready)
}
