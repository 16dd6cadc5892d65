//! Sources of a response's content.

use std::sync::Arc;

use crate::cache::Object;
use crate::http::{ContentCoding, Multipart};
use crate::proxy::files::OpenFile;
use crate::proxy::jobs::JobId;
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::send_buffer::{ContentSource, MAX_FILE_FRAME, MAX_FRAME};
use crate::reactor::{Id, Reactor};

/// Most bytes of a file that are read at a time.
const PIECE: usize = 128 * 1024;
/// Fewest bytes that the system sends from a file itself.
const LEAST_DIRECT: u64 = 8 * 1024;

/// A client's place among the readers of a pending response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) response: Id<PendingResponse>,
    pub(super) reader: ReaderKey,
}

impl Reading {
    /// Stops reading.
    pub(super) fn release(self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        shared.leave_response(self.response, self.reader, reactor);
    }
}

/// The source of content while it is sent.
#[derive(Debug)]
pub(super) enum Source {
    /// A stored object: the content, or its form in a coding, from offset `at` up to `end`, then the other
    /// parts.
    Stored {
        object: Arc<Object>,
        coding: Option<ContentCoding>,
        at: u64,
        end: u64,
        parts: Option<Box<Multipart>>,
    },
    /// A pending response from the reader's offset on: all of it, or the `left` bytes.
    Pending { reading: Reading, left: Option<u64> },
    /// A file.
    File(Box<FileSource>),
}

/// A file while it is sent.
#[derive(Debug)]
pub(super) struct FileSource {
    pub(super) file: Arc<OpenFile>,
    /// Offset of the next byte to send.
    pub(super) at: u64,
    pub(super) end: u64,
    /// Parts that follow.
    pub(super) parts: Option<Box<Multipart>>,
    pub(super) buffer: Vec<u8>,
    /// Bytes of the buffer that were read, and those of them that were sent.
    pub(super) filled: usize,
    pub(super) taken: usize,
    /// Bytes that the system sends from the file itself.
    pub(super) direct: u64,
    /// Job of a thread that reads.
    pub(super) job: Option<JobId>,
}

impl FileSource {
    /// Creates the source of the bytes from offset `at` up to `end`, and of `parts` behind them.
    pub(super) const fn new(
        file: Arc<OpenFile>,
        (at, end): (u64, u64),
        parts: Option<Box<Multipart>>,
    ) -> Self {
        let buffer = Vec::new();
        Self { file, at, end, parts, buffer, filled: 0, taken: 0, direct: 0, job: None }
    }

    /// Gives the buffer the length of the next piece, and forgets the last one.
    pub(super) fn make_room(&mut self) {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        self.buffer.resize(left.min(PIECE), 0);
        (self.filled, self.taken) = (0, 0);
    }

    /// Returns true if bytes have to be read before more can be sent.
    pub(super) const fn is_dry(&self) -> bool {
        self.direct == 0 && self.taken == self.filled && self.at < self.end
    }

    /// Returns true if the bytes that were read are the last ones.
    pub(super) fn is_last(&self) -> bool {
        let left = self.end - self.at;
        left == self.available() && self.parts.as_ref().is_none_or(|parts| parts.is_over())
    }

    /// Counts bytes as sent.
    pub(super) fn advance(&mut self, sent: u64) {
        self.at += sent;
        match self.direct {
            0 => self.taken += usize::try_from(sent).unwrap_or(usize::MAX),
            _ => self.direct -= sent,
        }
    }

    /// Has the system send the next piece from the file itself, if that needs no wait for a disk. Pieces
    /// that are short are read: two calls would cost more than a copy.
    pub(super) fn goes_direct(&mut self) -> bool {
        let piece = (self.end - self.at).min(MAX_FILE_FRAME);
        if piece >= LEAST_DIRECT && self.file.is_in_memory(self.at, piece) {
            self.direct = piece;
        }
        self.direct > 0
    }

    /// Returns the number of bytes that can be sent without reading more.
    pub(super) fn available(&self) -> u64 {
        if self.direct > 0 { self.direct } else { self.waiting().len() as u64 }
    }

    /// Returns the bytes that were read and not sent.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.buffer[self.taken..self.filled]
    }
}

impl Source {
    /// Returns the content as the send buffer takes it.
    pub(super) fn content<'a>(&'a self, shared: &'a Shared) -> ContentSource<'a> {
        match self {
            Self::Stored { object, coding, at, .. } => {
                match coding.and_then(|coding| object.coded(coding)) {
                    Some(form) => ContentSource::Coded(form, *at),
                    None => ContentSource::Object(object, *at),
                }
            }
            Self::File(file) if file.direct > 0 => {
                ContentSource::File(file.file.descriptor(), file.at)
            }
            Self::File(file) => ContentSource::Bytes(file.waiting()),
            Self::Pending { reading, .. } => {
                ContentSource::Body(&shared.responses[reading.response].body, reading.reader)
            }
        }
    }

    /// Returns the most content in one frame.
    pub(super) const fn largest_frame(&self) -> u64 {
        match self {
            Self::File(file) if file.direct > 0 => MAX_FILE_FRAME,
            Self::File(_) | Self::Stored { .. } | Self::Pending { .. } => MAX_FRAME,
        }
    }

    /// Stops reading a pending response.
    pub(super) fn release(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        match self {
            Self::Stored { .. } => {}
            Self::Pending { reading, .. } => reading.release(reactor, shared),
            Self::File(file) => file.job.into_iter().for_each(|job| shared.jobs.leave(job)),
        }
    }
}
