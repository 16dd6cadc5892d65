//! Receive buffers: input that is not parsed yet. No memory is held while there is none.

use std::io;
use std::task::Poll;

use zeroize::Zeroize;

use crate::reactor::{Reactor, SocketId};

use super::buffer_pool::BufferPool;

/// Bytes received from a peer. Heads may contain credentials: they are wiped once parsed, and bytes
/// that were never parsed are wiped on drop.
#[derive(Debug, Default)]
pub(crate) struct RecvBuffer {
    bytes: Vec<u8>,
    start: usize,
    /// Bytes consumed so far.
    consumed: u64,
}

impl RecvBuffer {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, consumed: 0 }
    }

    /// Returns the bytes not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Returns the size of the buffer, in bytes.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the bytes consumed so far, those [skipped](Self::skip) among them.
    pub(crate) const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Counts bytes as consumed that were received past the buffer.
    pub(crate) const fn skip(&mut self, n: usize) {
        self.consumed += n as u64;
    }

    /// Marks the first `n` unread bytes as consumed.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        self.consumed += n as u64;
        debug_assert!(self.start <= self.bytes.len());
    }

    /// Consumes the first `n` unread bytes, and wipes them.
    pub(crate) fn wipe(&mut self, n: usize) {
        self.bytes[self.start..self.start + n].zeroize();
        self.consume(n);
    }

    /// Receives more bytes, growing the buffer if it is full and taking one of `buffers` if there
    /// is none. `Ok(0)` is the end of the stream.
    pub(crate) fn receive<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        io: SocketId,
        buffers: &mut BufferPool,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take();
        }
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        } else if self.bytes.len() == self.bytes.capacity() {
            let mut larger = Vec::with_capacity(self.unread().len() + buffers.size);
            larger.extend_from_slice(self.unread());
            self.bytes[self.start..].zeroize();
            (self.bytes, self.start) = (larger, 0);
        }
        reactor.recv(io, &mut self.bytes)
    }

    /// Returns the buffer to `buffers` if it is empty.
    pub(crate) fn release(&mut self, buffers: &mut BufferPool) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            buffers.give_back(std::mem::take(&mut self.bytes));
            self.start = 0;
        }
    }

    /// Returns the bytes not consumed, for another reader.
    pub(crate) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.start)
    }
}

impl Drop for RecvBuffer {
    fn drop(&mut self) {
        self.bytes[self.start..].zeroize();
    }
}
