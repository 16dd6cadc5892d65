//! The transport over TCP, UDP and local sockets: mio's epoll below, socket options where they are inherited.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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
use super::transport::{Endpoint, NO_ADDRESS, SocketId, Transport, TransportEvent};

/// How many connections the kernel keeps for a listener until they are accepted.
const BACKLOG: i32 = 4096;
/// Unsent bytes in a connection's kernel buffer above which it is not writable. Without it one
/// reader that stalls holds megabytes of kernel memory.
const UNSENT_LOW_WATER: u32 = 128 * 1024;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// How often events are taken in one poll, while there are more: sockets beyond 65,536 that are ready
/// wait for the next.
const ROUNDS: usize = 256;
/// No socket has this key: an arena's index stays far below.
const NOTICE: Key = Key(usize::MAX);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const ALL: Interest = BOTH.add(Interest::PRIORITY);

/// Sockets of the operating system.
#[derive(Debug)]
pub struct TcpTransport {
    poll: Poll,
    events: Events,
    sockets: Arena<Open>,
    /// Accepted connections that epoll does not know yet. It is told at the end of the turn; those
    /// that were answered and closed until then it never needs to know.
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
    /// A transport with no sockets yet.
    ///
    /// # Errors
    /// As `epoll_create1(2)` and `eventfd(2)`.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), NOTICE)?);
        let events = Events::with_capacity(EVENTS);
        Ok(Self { poll, events, sockets: Arena::new(), accepted: Vec::new(), waker })
    }

    /// Takes a socket in and registers it.
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
            None => Ok(()), // closed already
        }
    }

    fn register_accepted(&mut self, reports: &mut Vec<TransportEvent>) {
        let mut accepted = std::mem::take(&mut self.accepted);
        for io in accepted.drain(..) {
            if self.register(io).is_err() {
                // No event would ever come for it. Its owner is to look at it, and give it up.
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
        self.register_accepted(reports); // between two turns
        let mut timeout = if reports.is_empty() { timeout } else { Some(Duration::ZERO) };
        for _ in 0..ROUNDS {
            let before = reports.len();
            let more = match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => {
                    reports.extend(self.events.iter().map(report));
                    reports.len() - before == EVENTS
                }
                // A signal for another part of the program, or the process was stopped and goes on:
                // an early return, but not without what is ready.
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
        let address = endpoint.address();
        let socket =
            RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // Or it would collide with a listener on the same port of IPv4.
            socket.set_only_v6(matches!(endpoint, Endpoint::Address(_)))?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        self.adopt(socket.into())
    }

    fn adopt(&mut self, listener: std::net::TcpListener) -> io::Result<SocketId> {
        listener.set_nonblocking(true)?;
        let socket = SockRef::from(&listener);
        // Accepted connections inherit both, which saves two calls for each.
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

    fn listen_local(&mut self, path: &Path) -> io::Result<SocketId> {
        self.open(Open::LocalListener(LocalListener::bind(path)?))
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

    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<usize> {
        match self.sockets.get(io.retyped()) {
            Some(Open::Stream(stream)) => uninterrupted(|| os::recv(stream, into)),
            Some(Open::LocalStream(stream)) => uninterrupted(|| os::recv(stream, into)),
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

    fn bind_datagrams(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        self.open(Open::Datagrams(UdpSocket::bind(address)?))
    }

    fn connect_datagrams(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        // Not bound: the kernel picks the port, any of its range, and the address that leads there.
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
        .map(|_| ()) // a datagram goes whole or not at all
    }

    fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        match self.sockets.get(io.retyped()) {
            Some(Open::LocalStream(stream)) => stream.shutdown(std::net::Shutdown::Write),
            _ => self.stream(io)?.shutdown(std::net::Shutdown::Write),
        }
    }

    fn close(&mut self, io: SocketId) {
        // Closing the only descriptor of a socket takes it out of the epoll set; a listener that
        // was inherited may have others.
        if let Some(Open::Listener(mut listener)) = self.sockets.remove(io.retyped()) {
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }

    fn reset(&mut self, io: SocketId) {
        if let Ok(stream) = self.stream(io) {
            // If it cannot be set, the peer sees an ordinary close, and that is all there is to do.
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

#[expect(clippy::cast_possible_truncation, reason = "the two halves of what `key` has joined")]
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
