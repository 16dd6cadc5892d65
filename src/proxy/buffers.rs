//! Input that was received and not understood yet, held only while there is some.

use std::io;
use std::task::Poll;

use crate::reactor::{Io, Reactor};

/// The size of a receive buffer.
const SIZE: usize = 16 * 1024;
/// Empty buffers kept for the next who needs one.
const SPARE: usize = 64;

/// Empty buffers, the one used last on top, since it is still in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_else(|| Vec::with_capacity(SIZE))
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() == SIZE && self.0.len() < SPARE {
            buffer.clear();
            self.0.push(buffer);
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
            self.bytes.reserve(SIZE);
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
