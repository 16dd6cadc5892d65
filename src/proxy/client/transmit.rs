//! Transmit: content is sent to the client as it becomes available.

use std::io;
use std::task::Poll;
use std::time::Duration;

use crate::proxy::error::ExchangeError;
use crate::proxy::observe::reason::Reason;
use crate::proxy::timers::ClientTimer;
use crate::proxy::transfer::body::State as BodyState;
use crate::proxy::transfer::send_buffer::{MAX_FRAME, SendBuffer};
use crate::throttle::Grant;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::shape;
use super::source::{Reading, Source};
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
            true => plan(&mut transmission, exchange, &mut connection.output, cx),
            false => Planned::Frame,
        };
        if !matches!(planned, Planned::Held(_)) {
            connection.timers.stop(ClientTimer::Throttle);
        }
        if matches!(planned, Planned::Failed) && connection.output.is_empty() {
            let error = failure(&transmission.source, cx);
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
            Poll::Ready(Err(_)) => return Next::Gone(State::Transmit(transmission)),
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
        Source::Stored { .. } => false,
    }
}

/// Result of planning a frame.
enum Planned {
    /// A frame is planned, which may be empty.
    Frame,
    /// No content may be sent for this time, because of the limits of the client.
    Held(Duration),
    /// The fetch has failed, and all content before that was sent.
    Failed,
}

/// Plans the next frame, within the limits of the client.
fn plan(
    transmission: &mut Transmission,
    exchange: &mut Exchange,
    output: &mut SendBuffer,
    cx: &mut ClientCx<'_>,
) -> Planned {
    if transmission.ended {
        return Planned::Frame;
    }
    begin_part(&mut transmission.source, exchange, output);
    let available = match &transmission.source {
        Source::Stored { at, end, .. } => end - at,
        &Source::Pending { reading, left } => {
            let body = &cx.shared.responses[reading.response].body;
            body.available(reading.reader).min(left.unwrap_or(u64::MAX))
        }
    };
    let client = (&exchange.record, exchange.limited_route);
    let granted = shape::take(client, available.min(MAX_FRAME), &mut transmission.turn, cx);
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
        &Source::Pending { reading, left } => {
            let body = &cx.shared.responses[reading.response].body;
            match body.state() {
                _ if left == Some(available) => Some(None),
                BodyState::Complete(trailers) => Some(trailers.as_ref()),
                BodyState::Failed(_) if available == 0 => return Planned::Failed,
                BodyState::Streaming | BodyState::Failed(_) => None,
            }
        }
    };
    transmission.ended = output.plan(transmission.coding, available, end.filter(|_| is_whole));
    Planned::Frame
}

/// Begins the next of several parts once one is complete.
fn begin_part(source: &mut Source, exchange: &mut Exchange, output: &mut SendBuffer) {
    if let Source::Stored { at, end, parts: Some(parts), .. } = source
        && at == end
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
        Source::Pending { reading: Reading { response, reader }, left } => {
            *left = left.map(|left| left - sent.content);
            cx.shared.responses[*response].body.advance(*reader, sent.content, cx.reactor);
            cx.shared.account(*response);
        }
    }
    Poll::Ready(Ok(()))
}

/// Returns the error that has cut the content short. The client must see that the content is
/// incomplete: a length or chunks show it when the connection ends, otherwise a reset does.
fn failure(source: &Source, cx: &ClientCx<'_>) -> ExchangeError {
    if let Source::Pending { reading, .. } = source
        && let BodyState::Failed(error) = cx.shared.responses[reading.response].body.state()
    {
        return error.clone();
    }
    ExchangeError::OriginGone
}
