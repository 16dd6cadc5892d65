//! Input that was received and not understood yet, held only while there is some.

use std::io;
use std::task::Poll;

use zeroize::Zeroize;

use crate::reactor::{Reactor, SocketId};

use super::buffer_pool::BufferPool;

/// Bytes received from a peer. Heads may hold credentials, so they are wiped once they are read, and
/// what was never read is wiped in the end.
#[derive(Debug, Default)]
pub(crate) struct RecvBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl RecvBuffer {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    /// What was not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Returns the bytes of memory it holds.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Says that the first `n` unread bytes are dealt with.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len());
    }

    /// Says that the first `n` unread bytes are dealt with, and wipes them.
    pub(crate) fn wipe(&mut self, n: usize) {
        self.bytes[self.start..self.start + n].zeroize();
        self.consume(n);
    }

    /// Receives more, in a buffer of its own or one of `buffers`. `Ok(0)` is the end of the stream.
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

    /// Gives the buffer back if nothing is in it.
    pub(crate) fn release(&mut self, buffers: &mut BufferPool) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            buffers.give_back(std::mem::take(&mut self.bytes));
            self.start = 0;
        }
    }

    /// What is left, to be read by somebody else.
    pub(crate) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.start)
    }
}

impl Drop for RecvBuffer {
    fn drop(&mut self) {
        self.bytes[self.start..].zeroize();
    }
}
