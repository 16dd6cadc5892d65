//! Send buffers: heads, and content in its transfer coding.

use std::io;
use std::os::fd::BorrowedFd;
use std::task::Poll;

use crate::cache::{Content, Object};
use crate::http::{Fields, write_chunk_size, write_last_chunk};
use crate::reactor::{FileRange, Reactor, SocketId};

use super::body::Body;
use super::io_slices::Slices;
use super::readers::ReaderKey;

/// Most content in one frame, so that no write exceeds the budget of a drive. The rest leaves with
/// the next frame.
pub(crate) const MAX_FRAME: u64 = 128 * 1024;
/// The same for bytes that the system sends from a file itself, which takes a tenth of the time.
pub(crate) const MAX_FILE_FRAME: u64 = 1024 * 1024;

/// The coding of content on the connection (RFC 9112 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    /// None: the content is delimited by its length or by the end of the connection.
    Identity,
    Chunked,
}

/// The source of content to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ContentSource<'a> {
    Nothing,
    Body(&'a Body, ReaderKey),
    /// A stored object, from an offset on.
    Object(&'a Object, u64),
    /// A coded form of a stored object, from an offset on.
    Coded(&'a Content, u64),
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file from an offset on, which is sent by the system itself.
    File(BorrowedFd<'a>, u64),
}

impl<'a> ContentSource<'a> {
    fn add_to(self, slices: &mut Slices<'a>, max: u64) -> u64 {
        match self {
            Self::Nothing | Self::File(..) => 0,
            Self::Body(body, reader) => body.peek(reader, max, slices),
            Self::Object(object, at) => slices.push_from(object.content.from(at), max),
            Self::Coded(form, at) => slices.push_from(form.from(at), max),
            Self::Bytes(bytes) => slices.push_from(std::iter::once(bytes), max),
        }
    }
}

/// Data to send: prefix bytes, then content from a [`ContentSource`], then suffix bytes. All leave
/// in one gathered write if the socket takes them.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    prefix: Vec<u8>,
    sent: usize,
    content: u64,
    suffix: Vec<u8>,
    /// Bytes sent so far, of all frames.
    left: u64,
}

impl SendBuffer {
    pub(crate) const fn new() -> Self {
        Self { prefix: Vec::new(), sent: 0, content: 0, suffix: Vec::new(), left: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.sent == self.prefix.len() && self.content == 0 && self.suffix.is_empty()
    }

    /// Returns the bytes that wait, content not included.
    pub(crate) const fn waiting(&self) -> usize {
        self.prefix.len() - self.sent + self.suffix.len()
    }

    /// Returns the bytes of content that are planned and were not sent.
    pub(crate) const fn unsent_content(&self) -> u64 {
        self.content
    }

    /// Returns the bytes sent so far.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// Returns the bytes sent so far plus those that wait, waiting content not included.
    pub(crate) const fn total(&self) -> u64 {
        self.left + self.waiting() as u64
    }

    /// Returns the memory held, in bytes, content not included.
    pub(crate) const fn held(&self) -> usize {
        self.prefix.capacity() + self.suffix.capacity()
    }

    /// Returns the buffer to append bytes to. Legal only between frames.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.content == 0 && self.suffix.is_empty(), "no frame is under way");
        &mut self.prefix
    }

    /// Returns true if a frame can be planned: the content and suffix of the last one are sent.
    pub(crate) const fn is_between_frames(&self) -> bool {
        self.content == 0 && self.suffix.is_empty()
    }

    /// Plans the next frame: `available` bytes of content, at most `largest`, and the `end` of the body
    /// with its trailers, if it follows. Returns true if the end is in the frame.
    pub(crate) fn plan(
        &mut self,
        coding: TransferCoding,
        (available, largest): (u64, u64),
        end: Option<Option<&Fields>>,
    ) -> bool {
        debug_assert!(self.is_between_frames());
        self.content = available.min(largest);
        let end = end.filter(|_| available <= largest);
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

    /// Sends as much as the socket takes, with content from `supply`; returns the bytes sent.
    pub(crate) fn send<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        io: SocketId,
        supply: ContentSource<'_>,
    ) -> Poll<io::Result<Sent>> {
        if let ContentSource::File(file, at) = supply {
            let most = usize::try_from(self.content).unwrap_or(usize::MAX);
            let (lead, file) = (&self.prefix[self.sent..], FileRange { file, at, most });
            let Poll::Ready(sent) = reactor.send_file(io, lead, file)? else {
                return Poll::Pending;
            };
            // A file that ends before its length is not complete.
            let sent = if sent == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(sent) };
            return Poll::Ready(sent.map(|sent| self.account(sent)));
        }
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

    /// Takes the bytes that wait, for another sender. Legal only between frames.
    pub(crate) fn take_waiting(&mut self) -> Vec<u8> {
        debug_assert!(self.is_between_frames());
        let mut taken = std::mem::take(self);
        taken.prefix.split_off(taken.sent)
    }

    /// Frees the memory if nothing waits.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self { left: self.left, ..Self::default() };
        }
    }
}

/// Result of one write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) bytes: usize,
    /// Bytes of content among them.
    pub(crate) content: u64,
}
