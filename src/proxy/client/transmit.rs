//! Transmit: content goes to the client as it is there.

use std::io;
use std::task::Poll;

use crate::proxy::error::ExchangeError;
use crate::proxy::observe::reason::Reason;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::State;
use crate::proxy::transfer::send_buffer::{ContentSource, SendBuffer};

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Source};
use super::pump;
use super::step::{Next, Step};

/// Sends until all has left, the client takes no more, or there is no more yet.
pub(super) fn transmit(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if let Err(error) = pump(client, cx) {
        // The answer came before all of the request; what is left of that is dropped.
        client.leave_upload(cx, &error);
    }
    loop {
        if is_lost(client, cx) {
            return outpaced(client);
        }
        let failed = client.output.is_between_frames() && !plan(client, cx);
        if failed && client.output.is_empty() {
            return cut_short(client, cx);
        }
        let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
        if client.output.is_empty() {
            if exchange.ended {
                return Next::Go(Step::Finish);
            }
            if let Source::Pending { id, reader, .. } = exchange.source
                && let Some(response) = cx.shared.responses.get_mut(id)
            {
                response.body.park(reader);
            }
            return if client.is_reset(cx) { Next::Gone } else { Next::Park };
        }
        if cx.budget.is_spent() {
            return Next::Park; // drive() sees to another turn
        }
        match send(client, cx) {
            Poll::Ready(Ok(())) => client.deadlines.send = None,
            Poll::Ready(Err(_)) => return Next::Gone,
            Poll::Pending => {
                await_room(client, cx);
                return Next::Park;
            }
        }
    }
}

/// Whether the content went on without this client.
fn is_lost(client: &Client, cx: &ClientCx<'_>) -> bool {
    let source = client.exchange.as_ref().map(|exchange| &exchange.source);
    if let Some(Source::Pending { id, reader, .. }) = source {
        return cx
            .shared
            .responses
            .get(*id)
            .is_some_and(|response| response.body.was_dropped(*reader));
    }
    false
}

/// Plans the next frame; false if the content has failed, and what came before that has left.
fn plan(client: &mut Client, cx: &mut ClientCx<'_>) -> bool {
    let Some(exchange) = &mut client.exchange else { return true };
    if exchange.ended {
        return true;
    }
    let coding = exchange.coding;
    next_part(exchange, &mut client.output);
    let (available, end) = match &exchange.source {
        Source::None => (0, Some(None)),
        Source::Stored { at, end, parts, .. } => {
            let is_last = parts.as_ref().is_none_or(|parts| parts.is_over());
            (end - at, is_last.then_some(None))
        }
        &Source::Pending { id, reader, left, .. } => {
            let Some(response) = cx.shared.responses.get(id) else { return false };
            let available = response.body.available(reader).min(left.unwrap_or(u64::MAX));
            let end = match response.body.state() {
                _ if left == Some(available) => Some(None),
                State::Complete(trailers) => Some(trailers.as_ref()),
                State::Failed(_) if available == 0 => return false,
                State::Streaming | State::Failed(_) => None,
            };
            (available, end)
        }
    };
    exchange.ended = client.output.plan(coding, available, end);
    true
}

/// Where one part of several is over, the next begins.
fn next_part(exchange: &mut Exchange, output: &mut SendBuffer) {
    if let Source::Stored { at, end, parts: Some(parts), .. } = &mut exchange.source
        && at == end
        && let Some(piece) = parts.next()
    {
        output.bytes().extend_from_slice(&piece.lead);
        exchange.record.sent += piece.lead.len() as u64;
        (*at, *end) = (piece.first, piece.end);
    }
}

/// One write; content that left is accounted for.
fn send(client: &mut Client, cx: &mut ClientCx<'_>) -> Poll<io::Result<()>> {
    let Some(exchange) = &mut client.exchange else { return Poll::Ready(Ok(())) };
    let supply = supply(&exchange.source, cx.shared);
    let Poll::Ready(sent) = client.output.send(cx.reactor, client.io, supply)? else {
        return Poll::Pending;
    };
    cx.budget.spend_out(sent.bytes);
    exchange.record.sent += sent.content;
    match &mut exchange.source {
        Source::None => {}
        Source::Stored { at, .. } => *at += sent.content,
        Source::Pending { id, reader, left, .. } => {
            let (id, reader) = (*id, *reader);
            *left = left.map(|left| left - sent.content);
            if let Some(response) = cx.shared.responses.get_mut(id) {
                response.body.advance(reader, sent.content, cx.reactor);
            }
            cx.shared.account(id);
        }
    }
    Poll::Ready(Ok(()))
}

fn supply<'a>(source: &'a Source, shared: &'a Shared) -> ContentSource<'a> {
    match source {
        Source::None => ContentSource::Nothing,
        Source::Stored { object, at, .. } => ContentSource::Object(object, *at),
        Source::Pending { id, reader, .. } => match shared.responses.get(*id) {
            Some(response) => ContentSource::Body(&response.body, *reader),
            None => ContentSource::Nothing,
        },
    }
}

/// The content has failed in the middle: the client must see that it is not whole. A length or
/// chunks show that when the connection ends; otherwise only a reset does.
fn cut_short(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Gone };
    let error = match &exchange.source {
        Source::Pending { id, .. } => {
            match cx.shared.responses.get(*id).map(|response| response.body.state()) {
                Some(State::Failed(error)) => error.clone(),
                _ => ExchangeError::OriginGone,
            }
        }
        _ => ExchangeError::OriginGone,
    };
    exchange.record.reason = Some(error.into());
    Next::Gone
}

/// Others read faster, and there is no memory to keep for this client what it has not read.
fn outpaced(client: &mut Client) -> Next {
    if let Some(exchange) = &mut client.exchange {
        exchange.record.reason = Some(Reason::Outpaced);
    }
    Next::Gone
}

/// Sends what waits in the output, without content.
pub(super) fn flush(client: &mut Client, cx: &mut ClientCx<'_>) -> Poll<io::Result<()>> {
    while !client.output.is_empty() {
        match client.output.send(cx.reactor, client.io, ContentSource::Nothing)? {
            Poll::Ready(sent) => {
                cx.budget.spend_out(sent.bytes);
                client.deadlines.send = None;
            }
            Poll::Pending => {
                await_room(client, cx);
                return Poll::Pending;
            }
        }
    }
    Poll::Ready(Ok(()))
}

/// The client takes nothing now; how long that lasts is counted from the first time.
fn await_room(client: &mut Client, cx: &ClientCx<'_>) {
    let timeout = cx.shared.settings.limits.send_timeout;
    client.deadlines.send.get_or_insert(cx.now() + timeout);
}
