//! Bytes on their way to a peer: heads, and content in whatever framing the peer is told.

use std::io;
use std::task::Poll;

use crate::cache::Object;
use crate::http::{Fields, write_chunk_size, write_last_chunk};
use crate::reactor::{Reactor, SocketId};

use super::body::Body;
use super::io_slices::Slices;
use super::readers::ReaderKey;

/// Content in one frame; more goes with the next, so that no write is larger than a drive allows.
const MAX_FRAME: u64 = 128 * 1024;

/// How content is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    /// As it is: its length was told, or its end is the connection's.
    Identity,
    Chunked,
}

/// Where content comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ContentSource<'a> {
    Nothing,
    Body(&'a Body, ReaderKey),
    /// A stored object, from this offset on.
    Object(&'a Object, u64),
}

impl<'a> ContentSource<'a> {
    fn add_to(self, slices: &mut Slices<'a>, max: u64) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Body(body, reader) => body.peek(reader, max, slices),
            Self::Object(object, at) => slices.push_from(object.content.from(at), max),
        }
    }
}

/// What is to be sent next: some bytes, then content from a supply, then some more bytes. All of it
/// leaves in one gathered write if there is room.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    prefix: Vec<u8>,
    sent: usize,
    content: u64,
    suffix: Vec<u8>,
    /// All bytes that have left.
    left: u64,
}

impl SendBuffer {
    pub(crate) const fn new() -> Self {
        Self { prefix: Vec::new(), sent: 0, content: 0, suffix: Vec::new(), left: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.sent == self.prefix.len() && self.content == 0 && self.suffix.is_empty()
    }

    /// Bytes that wait, without content.
    pub(crate) const fn waiting(&self) -> usize {
        self.prefix.len() - self.sent + self.suffix.len()
    }

    /// All bytes that have left.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// All bytes that have left, and those that wait, without content that waits.
    pub(crate) const fn total(&self) -> u64 {
        self.left + self.waiting() as u64
    }

    /// Returns the bytes of memory it holds, without content.
    pub(crate) const fn held(&self) -> usize {
        self.prefix.capacity() + self.suffix.capacity()
    }

    /// Where to append more bytes: behind all that was appended before.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.content == 0 && self.suffix.is_empty(), "no frame is under way");
        &mut self.prefix
    }

    /// Whether a new frame can be planned: all content of the one before has left.
    pub(crate) const fn is_between_frames(&self) -> bool {
        self.content == 0 && self.suffix.is_empty()
    }

    /// Plans the next frame: `available` bytes of content, and the end of the body with its trailers
    /// if that is all. Whether the end is in it.
    pub(crate) fn plan(
        &mut self,
        coding: TransferCoding,
        available: u64,
        end: Option<Option<&Fields>>,
    ) -> bool {
        debug_assert!(self.is_between_frames());
        self.content = available.min(MAX_FRAME);
        let end = end.filter(|_| available <= MAX_FRAME);
        if coding == TransferCoding::Identity {
            return end.is_some();
        }
        if self.content > 0 {
            let size = usize::try_from(self.content).unwrap_or(usize::MAX);
            write_chunk_size(&mut self.prefix, size);
            self.suffix.extend_from_slice(b"\r\n");
        }
        if let Some(trailers) = end {
            write_last_chunk(&mut self.suffix, trailers);
        }
        end.is_some()
    }

    /// Sends as much as there is room for; says how much content of the supply was among it.
    pub(crate) fn send<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        io: SocketId,
        supply: ContentSource<'_>,
    ) -> Poll<io::Result<Sent>> {
        let mut slices = Slices::new();
        slices.push(&self.prefix[self.sent..]);
        let offered = supply.add_to(&mut slices, self.content);
        if offered == self.content {
            slices.push(&self.suffix);
        }
        let Poll::Ready(sent) = reactor.send(io, slices.as_slice())? else { return Poll::Pending };
        Poll::Ready(Ok(self.account(sent)))
    }

    fn account(&mut self, sent: usize) -> Sent {
        let lead = sent.min(self.prefix.len() - self.sent);
        self.sent += lead;
        let content = self.content.min((sent - lead) as u64);
        self.content -= content;
        self.left += sent as u64;
        let trail = sent - lead - usize::try_from(content).unwrap_or(usize::MAX);
        self.suffix.drain(..trail);
        if self.sent == self.prefix.len() {
            self.prefix.clear();
            self.sent = 0;
        }
        Sent { bytes: sent, content }
    }

    /// Takes the bytes that wait, to be sent by somebody else.
    pub(crate) fn take_waiting(&mut self) -> Vec<u8> {
        debug_assert!(self.is_between_frames());
        let mut taken = std::mem::take(self);
        taken.prefix.split_off(taken.sent)
    }

    /// Gives its memory back while there is nothing to send.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self { left: self.left, ..Self::default() };
        }
    }
}

/// What one write took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) bytes: usize,
    /// Content among them.
    pub(crate) content: u64,
}
