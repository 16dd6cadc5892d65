//! What can be done with sockets: none of it waits.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::task::Poll;

use crate::reactor::Reactor;
use crate::reactor::arena::Token;
use crate::reactor::ready::Ready;
use crate::reactor::run_queue::WakeReason;

use super::transport::{Endpoint, SocketId, Transport, TransportEvent};

impl<M> Reactor<M> {
    /// Listens at an endpoint, such as an address; `owner` is driven when there are connections to
    /// accept.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn listen(&mut self, endpoint: impl Into<Endpoint>, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.listen(endpoint.into())?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Takes in a listener opened elsewhere, such as one inherited from a service manager.
    ///
    /// # Errors
    /// If it cannot be made nonblocking or registered.
    pub fn adopt(&mut self, listener: TcpListener, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.adopt(listener)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Listens at `path` in the file system, where only the owner of this process can connect. A
    /// socket that a dead process has left there is replaced; the file goes with the listener. Its
    /// connections have no addresses: `0.0.0.0:0` stands for them.
    ///
    /// # Errors
    /// As `bind(2)`; `AddrInUse` if somebody listens there, or if it is no socket.
    pub fn listen_local(&mut self, path: &Path, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.listen_local(path)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Connects to who listens at `path`, as [`connect`](Self::connect) does to an address.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub fn connect_local(&mut self, path: &Path, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect_local(path)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Takes a connection from a listener. It has no owner yet; see [`set_owner`](Self::set_owner).
    pub fn accept(&mut self, listener: SocketId) -> Poll<io::Result<(SocketId, SocketAddr)>> {
        let accepted = self.attempt(listener, Ready::READABLE, |net| net.accept(listener));
        if let Poll::Ready(Ok((io, _))) = accepted {
            self.sockets.insert(io, Ready::READABLE.union(Ready::WRITABLE), None);
        }
        accepted
    }

    /// Begins to connect; `owner` is driven when [`connected`](Self::connected) has an answer.
    ///
    /// # Errors
    /// As `connect(2)`, for what is known at once.
    pub fn connect(&mut self, address: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect(address)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// How a begun connect stands.
    pub fn connected(&mut self, io: SocketId) -> Poll<io::Result<()>> {
        self.attempt(io, Ready::WRITABLE, |net| net.connected(io))
    }

    /// Appends to `into` what can be read, up to its spare capacity, which must not be empty.
    /// `Ok(0)` is the end of the stream.
    ///
    /// # Panics
    /// If `into` has no spare capacity.
    pub fn recv(&mut self, io: SocketId, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let room = into.capacity() - into.len();
        assert!(room > 0, "a read without room would look like the end of the stream");
        let received = self.attempt(io, Ready::READABLE, |net| net.recv(io, into));
        if let Poll::Ready(Ok(n)) = received
            && n < room
            && let Some(state) = self.sockets.get_mut(io)
            && !state.ready.intersects(Ready::CLOSED.union(Ready::URGENT))
        {
            // Drained: the kernel tells when more comes. It would not tell of an end that came
            // with these bytes, nor of those behind an urgent mark, but then the event said so.
            state.ready = state.ready.without(Ready::READABLE);
        }
        received
    }

    /// Receives as [`recv`](Self::recv) does, but asks the socket itself, though the last poll may
    /// have reported nothing: for a decision that must not miss what has come since.
    ///
    /// # Panics
    /// If `into` has no spare capacity.
    pub fn recv_now(&mut self, io: SocketId, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if let Some(state) = self.sockets.get_mut(io) {
            state.ready = state.ready.union(Ready::READABLE);
        }
        self.recv(io, into)
    }

    /// Writes from the slices in their order, as much as there is room for.
    pub fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent = self.attempt(io, Ready::WRITABLE, |net| net.send(io, from));
        if let Poll::Ready(Ok(n)) = sent
            && n < from.iter().map(|slice| slice.len()).sum()
            && let Some(state) = self.sockets.get_mut(io)
        {
            state.ready = state.ready.without(Ready::WRITABLE); // full: the kernel tells of room
        }
        sent
    }

    /// Opens a socket for datagrams at `address`; `owner` is driven when some have come.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn bind_datagrams(&mut self, address: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.bind_datagrams(address)?;
        self.sockets.insert(io, Ready::WRITABLE, Some(owner));
        Ok(io)
    }

    /// Opens a socket for datagrams to and from `peer` alone, at a port that the system picks;
    /// `owner` is driven when some have come, or when there turns out to be nobody.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub fn connect_datagrams(&mut self, peer: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect_datagrams(peer)?;
        self.sockets.insert(io, Ready::WRITABLE, Some(owner));
        Ok(io)
    }

    /// Appends the next datagram to `into`, or as much of it as there is spare capacity for, and
    /// says who sent it.
    pub fn recv_datagram(
        &mut self,
        io: SocketId,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.attempt(io, Ready::READABLE, |net| net.recv_datagram(io, into))
    }

    /// Sends a datagram, whole; it may be lost. A socket that is bound needs to be told `to` whom.
    pub fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<()>> {
        self.attempt(io, Ready::WRITABLE, |net| net.send_datagram(io, from, to))
    }

    /// Ends the stream to the peer; its own may go on.
    ///
    /// # Errors
    /// As `shutdown(2)`.
    pub fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        self.transport.shutdown(io)
    }

    /// Closes the socket; what was written is still delivered, unless something had come that was
    /// not read: the peer sees a reset then (RFC 9293 §3.6.1). Closing twice does nothing.
    pub fn close(&mut self, io: SocketId) {
        self.sockets.remove(io);
        self.transport.close(io);
    }

    /// Closes a connection so that the peer sees a reset and cannot take what it has for whole.
    pub fn reset(&mut self, io: SocketId) {
        self.sockets.remove(io);
        self.transport.reset(io);
    }

    /// Hands a socket to another object. That is driven if something has come which it could miss:
    /// there may be something to read, or the socket has failed. Room to write is no reason, since
    /// nearly every socket has it: whoever has something to write does so, or is woken.
    pub fn set_owner(&mut self, io: SocketId, owner: Token) {
        if let Some(state) = self.sockets.get_mut(io) {
            state.owner = Some(owner);
            if state.ready.without(Ready::WRITABLE) != Ready::NONE {
                self.run.wake(owner, WakeReason::READY);
            }
        }
    }

    /// What the socket is known to be ready for.
    #[must_use]
    pub fn ready(&self, io: SocketId) -> Ready {
        self.sockets.get(io).map_or(Ready::NONE, |state| state.ready)
    }

    /// The address of this side of a socket.
    ///
    /// # Errors
    /// As `getsockname(2)`.
    pub fn local_address(&self, io: SocketId) -> io::Result<SocketAddr> {
        self.transport.local_address(io)
    }

    /// How many sockets are open.
    #[must_use]
    pub const fn open_sockets(&self) -> usize {
        self.sockets.open()
    }

    fn attempt<T>(
        &mut self,
        io: SocketId,
        needs: Ready,
        operation: impl FnOnce(&mut dyn Transport) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let Some(state) = self.sockets.get_mut(io) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if !state.ready.contains(needs) {
            return Poll::Pending;
        }
        match operation(&mut *self.transport) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.ready = state.ready.without(needs);
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    /// Takes in what a transport has reported: how many sockets, and whether there is mail or a
    /// signal.
    pub(crate) fn note(&mut self, reports: &mut Vec<TransportEvent>) -> (usize, bool) {
        let (mut sockets, mut noticed) = (0, false);
        for report in reports.drain(..) {
            match report {
                TransportEvent::Ready(io, ready) => {
                    self.note_ready(io, ready);
                    sockets += 1;
                }
                TransportEvent::Notice => noticed = true,
            }
        }
        (sockets, noticed)
    }

    fn note_ready(&mut self, io: SocketId, ready: Ready) {
        if let Some(state) = self.sockets.get_mut(io) {
            let fresh = ready.without(state.ready);
            state.ready = state.ready.union(ready);
            if let Some(owner) = state.owner.filter(|_| fresh != Ready::NONE) {
                self.run.wake(owner, WakeReason::READY);
            }
        }
    }
}
