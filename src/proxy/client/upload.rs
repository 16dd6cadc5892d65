//! Upload: content of a request goes into a body while the response is pending.

use std::task::Poll;

use crate::http::{ParseError, RequestHead, ServerEvent};
use crate::proxy::error::ExchangeError;
use crate::proxy::shared::Shared;
use crate::proxy::timers::ClientTimer;
use crate::proxy::transfer::body::{Body, Retention, State, receive_into};
use crate::reactor::{Id, Token};

use super::connection::Connection;
use super::context::ClientCx;

/// Content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// All content was received, or the request has none.
    Done,
    /// The content was not read: no fetch has wanted it so far.
    Unread,
    /// The content goes into this body.
    Into(Id<Body>),
}

/// Result of moving content.
enum Progress {
    /// All content was received.
    Done,
    /// The client has to send more.
    AwaitsClient,
    /// The fetch has to read more, or the budget of this drive is spent.
    AwaitsFetch,
}

impl Upload {
    /// Has the client write the content of its request, if there is some, into a body that a fetch
    /// reads. A short body is retained, so that it can be sent again.
    pub(super) fn begin(
        &mut self,
        request: &RequestHead,
        writer: Token,
        shared: &mut Shared,
    ) -> Option<Id<Body>> {
        if *self != Self::Unread {
            return None;
        }
        let limits = &shared.settings.limits;
        let length = request.body_length().known();
        let short = length.is_some_and(|length| length <= limits.replay.0);
        let retention = if short { Retention::Full } else { Retention::Window };
        let id = shared.uploads.insert(Body::new(writer, length, retention, limits.window.0));
        *self = Self::Into(id);
        Some(id)
    }

    /// Ends an upload that is incomplete: its readers see `error`.
    pub(super) fn end(
        &mut self,
        error: &ExchangeError,
        connection: &mut Connection,
        cx: &mut ClientCx<'_>,
    ) {
        connection.timers.stop(ClientTimer::Upload);
        if let Self::Into(id) = *self {
            cx.shared.end_upload(id, error, cx.reactor);
            *self = Self::Unread;
        }
    }

    /// Returns the bytes of content that the body holds.
    pub(super) fn held(self, shared: &Shared) -> usize {
        let held = match self {
            Self::Into(id) => shared.uploads[id].held(),
            Self::Done | Self::Unread => 0,
        };
        usize::try_from(held).unwrap_or(usize::MAX)
    }
}

/// Moves content from the client into the body, as far as both allow.
///
/// # Errors
/// If the content breaks a rule of HTTP, is too large or ends too early. The upload has ended then.
pub(super) fn pump(
    upload: &mut Upload,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Result<(), ExchangeError> {
    let Upload::Into(id) = *upload else { return Ok(()) };
    match pump_into(id, connection, cx) {
        Ok(Progress::Done) => {
            *upload = Upload::Done;
            connection.timers.stop(ClientTimer::Upload);
        }
        Ok(Progress::AwaitsClient) => {
            let timeout = cx.shared.settings.limits.upload_timeout;
            connection.timers.start(ClientTimer::Upload, cx.now() + timeout);
        }
        Ok(Progress::AwaitsFetch) => connection.timers.stop(ClientTimer::Upload),
        Err(error) => {
            upload.end(&error, connection, cx);
            return Err(error);
        }
    }
    Ok(())
}

fn pump_into(
    id: Id<Body>,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Result<Progress, ExchangeError> {
    let limit = cx.shared.settings.limits.upload.map_or(u64::MAX, |bytes| bytes.0);
    loop {
        let body = &mut cx.shared.uploads[id];
        // The origin has responded before it read all content. The rest is read and dropped: a client
        // that writes its whole request before it reads would wait for ever otherwise.
        let dropped = !body.has_readers();
        let is_full = !dropped && body.room(cx.shared.memory.window()) == 0;
        if is_full || cx.budget.is_spent() {
            return Ok(Progress::AwaitsFetch);
        }
        if body.end() > limit {
            return Err(ExchangeError::UploadTooLarge);
        }
        let (used, event) = connection
            .codec
            .decode(connection.input.unread(), &cx.shared.heads)
            .map_err(ExchangeError::BadRequest)?;
        match event {
            Some(ServerEvent::Content(range)) => {
                if !dropped {
                    body.push(&connection.input.unread()[range], cx.reactor);
                }
                connection.input.consume(used);
                continue;
            }
            Some(ServerEvent::End(trailers)) => {
                connection.input.consume(used);
                body.finish(State::Complete(trailers), cx.reactor);
                cx.shared.release_upload(id);
                return Ok(Progress::Done);
            }
            Some(ServerEvent::Request(_)) => return Ok(Progress::AwaitsFetch),
            None => connection.input.consume(used),
        }
        let left = connection.codec.content_left();
        let direct =
            if dropped { None } else { receive_into(body, left, connection.io, cx.reactor) };
        let received = match direct {
            Some(received) => {
                if let Poll::Ready(Ok(n)) = received {
                    connection.codec.skip_content(n as u64);
                    connection.input.skip(n);
                }
                received
            }
            None => connection.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers),
        };
        match received {
            Poll::Pending => return Ok(Progress::AwaitsClient),
            Poll::Ready(Ok(0)) => return Err(ExchangeError::BadRequest(ParseError::Truncated)),
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                connection.timers.stop(ClientTimer::Upload);
            }
            Poll::Ready(Err(_)) => return Err(ExchangeError::ClientGone),
        }
    }
}
