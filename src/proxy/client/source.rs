//! Sources of a response's content.

use std::sync::Arc;

use crate::cache::Object;
use crate::http::Multipart;
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::send_buffer::ContentSource;
use crate::reactor::{Id, Reactor};

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
    /// A stored object: the content from offset `at` up to `end`, then the other parts.
    Stored { object: Arc<Object>, at: u64, end: u64, parts: Option<Box<Multipart>> },
    /// A pending response from the reader's offset on: all of it, or the `left` bytes.
    Pending { reading: Reading, left: Option<u64> },
}

impl Source {
    /// Returns the content as the send buffer takes it.
    pub(super) fn content<'a>(&'a self, shared: &'a Shared) -> ContentSource<'a> {
        match self {
            Self::Stored { object, at, .. } => ContentSource::Object(object, *at),
            Self::Pending { reading, .. } => {
                ContentSource::Body(&shared.responses[reading.response].body, reading.reader)
            }
        }
    }

    /// Stops reading a pending response.
    pub(super) fn release(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if let Self::Pending { reading, .. } = self {
            reading.release(reactor, shared);
        }
    }
}
