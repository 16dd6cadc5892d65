//! One body, many cursors: content on its way from one writer to any number of readers.
//!
//! A fetch appends to a body; each client, and the cache, reads at its own offset. Collapsing,
//! streaming while storing, backpressure and telling everybody of a failure all follow from that.
//! The writer may run ahead of its readers by a window. What gates it is the *slowest* reader if
//! what was read is let go, and the *fastest* if everything is kept anyway: then a slow reader
//! costs nobody anything. With no reader left, content that is kept flows freely.
//!
//! The same structure carries request bodies up, with the client as the writer.

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

/// How far content has come. It only rises.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// More may come.
    Streaming,
    /// All has come; these are the trailers.
    Complete(Option<Fields>),
    /// No more will come, and what came is not the whole.
    Failed(ExchangeError),
}

/// What becomes of content that every reader has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// It is kept: it may be stored, or sent again.
    Full,
    /// It is let go.
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
    /// What is sealed; the tail follows it.
    sealed: Content,
    tail: Vec<u8>,
    /// How large the next buffer is, if the length is not known: it grows with what comes.
    capacity: usize,
    /// How large the next buffer may be, while memory is scarce.
    largest: usize,
}

/// The smallest and the largest buffer that content is received into, while more is to come.
const FIRST_CHUNK: usize = 4 * 1024;
const LARGEST_CHUNK: usize = 64 * 1024;

impl Body {
    /// Content that `writer` will append, of this length if it is known. The writer may be `window`
    /// bytes ahead of its readers.
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

    pub(crate) const fn retain(&self) -> Retention {
        self.retain
    }

    /// The offset one past the last byte that has come.
    pub(crate) const fn end(&self) -> u64 {
        self.sealed.end() + self.tail.len() as u64
    }

    /// How many bytes are held in memory, with room not filled.
    pub(crate) fn held(&self) -> u64 {
        (self.sealed.weight() + rounded_up(self.tail.capacity())) as u64
    }

    /// Returns how many of them are for the cache to count, and the rest. The cache counts all, or what
    /// is beyond the window that any content which is only passed on takes.
    pub(super) fn holds(&self) -> (u64, u64) {
        let held = self.held();
        let passing = match self.retain {
            Retention::Full => 0,
            Retention::Window => held.min(self.window.saturating_add(2 * LARGEST_CHUNK as u64)),
        };
        (held - passing, passing)
    }

    /// Whether anybody gets what is appended.
    pub(crate) fn has_readers(&self) -> bool {
        self.readers.reading() > 0
    }

    /// Whether several get what is appended.
    pub(crate) fn is_shared(&self) -> bool {
        self.readers.reading() > 1
    }

    /// Whether nobody has anything to do with it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.readers.is_empty() && !matches!(self.state, State::Streaming)
    }
}

/// The writer's side.
impl Body {
    /// How many bytes may be appended now, within the window or what is left of memory, if that is
    /// less. With none, the writer is woken when there are some.
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

    /// The offset of the reader that the writer must not outrun.
    fn limiting_offset(&self) -> Option<u64> {
        match self.retain {
            Retention::Full => self.readers.fastest(),
            Retention::Window => self.readers.slowest(),
        }
    }

    /// A buffer to append to directly, with room for at least one byte;
    /// [`appended`](Self::appended) is to be called then.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        if self.tail.len() == self.tail.capacity() && !self.tail.is_empty() {
            self.sealed.push(std::mem::take(&mut self.tail));
        }
        if self.tail.is_empty() {
            let left = self.length.map(|length| length.saturating_sub(self.end()));
            let left = left.map(|left| usize::try_from(left).unwrap_or(usize::MAX));
            let wanted = left.unwrap_or(self.capacity).clamp(1, self.largest);
            // What would be lost by rounding up is a piece of its own, unless that is small.
            let wanted = if wanted > FIRST_CHUNK { rounded_down(wanted) } else { wanted };
            self.tail.reserve_exact(wanted);
        }
        &mut self.tail
    }

    /// Says that bytes were appended to the tail.
    pub(super) fn appended(&mut self, wake: &mut impl Wake) {
        if self.tail.len() == self.tail.capacity() {
            self.capacity = LARGEST_CHUNK.min(4 * self.capacity);
        }
        self.wake_readers(wake);
    }

    /// With nothing here yet, begins at `offset`: what comes before is nobody's wish.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        self.sealed.restart(offset);
        self.readers.advance_all(offset);
    }

    /// Appends content that is sealed already, and shared.
    pub(crate) fn append(&mut self, content: Content, wake: &mut impl Wake) {
        if content.is_empty() {
            return;
        }
        self.sealed.push(std::mem::take(&mut self.tail));
        self.sealed.append(content);
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

    /// Ends it, well or badly. A second end changes nothing.
    pub(crate) fn finish(&mut self, state: State, wake: &mut impl Wake) {
        if matches!(self.state, State::Streaming) {
            self.state = state;
            self.wake_readers(wake);
        }
    }

    /// Lets go of what was read, now and from now on.
    pub(crate) fn stop_retaining(&mut self) {
        self.retain = Retention::Window;
        self.release();
    }

    /// Leaves behind the readers that are more than a window behind the fastest, so that they hold
    /// nobody up, nor much memory.
    pub(crate) fn drop_lagging(&mut self, wake: &mut impl Wake) {
        self.drop_behind(self.window, wake);
    }

    /// Leaves behind those who hold up the others, by not reading on.
    pub(crate) fn drop_stalled(&mut self, wake: &mut impl Wake) {
        self.drop_behind(self.window / 2, wake);
    }

    fn drop_behind(&mut self, lag: u64, wake: &mut impl Wake) {
        let Some(fastest) = self.readers.fastest() else { return };
        let fastest = fastest.min(self.end()); // who waits for what is to come has read nothing of it
        self.readers.mark_dropped_before(fastest.saturating_sub(lag), wake);
        self.release();
        self.wake_writer(wake);
    }

    /// How many bytes of content are here.
    pub(crate) const fn here(&self) -> u64 {
        self.end() - self.sealed.start()
    }

    /// Everything that has come, from the first byte, to be kept elsewhere.
    pub(crate) fn content(&mut self) -> Content {
        debug_assert!(self.retain == Retention::Full, "all of it is still here");
        self.sealed.push(std::mem::take(&mut self.tail));
        self.sealed.clone()
    }

    pub(super) fn wake_readers(&mut self, wake: &mut impl Wake) {
        self.readers.wake(wake);
    }
}

/// A reader's side.
impl Body {
    /// Adds a reader at the start, if the start is still here. It is woken as soon as something
    /// comes, and after that when there is more than it has [`park`](Self::park)ed at.
    pub(crate) fn attach(&mut self, token: Token) -> Option<ReaderKey> {
        let at = self.sealed.start();
        let complete = self.retain == Retention::Full || at == 0;
        complete.then(|| self.readers.add(at, token))
    }

    /// How many bytes are there that the reader has not read.
    pub(crate) fn available(&self, key: ReaderKey) -> u64 {
        self.readers.at(key).map_or(0, |at| self.end().saturating_sub(at))
    }

    /// Has the reader go on at `offset`, which may be yet to come. There is no way back.
    pub(crate) fn skip_to(&mut self, key: ReaderKey, offset: u64, wake: &mut impl Wake) {
        let Some(at) = self.readers.at(key) else { return };
        self.readers.put(key, at.max(offset));
        self.release();
        self.wake_writer(wake);
    }

    /// Whether a reader was left behind.
    pub(crate) fn was_dropped(&self, key: ReaderKey) -> bool {
        self.readers.at(key).is_none()
    }

    /// Adds the next bytes for the reader, at most `max` of them, to a gathered write; says how
    /// many.
    pub(super) fn peek<'a>(&'a self, key: ReaderKey, max: u64, into: &mut Slices<'a>) -> u64 {
        let Some(at) = self.readers.at(key).filter(|&at| at < self.end()) else { return 0 };
        let n = into.push_from(self.sealed.from(at), max);
        if at + n < self.sealed.end() || into.is_full() {
            return n;
        }
        let skip = usize::try_from(at + n - self.sealed.end()).unwrap_or(usize::MAX);
        n + into.push_from(std::iter::once(&self.tail[skip..]), max - n)
    }

    /// Says that the reader has read `n` more bytes.
    pub(crate) fn advance(&mut self, key: ReaderKey, n: u64, wake: &mut impl Wake) {
        let Some(at) = self.readers.at(key) else { return };
        debug_assert!(n == 0 || at + n <= self.end());
        self.readers.put(key, at + n);
        self.release();
        self.wake_writer(wake);
    }

    /// Has the reader woken when there is more, or the end.
    pub(crate) fn park(&mut self, key: ReaderKey) {
        self.readers.park(key);
    }

    /// Puts the reader back to the start, if that is still here.
    pub(crate) fn rewind(&mut self, key: ReaderKey) -> bool {
        self.sealed.start() == 0 && self.readers.put(key, 0)
    }

    /// Takes the reader away.
    pub(crate) fn detach(&mut self, key: ReaderKey, wake: &mut impl Wake) {
        self.readers.remove(key);
        self.release();
        if !self.has_readers() {
            self.writer_parked = true; // the writer decides whether to go on for nobody
        }
        self.wake_writer(wake);
    }

    /// Wakes a writer that waits for room, if there is some worth a read.
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

    /// Lets go of what all readers have read, if it need not be kept.
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

    /// Panics if its books do not agree.
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

/// Receives into a body directly, if the next `left` bytes of the stream are content and fill the
/// room there is; `None` if they might not.
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
