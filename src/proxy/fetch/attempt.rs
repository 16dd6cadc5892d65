//! Attempts: requests that are sent on a connection, and responses that are received on it.

use std::net::SocketAddr;
use std::time::Instant;

use crate::http::{ClientCodec, HeadLimits, Method, ResponseHead};
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::transfer::recv_buffer::RecvBuffer;
use crate::proxy::transfer::send_buffer::SendBuffer;

use super::context::FetchCx;
use super::upload::Upload;

/// A connection, the request that is sent on it, and the response.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) connection: OriginConnection,
    pub(super) codec: ClientCodec,
    /// Bytes received and not decoded.
    pub(super) input: RecvBuffer,
    /// The request, as far as it was not sent. Its content stays in the upload.
    pub(super) output: SendBuffer,
    pub(super) sending: Sending,
    /// Time at which the request's head was written.
    pub(super) sent_at: Instant,
}

/// Progress of sending a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sending {
    /// More content follows what the send buffer holds.
    InProgress(Upload),
    /// Nothing follows what the send buffer holds.
    Complete,
    /// The rest of the request is not sent: the connection takes no more, or the origin wants no
    /// more. A response may still be received.
    Stopped,
}

impl Attempt {
    /// Returns an attempt at a request with `method` and this content.
    pub(super) fn new(
        connection: OriginConnection,
        method: Method,
        upload: Option<Upload>,
        now: Instant,
    ) -> Self {
        Self {
            connection,
            codec: ClientCodec::new(method),
            input: RecvBuffer::new(),
            output: SendBuffer::new(),
            sending: Sending::of(upload),
            sent_at: now,
        }
    }

    /// Prepares for another request on the same connection.
    pub(super) fn reset(&mut self, method: Method, upload: Option<Upload>) {
        self.codec = ClientCodec::new(method);
        self.output = SendBuffer::new();
        self.sending = Sending::of(upload);
    }

    /// Returns a head that was received on the connection.
    pub(super) const fn received<'a>(&self, head: &'a ResponseHead) -> Received<'a> {
        Received {
            head,
            sent_at: self.sent_at,
            origin: self.connection.address,
            is_bound: self.connection.bound_to.is_some(),
        }
    }

    /// Returns true if the whole request was sent.
    pub(super) const fn has_sent_request(&self) -> bool {
        matches!(self.sending, Sending::Complete) && self.output.is_empty()
    }

    /// Returns true if the connection can carry another request: the response is persistent, and
    /// nothing of it is left to be received.
    pub(super) fn can_be_reset(&mut self, limits: &HeadLimits) -> bool {
        // The codec reports the end of a response without content in an event of its own.
        let end = self.codec.decode(self.input.unread(), limits);
        end.is_ok() && self.codec.is_reusable() && self.input.is_empty()
    }

    /// Closes the connection, and returns the receive buffer to its pool.
    pub(super) fn release(mut self, cx: &mut FetchCx<'_>) {
        cx.reactor.close(self.connection.io);
        self.input.release(&mut cx.shared.buffers);
    }

    /// Returns the bytes of memory that its buffers take.
    pub(super) const fn held(&self) -> usize {
        self.input.held() + self.output.held()
    }
}

/// A response head as it was received, and where from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) head: &'a ResponseHead,
    /// Time at which the request was sent.
    pub(super) sent_at: Instant,
    /// Address of the origin; `None` for a socket in the file system, and for an application.
    pub(super) origin: Option<SocketAddr>,
    /// True if the connection is one client's own.
    pub(super) is_bound: bool,
}

impl Sending {
    fn of(upload: Option<Upload>) -> Self {
        upload.map_or(Self::Complete, Self::InProgress)
    }
}
