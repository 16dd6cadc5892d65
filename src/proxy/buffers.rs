//! Input that was received and not understood yet, held only while there is some.

use std::io;
use std::task::Poll;

use crate::reactor::{Io, Reactor};

/// Empty buffers kept for the next who needs one.
const SPARE: usize = 64;

/// Empty buffers of one size, the one used last on top, since it is still in the processor's cache.
#[derive(Debug)]
pub(super) struct Buffers {
    size: usize,
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    pub(super) const fn of(size: usize) -> Self {
        Self { size, spare: Vec::new() }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() == self.size && self.spare.len() < SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

/// Bytes received from a peer.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    /// What was not consumed yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Returns the bytes of memory it holds.
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Says that the first `n` unread bytes are dealt with.
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len());
    }

    /// Receives more, in a buffer of its own or one of `buffers`. `Ok(0)` is the end of the stream.
    pub(super) fn receive<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        io: Io,
        buffers: &mut Buffers,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take();
        }
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        } else if self.bytes.len() == self.bytes.capacity() {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.reserve(buffers.size);
        }
        reactor.recv(io, &mut self.bytes)
    }

    /// Gives the buffer back if nothing is in it.
    pub(super) fn release(&mut self, buffers: &mut Buffers) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            buffers.give_back(std::mem::take(&mut self.bytes));
            self.start = 0;
        }
    }

    /// What is left, to be read by somebody else.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.start)
    }
}
