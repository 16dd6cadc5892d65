//! Bodies: content that one writer appends and any number of readers read.
//!
//! A fetch appends to a body; each client reads at its own offset. Collapsing, streaming while
//! storing, backpressure and the propagation of failures all follow from that. The writer may be a
//! window ahead of its readers: of the *slowest* one if content is released once read, and of the
//! *fastest* one if all content is retained anyway, since a slow reader then costs no other
//! anything. Without readers, retained content is not limited.
//!
//! Request bodies use the same structure, with the client as the writer and the fetch as the
//! reader.

use std::io;
use std::task::Poll;

use crate::alloc_size::{rounded_down, rounded_up};
use crate::cache::Content;
use crate::http::Fields;
use crate::proxy::error::ExchangeError;
use crate::reactor::{Reactor, SocketId, Token, Wake};
use crate::work;

use super::io_slices::Slices;
use super::readers::{ReaderKey, Readers};

/// Progress of the content. `Streaming` is followed by one of the other states, which are final.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// The writer may append more.
    Streaming,
    /// The content is complete; these are its trailers.
    Complete(Option<Fields>),
    /// The writer has failed: the content is incomplete.
    Failed(ExchangeError),
}

/// Treatment of content that every reader has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// The content is retained, to be stored or sent again.
    Full,
    /// The content is released.
    Window,
}

/// Content between a writer and its readers.
#[derive(Debug)]
pub(crate) struct Body {
    state: State,
    length: Option<u64>,
    retain: Retention,
    window: u64,
    writer: Token,
    writer_parked: bool,
    readers: Readers,
    /// Sealed buffers, which the cache may share; `tail` follows them.
    sealed: Content,
    tail: Vec<u8>,
    /// Size of the next buffer if the length is unknown. It grows with the content.
    capacity: usize,
    /// Bound of the next buffer's size, lower while memory is scarce.
    largest: usize,
}

/// Smallest and largest buffer that content is received into, unless the length is known.
const FIRST_CHUNK: usize = 4 * 1024;
const LARGEST_CHUNK: usize = 64 * 1024;

impl Body {
    /// Creates an empty body for `writer`, of this length if it is known. The writer may be
    /// `window` bytes ahead of its readers.
    pub(crate) fn new(writer: Token, length: Option<u64>, retain: Retention, window: u64) -> Self {
        Self {
            state: State::Streaming,
            length,
            retain,
            window: window.max(1), // with none, nothing would ever move
            writer,
            writer_parked: false,
            readers: Readers::new(),
            sealed: Content::default(),
            tail: Vec::new(),
            capacity: FIRST_CHUNK,
            largest: LARGEST_CHUNK,
        }
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) const fn set_length(&mut self, length: Option<u64>) {
        self.length = length;
    }

    pub(crate) const fn retention(&self) -> Retention {
        self.retain
    }

    /// Returns the offset one past the last byte appended.
    pub(crate) const fn end(&self) -> u64 {
        self.sealed.end() + self.tail.len() as u64
    }

    /// Returns the memory held, in bytes, unused capacity included.
    pub(crate) fn held(&self) -> u64 {
        (self.sealed.weight() + rounded_up(self.tail.capacity())) as u64
    }

    /// Returns the memory to charge to the cache, and the memory to charge to connections, in
    /// bytes. All retained content is the cache's. Of content that is released, the cache is
    /// charged only the excess over a window and its buffers, which any forwarded content takes.
    pub(super) fn holds(&self) -> (u64, u64) {
        let held = self.held();
        let passing = match self.retain {
            Retention::Full => 0,
            Retention::Window => held.min(self.window.saturating_add(2 * LARGEST_CHUNK as u64)),
        };
        (held - passing, passing)
    }

    /// Returns true if there is a reader that is not dropped.
    pub(crate) fn has_readers(&self) -> bool {
        self.readers.reading() > 0
    }

    /// Returns true if there are several readers that are not dropped.
    pub(crate) fn is_shared(&self) -> bool {
        self.readers.reading() > 1
    }

    /// Returns true if the writer has finished and no reader is attached.
    pub(crate) fn is_over(&self) -> bool {
        self.readers.is_empty() && !matches!(self.state, State::Streaming)
    }
}

/// The writer's side.
impl Body {
    /// Returns the number of bytes that are free in the window, or in `left` if that is smaller: the
    /// window that scarce memory allows. A result of 0 parks the writer, which is woken when there is
    /// room.
    pub(crate) fn room(&mut self, left: u64) -> u64 {
        let window = self.window.min(left);
        self.largest = LARGEST_CHUNK.min(usize::try_from(left).unwrap_or(usize::MAX));
        let room = match self.limiting_offset() {
            Some(gate) => window.saturating_sub(self.end().saturating_sub(gate)),
            None => window,
        };
        self.writer_parked = room == 0;
        room
    }

    /// Returns the offset that the writer may be a window ahead of.
    fn limiting_offset(&self) -> Option<u64> {
        match self.retain {
            Retention::Full => self.readers.fastest(),
            Retention::Window => self.readers.slowest(),
        }
    }

    /// Returns a buffer with room for at least one byte. The caller appends to it and then calls
    /// [`appended`](Self::appended).
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        if self.tail.len() == self.tail.capacity() && !self.tail.is_empty() {
            self.sealed.push(std::mem::take(&mut self.tail));
        }
        if self.tail.is_empty() {
            let left = self.length.map(|length| length.saturating_sub(self.end()));
            let left = left.map(|left| usize::try_from(left).unwrap_or(usize::MAX));
            let wanted = left.unwrap_or(self.capacity).clamp(1, self.largest);
            // Rounded down to a size class, so that the allocator wastes nothing; the remainder
            // gets a buffer of its own. Small sizes are not worth a second buffer.
            let wanted = if wanted > FIRST_CHUNK { rounded_down(wanted) } else { wanted };
            self.tail.reserve_exact(wanted);
        }
        &mut self.tail
    }

    /// Wakes readers after bytes were appended to [`tail`](Self::tail).
    pub(super) fn appended(&mut self, wake: &mut impl Wake) {
        if self.tail.len() == self.tail.capacity() {
            self.capacity = LARGEST_CHUNK.min(4 * self.capacity);
        }
        self.wake_readers(wake);
    }

    /// Moves the start of an empty body to `offset`: no reader needs the content before it.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        self.sealed.restart(offset);
        self.readers.advance_all(offset);
    }

    /// Appends shared content, without copying it.
    pub(crate) fn append(&mut self, content: Content, wake: &mut impl Wake) {
        if content.is_empty() {
            return;
        }
        self.sealed.push(std::mem::take(&mut self.tail));
        self.sealed.append(content);
        self.wake_readers(wake);
    }

    /// Appends a buffer, without copying it.
    pub(crate) fn push_buffer(&mut self, bytes: Vec<u8>, wake: &mut impl Wake) {
        if bytes.is_empty() {
            return;
        }
        self.sealed.push(std::mem::take(&mut self.tail));
        self.sealed.push(bytes);
        self.wake_readers(wake);
    }

    /// Appends a copy of `bytes`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], wake: &mut impl Wake) {
        while !bytes.is_empty() {
            let tail = self.tail();
            let n = bytes.len().min(tail.capacity() - tail.len());
            work::count(n);
            tail.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.appended(wake);
        }
    }

    /// Ends the body, completely or with a failure. A second end has no effect.
    pub(crate) fn finish(&mut self, state: State, wake: &mut impl Wake) {
        if matches!(self.state, State::Streaming) {
            self.state = state;
            self.wake_readers(wake);
        }
    }

    /// Releases content once all readers have read it, now and from now on.
    pub(crate) fn stop_retaining(&mut self) {
        self.retain = Retention::Window;
        self.release();
    }

    /// Drops readers more than one window behind the fastest, so that they neither block the writer
    /// nor pin memory.
    pub(crate) fn drop_lagging(&mut self, wake: &mut impl Wake) {
        self.drop_behind(self.window, wake);
    }

    /// Drops readers more than half a window behind the fastest: they hold up the others.
    pub(crate) fn drop_stalled(&mut self, wake: &mut impl Wake) {
        self.drop_behind(self.window / 2, wake);
    }

    fn drop_behind(&mut self, lag: u64, wake: &mut impl Wake) {
        let Some(fastest) = self.readers.fastest() else { return };
        let fastest = fastest.min(self.end()); // a reader may have skipped ahead of the content
        self.readers.mark_dropped_before(fastest.saturating_sub(lag), wake);
        self.release();
        self.wake_writer(wake);
    }

    /// Returns the number of bytes buffered.
    pub(crate) const fn buffered(&self) -> u64 {
        self.end() - self.sealed.start()
    }

    /// Returns all content so far, shared, to be stored. Legal only while content is retained.
    pub(crate) fn content(&mut self) -> Content {
        debug_assert!(self.retain == Retention::Full, "all content is retained");
        self.sealed.push(std::mem::take(&mut self.tail));
        self.sealed.clone()
    }

    pub(super) fn wake_readers(&mut self, wake: &mut impl Wake) {
        self.readers.wake(wake);
    }
}

/// A reader's side.
impl Body {
    /// Adds a reader at the start; returns `None` if the start was released. The reader is woken
    /// for the first bytes, and later after each [`park`](Self::park).
    pub(crate) fn attach(&mut self, token: Token) -> Option<ReaderKey> {
        let at = self.sealed.start();
        let complete = self.retain == Retention::Full || at == 0;
        complete.then(|| self.readers.add(at, token))
    }

    /// Returns the number of bytes that the reader has not read yet.
    pub(crate) fn available(&self, key: ReaderKey) -> u64 {
        self.readers.at(key).map_or(0, |at| self.end().saturating_sub(at))
    }

    /// Moves the reader forward to `offset`, which may be beyond the content so far. Never moves it
    /// back.
    pub(crate) fn skip_to(&mut self, key: ReaderKey, offset: u64, wake: &mut impl Wake) {
        let Some(at) = self.readers.at(key) else { return };
        self.readers.put(key, at.max(offset));
        self.release();
        self.wake_writer(wake);
    }

    /// Returns true if the reader was dropped: its next bytes may be released.
    pub(crate) fn was_dropped(&self, key: ReaderKey) -> bool {
        self.readers.at(key).is_none()
    }

    /// Adds the reader's next bytes, at most `max`, to a gathered write; returns their number.
    pub(super) fn peek<'a>(&'a self, key: ReaderKey, max: u64, into: &mut Slices<'a>) -> u64 {
        let Some(at) = self.readers.at(key).filter(|&at| at < self.end()) else { return 0 };
        let n = into.push_from(self.sealed.from(at), max);
        if at + n < self.sealed.end() || into.is_full() {
            return n;
        }
        let skip = usize::try_from(at + n - self.sealed.end()).unwrap_or(usize::MAX);
        n + into.push_from(std::iter::once(&self.tail[skip..]), max - n)
    }

    /// Moves the reader's next bytes, at most `most`, into `into`.
    pub(crate) fn read(
        &mut self,
        key: ReaderKey,
        most: usize,
        into: &mut Vec<u8>,
        wake: &mut impl Wake,
    ) {
        let Some(at) = self.readers.at(key) else { return };
        let skip = usize::try_from(at.saturating_sub(self.sealed.end())).unwrap_or(usize::MAX);
        let tail = self.tail.get(skip..).unwrap_or_default();
        let mut left = most;
        for piece in self.sealed.from(at).chain([tail]) {
            let n = piece.len().min(left);
            into.extend_from_slice(&piece[..n]);
            left -= n;
            if left == 0 {
                break;
            }
        }
        self.advance(key, (most - left) as u64, wake);
    }

    /// Advances the reader by `n` bytes.
    pub(crate) fn advance(&mut self, key: ReaderKey, n: u64, wake: &mut impl Wake) {
        let Some(at) = self.readers.at(key) else { return };
        debug_assert!(n == 0 || at + n <= self.end());
        self.readers.put(key, at + n);
        self.release();
        self.wake_writer(wake);
    }

    /// Parks the reader: it is woken when there are more bytes, or the end.
    pub(crate) fn park(&mut self, key: ReaderKey) {
        self.readers.park(key);
    }

    /// Returns true if the start was not released.
    pub(crate) fn keeps_start(&self) -> bool {
        self.sealed.start() == 0
    }

    /// Moves the reader back to the start; returns false if that was released.
    pub(crate) fn rewind(&mut self, key: ReaderKey) -> bool {
        self.keeps_start() && self.readers.put(key, 0)
    }

    /// Removes the reader.
    pub(crate) fn detach(&mut self, key: ReaderKey, wake: &mut impl Wake) {
        self.readers.remove(key);
        self.release();
        if !self.has_readers() {
            self.writer_parked = true; // the writer decides whether to continue without readers
        }
        self.wake_writer(wake);
    }

    /// Wakes a writer that waits for room, once half of the window is free.
    fn wake_writer(&mut self, wake: &mut impl Wake) {
        if !matches!(self.state, State::Streaming) {
            return;
        }
        let gap = self.limiting_offset().map_or(0, |gate| self.end().saturating_sub(gate));
        if self.writer_parked && gap <= self.window / 2 {
            self.writer_parked = false;
            wake.wake(self.writer);
        }
    }

    /// Releases content that all readers have read, unless it is retained.
    fn release(&mut self) {
        if self.retain == Retention::Full {
            return;
        }
        let Some(gate) = self.limiting_offset() else { return };
        let buffer = self.sealed.release(gate);
        if let Some(mut buffer) = buffer.filter(|_| self.tail.capacity() == 0) {
            buffer.clear();
            self.tail = buffer;
        }
        let end = self.end();
        if self.sealed.is_empty() && gate >= end {
            self.sealed.restart(end);
            self.tail.clear();
        }
    }

    /// Panics if offsets and lengths are inconsistent.
    pub(crate) fn check(&self) {
        self.readers.check();
        for at in self.readers.offsets() {
            let end = self.length.map_or(self.end(), |length| length.max(self.end()));
            let here = self.sealed.start()..=end;
            assert!(here.contains(&at), "a reader is within the body");
        }
        if let (Some(length), State::Complete(_)) = (self.length, &self.state) {
            assert_eq!(self.end(), length, "a complete body has its length");
        }
    }
}

/// Receives into a body directly, without copying, if the next `left` bytes of the stream are
/// content and fill the current buffer. Otherwise returns `None`: bytes after the content could be
/// received with it.
pub(crate) fn receive_into<M>(
    body: &mut Body,
    left: u64,
    io: SocketId,
    reactor: &mut Reactor<M>,
) -> Option<Poll<io::Result<usize>>> {
    if left == 0 {
        return None;
    }
    let tail = body.tail();
    if (tail.capacity() - tail.len()) as u64 > left {
        return None;
    }
    let received = reactor.recv(io, tail);
    if received.is_ready() {
        body.appended(reactor);
    }
    Some(received)
}

#[cfg(test)]
mod tests;
