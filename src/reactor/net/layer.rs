//! Layers between a socket and its owner, such as TLS.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};

use crate::reactor::ready::Ready;

use super::transport::{SocketId, Transport};

/// Largest number of bytes that a layer receives at once.
const CHUNK: usize = 64 * 1024;

/// A protocol between a connection and its owner, who calls [`Reactor::recv`] and [`Reactor::send`]
/// as on a plain socket. A layer belongs to one connection, from [`Reactor::secure`] on.
///
/// All methods but the getters get the wire: the operations of the connection itself. They continue
/// until the wire returns [`io::ErrorKind::WouldBlock`], or until their work for one call is done.
/// Every operation on the wire, and none but these, changes what the reactor knows of the
/// connection's readiness.
///
/// [`Reactor::recv`]: crate::reactor::Reactor::recv
/// [`Reactor::send`]: crate::reactor::Reactor::send
/// [`Reactor::secure`]: crate::reactor::Reactor::secure
pub trait Layer: Any + fmt::Debug {
    /// Continues the handshake. Returns `Ok` once it is complete.
    ///
    /// # Errors
    /// Returns `WouldBlock` while the handshake is under way, or the error with which it failed.
    fn handshake(&mut self, wire: &mut Wire<'_>) -> io::Result<()>;

    /// Appends content to `into` until its spare capacity is used up or no more can be had, and
    /// returns the number of bytes. 0 is the end of the content, as the peer has declared it.
    ///
    /// # Errors
    /// Returns `WouldBlock` if there is no content now, and
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the connection has ended without a
    /// declared end of the content. A layer that stops although the wire is readable is called
    /// again in the next turn.
    fn recv(&mut self, wire: &mut Wire<'_>, into: &mut Vec<u8>) -> io::Result<usize>;

    /// Sends content from the slices in their order, and returns the number of bytes that have left
    /// completely: into the kernel, not into a buffer of the layer. The caller begins the next call
    /// with the first byte that has not left.
    ///
    /// # Errors
    /// Returns `WouldBlock` if nothing has left.
    fn send(&mut self, wire: &mut Wire<'_>, from: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends what waits in the layer: the wire has become writable. Returns true if nothing waits any
    /// more, or never will be sent.
    fn flush(&mut self, wire: &mut Wire<'_>) -> bool;

    /// Declares the end of the content that is sent, then shuts the wire down for writing once
    /// everything has left.
    fn shutdown(&mut self, wire: &mut Wire<'_>);

    /// Declares the end of the content that is sent, before the wire is closed, unless content is in
    /// flight that was not reported as sent. Returns as [`flush`](Self::flush).
    fn close(&mut self, wire: &mut Wire<'_>) -> bool;

    /// Returns true if `recv` has a result without the wire: content, the end or an error.
    fn has_input(&self) -> bool;

    /// Returns the bytes that wait in the layer to be sent.
    fn held(&self) -> usize;

    /// Returns true until the handshake is complete.
    fn is_handshaking(&self) -> bool;
}

/// The operations of a connection that its layer may use.
#[derive(Debug)]
pub struct Wire<'a> {
    pub(super) io: SocketId,
    pub(super) ready: &'a mut Ready,
    pub(super) transport: &'a mut dyn Transport,
    /// Room for received bytes that all layers share.
    pub(super) chunk: &'a mut Vec<u8>,
}

impl Wire<'_> {
    /// Receives at most `most` bytes, and at most 64 KiB. An empty slice is the end of the stream.
    ///
    /// # Errors
    /// The errors of `recv(2)`; `WouldBlock` without a system call if nothing has arrived.
    pub fn recv_chunk(&mut self, most: usize) -> io::Result<&[u8]> {
        let mut chunk = std::mem::take(self.chunk);
        chunk.clear();
        chunk.reserve_exact(CHUNK);
        let received = self.recv(&mut chunk, most.min(CHUNK));
        *self.chunk = chunk;
        received.map(|n| &self.chunk[..n])
    }

    /// Appends at most `most` received bytes to `into`, up to its spare capacity, and returns their
    /// number. 0 is the end of the stream.
    ///
    /// # Errors
    /// The errors of `recv(2)`; `WouldBlock` without a system call if nothing has arrived.
    pub fn recv(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let io = self.io;
        let received = self.attempt(Ready::READABLE, |net| net.recv(io, into, most))?;
        if received < most && !self.ready.intersects(Ready::CLOSED.union(Ready::URGENT)) {
            // The socket is drained: the kernel reports further bytes. The end of a stream that
            // arrived together with these bytes, or bytes behind an urgent mark, are not reported
            // again, but then the event had the flag.
            *self.ready = self.ready.without(Ready::READABLE);
        }
        Ok(received)
    }

    /// Sends from the slices in their order, as much as there is room for, and returns the number
    /// of bytes.
    ///
    /// # Errors
    /// The errors of `sendmsg(2)`; `WouldBlock` without a system call if there was no room before.
    pub fn send(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let io = self.io;
        let sent = self.attempt(Ready::WRITABLE, |net| net.send(io, from))?;
        if sent < from.iter().map(|slice| slice.len()).sum() {
            *self.ready = self.ready.without(Ready::WRITABLE); // full: the kernel reports room
        }
        Ok(sent)
    }

    /// Closes the sending direction of the connection.
    ///
    /// # Errors
    /// The errors of `shutdown(2)`.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.transport.shutdown(self.io)
    }

    /// Returns true if bytes, or the end of the stream, may be waiting to be received.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.ready.contains(Ready::READABLE)
    }

    /// Returns true if there may be room to send.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.ready.contains(Ready::WRITABLE)
    }

    fn attempt<T>(
        &mut self,
        needs: Ready,
        operation: impl FnOnce(&mut dyn Transport) -> io::Result<T>,
    ) -> io::Result<T> {
        if !self.ready.contains(needs) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = operation(self.transport);
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            *self.ready = self.ready.without(needs);
        }
        result
    }
}

/// Content goes out as it is where an `io::Write` is expected.
impl io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
