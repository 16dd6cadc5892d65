//! Operations on sockets, none of which waits.

use std::any::Any;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::task::Poll;

use crate::reactor::Reactor;
use crate::reactor::arena::Token;
use crate::reactor::ready::Ready;
use crate::reactor::run_queue::WakeReason;

use super::layer::Layer;
use super::sockets::{Parts, SocketState};
use super::transport::{Endpoint, FileRange, LocalOptions, SocketId, Transport, TransportEvent};

/// Sockets. No operation waits: one that would block returns `Pending`, and the owner of the socket
/// is driven once it is possible. A socket that was closed returns [`io::ErrorKind::NotConnected`].
impl<M> Reactor<M> {
    /// Opens a TCP listener at an endpoint or address. `owner` is driven when connections can be
    /// accepted. [`Listener`](crate::reactor::Listener) also handles limits and want of
    /// descriptors.
    ///
    /// # Errors
    /// The errors of `bind(2)` and `listen(2)`.
    pub fn listen(&mut self, endpoint: impl Into<Endpoint>, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.listen(endpoint.into())?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Takes over a listener opened elsewhere, such as one inherited from a service manager.
    ///
    /// # Errors
    /// Fails if the listener cannot be made nonblocking or be registered.
    pub fn adopt(&mut self, listener: TcpListener, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.adopt(listener)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Takes over a Unix socket opened elsewhere, such as one inherited from a service manager. Its file
    /// stays when the listener is closed.
    ///
    /// # Errors
    /// Fails if the listener cannot be made nonblocking or be registered.
    pub fn adopt_local(&mut self, listener: UnixListener, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.adopt_local(listener)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Opens a Unix socket that listens at `path`, with a backlog of 16. Only the owner of this
    /// process can connect. A socket left behind by a dead process is replaced, and the file is
    /// removed when the listener is closed. The peers of its connections have no addresses;
    /// `0.0.0.0:0` is reported instead.
    ///
    /// # Errors
    /// The errors of `bind(2)`; `AddrInUse` if another process listens at `path`, or if the file is
    /// not a socket.
    pub fn listen_local(&mut self, path: &Path, owner: Token) -> io::Result<SocketId> {
        self.listen_local_with(path, LocalOptions::CONTROL, owner)
    }

    /// Opens a Unix socket that listens at `path` with these options, as
    /// [`listen_local`](Self::listen_local) does otherwise. The folder of `path` has to be one that
    /// other users cannot write to, or has to be sticky.
    ///
    /// # Errors
    /// The errors of [`listen_local`](Self::listen_local) and `chmod(2)`.
    pub fn listen_local_with(
        &mut self,
        path: &Path,
        options: LocalOptions,
        owner: Token,
    ) -> io::Result<SocketId> {
        let io = self.transport.listen_local(path, options)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Begins to connect to the Unix socket at `path`, as [`connect`](Self::connect) does to an
    /// address. [`LocalConnector`](crate::reactor::LocalConnector) also handles full backlogs and
    /// deadlines.
    ///
    /// # Errors
    /// The errors of `connect(2)`; [`io::ErrorKind::WouldBlock`] if the backlog of the listener is
    /// full, after which `owner` is not driven.
    pub fn connect_local(&mut self, path: &Path, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect_local(path)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Accepts a connection, and returns it with the address of its peer. The connection has no
    /// owner, and causes no drive until [`set_owner`](Self::set_owner) is called.
    pub fn accept(&mut self, listener: SocketId) -> Poll<io::Result<(SocketId, SocketAddr)>> {
        let accepted = self.attempt(listener, Ready::READABLE, |net| net.accept(listener));
        if let Poll::Ready(Ok((io, _))) = accepted {
            self.sockets.insert(io, Ready::READABLE.union(Ready::WRITABLE), None);
        }
        accepted
    }

    /// Begins to connect. `owner` is driven when [`connected`](Self::connected) has a result.
    ///
    /// # Errors
    /// The errors that `connect(2)` reports at once.
    pub fn connect(&mut self, address: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect(address)?;
        self.sockets.insert(io, Ready::NONE, Some(owner));
        Ok(io)
    }

    /// Returns the result of a connect: `Pending` while it is under way, `Ok` once the socket is
    /// connected.
    pub fn connected(&mut self, io: SocketId) -> Poll<io::Result<()>> {
        self.attempt(io, Ready::WRITABLE, |net| net.connected(io))
    }

    /// Appends received bytes to `into`, up to its spare capacity, and returns their number.
    /// `Ok(0)` is the end of the stream.
    ///
    /// # Panics
    /// Panics if `into` has no spare capacity, because the result would look like the end of the
    /// stream.
    pub fn recv(&mut self, io: SocketId, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let room = into.capacity() - into.len();
        assert!(room > 0, "a read without room would look like the end of the stream");
        let Some(Parts { mut wire, layer, owner }) = self.sockets.parts(io, &mut *self.transport)
        else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let Some(layer) = layer else { return poll_of(wire.recv(into, room)) };
        let received = poll_of(layer.recv(&mut wire, into));
        if received.is_pending() && wire.is_readable() {
            // The layer has done its share of work for one drive.
            owner.into_iter().for_each(|owner| self.run.wake(owner, WakeReason::READY));
        }
        received
    }

    /// Receives as [`recv`](Self::recv) does, but asks the kernel even if the last poll reported
    /// nothing. Meant for a decision that must not miss bytes received since that poll.
    ///
    /// # Panics
    /// Panics if `into` has no spare capacity.
    pub fn recv_now(&mut self, io: SocketId, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if let Some(state) = self.sockets.get_mut(io) {
            state.ready = state.ready.union(Ready::READABLE);
        }
        self.recv(io, into)
    }

    /// Sends from the slices in their order, as much as there is room for, and returns the number
    /// of bytes.
    ///
    /// Never raises SIGPIPE: if the peer is gone, the operation fails.
    pub fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Some(Parts { mut wire, layer, .. }) = self.sockets.parts(io, &mut *self.transport)
        else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        poll_of(match layer {
            Some(layer) => layer.send(&mut wire, from),
            None => wire.send(from),
        })
    }

    /// Sends `lead`, then bytes of a file, as much as there is room for, and returns the number of bytes. The
    /// bytes of the file do not pass through the program. Bytes that are not in memory are waited for:
    /// see [`is_in_memory`](crate::reactor::is_in_memory).
    ///
    /// # Errors
    /// Besides those of `sendfile(2)`, `Unsupported` if the socket has a layer, such as TLS, or if the
    /// transport has no such call.
    pub fn send_file(
        &mut self,
        io: SocketId,
        lead: &[u8],
        file: FileRange<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.has_layer(io) {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        }
        self.attempt(io, Ready::WRITABLE, |net| net.send_file(io, lead, file))
    }

    /// Returns true if a layer, such as TLS, stands between the socket and the program.
    pub fn has_layer(&mut self, io: SocketId) -> bool {
        let parts = self.sockets.parts(io, &mut *self.transport);
        parts.is_some_and(|parts| parts.layer.is_some())
    }

    /// Opens a UDP socket at `address`. `owner` is driven when datagrams have arrived.
    ///
    /// # Errors
    /// The errors of `bind(2)`.
    pub fn bind_datagrams(&mut self, address: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.bind_datagrams(address)?;
        self.sockets.insert(io, Ready::WRITABLE, Some(owner));
        Ok(io)
    }

    /// Opens a UDP socket that exchanges datagrams with `peer` alone, at a port that the system
    /// picks. `owner` is driven when datagrams have arrived, or when `peer` has reported its port
    /// as closed.
    ///
    /// # Errors
    /// The errors of `connect(2)`.
    pub fn connect_datagrams(&mut self, peer: SocketAddr, owner: Token) -> io::Result<SocketId> {
        let io = self.transport.connect_datagrams(peer)?;
        self.sockets.insert(io, Ready::WRITABLE, Some(owner));
        Ok(io)
    }

    /// Appends the next datagram to `into`, up to its spare capacity, and returns the sender's
    /// address. The rest of a longer datagram is lost.
    pub fn recv_datagram(
        &mut self,
        io: SocketId,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.attempt(io, Ready::READABLE, |net| net.recv_datagram(io, into))
    }

    /// Sends a datagram as a whole; the network may lose it. `to` is needed for a socket of
    /// [`bind_datagrams`](Self::bind_datagrams), and is `None` for a connected one.
    pub fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> Poll<io::Result<()>> {
        self.attempt(io, Ready::WRITABLE, |net| net.send_datagram(io, from, to))
    }

    /// Closes the sending direction of a connection: the peer sees the end of the stream after all
    /// bytes sent. Receiving remains possible.
    ///
    /// # Errors
    /// The errors of `shutdown(2)`.
    pub fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        match self.sockets.parts(io, &mut *self.transport) {
            Some(Parts { mut wire, layer: Some(layer), .. }) => {
                layer.shutdown(&mut wire);
                Ok(())
            }
            _ => self.transport.shutdown(io),
        }
    }

    /// Closes the socket. Bytes sent before are still delivered, unless received bytes were not
    /// read: the peer sees a reset then and may lose them (RFC 9293 §3.6.1). Closing a socket twice
    /// does nothing.
    pub fn close(&mut self, io: SocketId) {
        self.sockets.close(io, self.now.mono, &mut *self.transport);
    }

    /// Closes a connection with a reset, so that the peer cannot mistake the bytes it has received
    /// for the whole. Unix sockets have no reset: the peer sees the end of the stream.
    pub fn reset(&mut self, io: SocketId) {
        self.sockets.remove(io);
        self.transport.reset(io);
    }

    /// Puts a layer, such as TLS, between a connection and its owner, from now on. The layer replaces
    /// one that is there.
    pub fn secure(&mut self, io: SocketId, layer: Box<dyn Layer>) {
        if let Some(state) = self.sockets.get_mut(io) {
            state.layer = Some(layer);
        }
    }

    /// Removes the layer of a connection, which is a plain one from now on.
    pub fn strip(&mut self, io: SocketId) {
        if let Some(state) = self.sockets.get_mut(io) {
            state.layer = None;
        }
    }

    /// Returns the layer of a connection, if that has one of the type `L`.
    #[must_use]
    pub fn layer<L: Layer>(&self, io: SocketId) -> Option<&L> {
        let layer: &dyn Any = self.sockets.get(io)?.layer.as_deref()?;
        layer.downcast_ref()
    }

    /// Returns the bytes that wait in the layer of a connection to be sent; 0 without a layer.
    #[must_use]
    pub fn held(&self, io: SocketId) -> usize {
        let layer = self.sockets.get(io).and_then(|state| state.layer.as_deref());
        layer.map_or(0, Layer::held)
    }

    /// Continues the handshake of a connection's layer. Returns `Ok` once it is complete; a
    /// connection without a layer has none to complete. A turn takes 16 steps of handshakes: the
    /// owners of further connections are driven again in the next turn.
    pub fn handshake(&mut self, io: SocketId) -> Poll<io::Result<()>> {
        let Some(state) = self.sockets.get(io) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let owner = state.owner;
        if state.is_handshaking() && !self.sockets.take_handshake() {
            owner.into_iter().for_each(|owner| self.run.wake(owner, WakeReason::READY));
            return Poll::Pending;
        }
        match self.sockets.parts(io, &mut *self.transport) {
            Some(Parts { mut wire, layer: Some(layer), .. }) => poll_of(layer.handshake(&mut wire)),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Changes the owner of a socket. The new owner is driven if the socket has something that it
    /// could miss: bytes to read, or a failure. Room to write is no reason, since nearly every
    /// socket has it: the owner sends when it has something to send, or is woken.
    pub fn set_owner(&mut self, io: SocketId, owner: Token) {
        if let Some(state) = self.sockets.get_mut(io) {
            state.owner = Some(owner);
            if state.ready().without(Ready::WRITABLE) != Ready::NONE {
                self.run.wake(owner, WakeReason::READY);
            }
        }
    }

    /// Returns the readiness known of the socket; no flag for a closed socket.
    #[must_use]
    pub fn ready(&self, io: SocketId) -> Ready {
        self.sockets.get(io).map_or(Ready::NONE, SocketState::ready)
    }

    /// Returns the local address of a socket.
    ///
    /// # Errors
    /// The errors of `getsockname(2)`.
    pub fn local_address(&self, io: SocketId) -> io::Result<SocketAddr> {
        self.transport.local_address(io)
    }

    /// Returns the number of open sockets.
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

    /// Applies reports of a transport. Returns the number of sockets reported, and true if a notice
    /// was among the reports.
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
            if fresh.contains(Ready::WRITABLE) && state.layer.is_some() {
                self.flush(io);
            }
        } else {
            self.sockets.note_closing(io, ready, &mut *self.transport);
        }
    }

    /// Sends what waits in the layer of a connection.
    fn flush(&mut self, io: SocketId) {
        if let Some(Parts { mut wire, layer: Some(layer), .. }) =
            self.sockets.parts(io, &mut *self.transport)
        {
            layer.flush(&mut wire);
        }
    }
}

/// Returns `Pending` for an operation that would block.
fn poll_of<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
