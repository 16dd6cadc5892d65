//! Transmit: content is sent to the client as it becomes available.

use std::io;
use std::task::Poll;
use std::time::Duration;

use crate::proxy::error::{ExchangeError, FileError};
use crate::proxy::observe::reason::Reason;
use crate::proxy::timers::ClientTimer;
use crate::proxy::transfer::body::State as BodyState;
use crate::proxy::transfer::send_buffer::SendBuffer;
use crate::throttle::Grant;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::file::fill;
use super::shape;
use super::source::{FileSource, Reading, Source};
use super::state::{Next, State, Transmission};
use super::upload::pump;

/// Sends until all content is sent, the client takes no more, or no more is available yet.
pub(super) fn transmit(
    mut transmission: Transmission,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    // The response came before the end of the request. If the upload fails, its rest is not read.
    let _ = pump(&mut exchange.upload, connection, cx);
    loop {
        if was_dropped(&transmission.source, cx) {
            exchange.record.reason = Some(Reason::Outpaced);
            return Next::Gone(State::Transmit(transmission));
        }
        let planned = match connection.output.is_between_frames() {
            true => plan(&mut transmission, exchange, connection, cx),
            false => Planned::Frame,
        };
        if !matches!(planned, Planned::Held(_)) {
            connection.timers.stop(ClientTimer::Throttle);
        }
        if let Planned::Failed(error) = &planned
            && connection.output.is_empty()
        {
            let error = error.clone();
            exchange.record.reason = Some(error.into());
            return Next::Gone(State::Transmit(transmission));
        }
        if connection.output.is_empty() {
            if transmission.ended {
                transmission.source.release(cx.reactor, cx.shared);
                return Next::Go(State::Finish);
            }
            if let Planned::Held(time) = planned {
                connection.timers.set(ClientTimer::Throttle, cx.now() + time);
            }
            if let Source::Pending { reading: Reading { response, reader }, .. } =
                transmission.source
            {
                cx.shared.responses[response].body.park(reader);
            }
            let state = State::Transmit(transmission);
            return if connection.is_reset(cx) { Next::Gone(state) } else { Next::Park(state) };
        }
        if cx.budget.is_spent() {
            return Next::Park(State::Transmit(transmission)); // drive() has the client woken
        }
        match send(&mut transmission.source, exchange, connection, cx) {
            Poll::Ready(Ok(())) => connection.timers.stop(ClientTimer::Send),
            Poll::Ready(Err(error)) => {
                let is_file = matches!(transmission.source, Source::File(_));
                if is_file && error.kind() == io::ErrorKind::UnexpectedEof {
                    exchange.record.reason = Some(ExchangeError::from(FileError::Shrunk).into());
                }
                return Next::Gone(State::Transmit(transmission));
            }
            Poll::Pending => {
                connection.await_room(cx);
                return Next::Park(State::Transmit(transmission));
            }
        }
    }
}

/// Returns true if the content that the client would read next was dropped, because other clients read
/// faster and memory is short.
fn was_dropped(source: &Source, cx: &ClientCx<'_>) -> bool {
    match source {
        Source::Pending { reading: Reading { response, reader }, .. } => {
            cx.shared.responses[*response].body.was_dropped(*reader)
        }
        Source::Stored { .. } | Source::File(_) => false,
    }
}

/// Result of planning a frame.
enum Planned {
    /// A frame is planned, which may be empty.
    Frame,
    /// No content may be sent for this time, because of the limits of the client.
    Held(Duration),
    /// The content has failed, and all of it before that was sent.
    Failed(ExchangeError),
}

/// Plans the next frame, within the limits of the client.
fn plan(
    transmission: &mut Transmission,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Planned {
    let (token, output) = (connection.token, &mut connection.output);
    if transmission.ended {
        return Planned::Frame;
    }
    begin_part(&mut transmission.source, exchange, output);
    if let Source::File(file) = &mut transmission.source
        && file.is_dry()
        && (cx.reactor.has_layer(connection.io) || !file.goes_direct())
    {
        match fill(file, token, cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Planned::Failed(error),
            Poll::Pending => return Planned::Frame,
        }
    }
    let available = match &transmission.source {
        Source::Stored { at, end, .. } => end - at,
        Source::File(file) => file.available(),
        &Source::Pending { reading, left } => {
            let body = &cx.shared.responses[reading.response].body;
            body.available(reading.reader).min(left.unwrap_or(u64::MAX))
        }
    };
    let client = (&exchange.record, exchange.limited_route);
    let largest = transmission.source.largest_frame();
    let granted = shape::take(client, available.min(largest), &mut transmission.turn, cx);
    if let Grant { bytes: 0, wait: Some(wait) } = granted {
        return Planned::Held(wait);
    }
    // The end follows only if the frame has all content before it.
    let is_whole = granted.wait.is_none();
    let available = if is_whole { available } else { granted.bytes };
    let end = match &transmission.source {
        Source::Stored { parts, .. } => {
            let is_last = parts.as_ref().is_none_or(|parts| parts.is_over());
            is_last.then_some(None)
        }
        Source::File(file) => file.is_last().then_some(None),
        &Source::Pending { reading, left } => {
            let body = &cx.shared.responses[reading.response].body;
            match body.state() {
                _ if left == Some(available) => Some(None),
                BodyState::Complete(trailers) => Some(trailers.as_ref()),
                BodyState::Failed(error) if available == 0 => {
                    return Planned::Failed(error.clone());
                }
                BodyState::Streaming | BodyState::Failed(_) => None,
            }
        }
    };
    transmission.ended =
        output.plan(transmission.coding, (available, largest), end.filter(|_| is_whole));
    Planned::Frame
}

/// Begins the next of several parts once one is complete.
fn begin_part(source: &mut Source, exchange: &mut Exchange, output: &mut SendBuffer) {
    let (at, end, parts) = match source {
        Source::Stored { at, end, parts: Some(parts), .. } => (at, end, parts),
        Source::File(file) => {
            let FileSource { at, end, parts: Some(parts), .. } = &mut **file else { return };
            (at, end, parts)
        }
        Source::Stored { .. } | Source::Pending { .. } => return,
    };
    if at == end
        && let Some(piece) = parts.next()
    {
        output.bytes().extend_from_slice(&piece.lead);
        exchange.record.sent += piece.lead.len() as u64;
        (*at, *end) = (piece.first, piece.end);
    }
}

/// Writes once, and accounts for the content that was sent.
fn send(
    source: &mut Source,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Poll<io::Result<()>> {
    let content = source.content(cx.shared);
    let Poll::Ready(sent) = connection.output.send(cx.reactor, connection.io, content)? else {
        return Poll::Pending;
    };
    cx.budget.spend_out(sent.bytes);
    exchange.record.sent += sent.content;
    match source {
        Source::Stored { at, .. } => *at += sent.content,
        Source::File(file) => file.advance(sent.content),
        Source::Pending { reading: Reading { response, reader }, left } => {
            *left = left.map(|left| left - sent.content);
            cx.shared.responses[*response].body.advance(*reader, sent.content, cx.reactor);
            cx.shared.account(*response);
        }
    }
    Poll::Ready(Ok(()))
}
