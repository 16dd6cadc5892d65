//! Upload: the request's content goes up while its answer is waited for.

use std::task::Poll;

use crate::http::{ParseError, ServerEvent};
use crate::proxy::error::ExchangeError;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::{Body, Retention, State, receive_into};
use crate::reactor::{Id, Token};

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Upload};
use super::step::Step;

/// Prepares for the content of a request, if it has some, for the fetch that will read it. A short
/// one is kept, so that it can be sent again.
pub(super) fn begin_upload(
    exchange: &mut Exchange,
    writer: Token,
    shared: &mut Shared,
) -> Option<Id<Body>> {
    if exchange.upload != Upload::Unread {
        return None;
    }
    let limits = &shared.settings.limits;
    let length = exchange.request.framing().length();
    let short = length.is_some_and(|length| length <= limits.replay.0);
    let retain = if short { Retention::Full } else { Retention::Window };
    let id = shared.uploads.insert(Body::new(writer, length, retain, limits.window.0));
    exchange.upload = Upload::Into(id);
    Some(id)
}

/// Moves content from the client into the body, as far as there is some and room for it.
///
/// # Errors
/// If the content breaks a rule, is too large, or ends too early. The body has failed then.
pub(super) fn pump(client: &mut Client, cx: &mut ClientCx<'_>) -> Result<(), ExchangeError> {
    let Some(Upload::Into(id)) = client.exchange.as_ref().map(|exchange| exchange.upload) else {
        return Ok(());
    };
    let moved = pump_into(client, id, cx);
    let Some(exchange) = &mut client.exchange else { return Ok(()) };
    match &moved {
        Ok(Progress::Done) => {
            exchange.upload = Upload::Done;
            client.deadlines.upload = None;
        }
        Ok(Progress::Waits) => {
            let timeout = cx.shared.settings.limits.upload_timeout;
            client.deadlines.upload.get_or_insert(cx.reactor.now().mono + timeout);
        }
        Ok(Progress::Held) => client.deadlines.upload = None,
        Err(error) => {
            exchange.upload = Upload::Unread;
            client.deadlines.upload = None;
            cx.shared.end_upload(id, error, cx.reactor);
        }
    }
    moved.map(drop)
}

/// The client did not go on with its content in time. Before its answer has begun it is told so;
/// then, whoever waits for the content finds that it has failed.
pub(super) fn give_up_upload(client: &mut Client, cx: &mut ClientCx<'_>) -> Step {
    if client.step == Step::Wait {
        return client.fail(&ExchangeError::UploadTimeout, cx);
    }
    client.leave_upload(cx, &ExchangeError::UploadTimeout);
    client.step
}

enum Progress {
    /// All has come.
    Done,
    /// The client is waited for.
    Waits,
    /// The fetch is waited for, or this drive has done enough.
    Held,
}

fn pump_into(
    client: &mut Client,
    id: Id<Body>,
    cx: &mut ClientCx<'_>,
) -> Result<Progress, ExchangeError> {
    let limit = cx.shared.settings.limits.upload.map_or(u64::MAX, |bytes| bytes.0);
    loop {
        let Some(body) = cx.shared.uploads.get_mut(id) else { return Ok(Progress::Held) };
        // The origin has answered before it took all. A client that writes all of its request before it reads
        // would wait for ever if the rest was left unread.
        let dropped = !body.has_readers();
        let is_full = !dropped && body.room(cx.shared.memory.window()) == 0;
        if is_full || cx.budget.is_spent() {
            return Ok(Progress::Held);
        }
        if body.end() > limit {
            return Err(ExchangeError::UploadTooLarge);
        }
        let (used, event) = client
            .codec
            .decode(client.input.unread(), &cx.shared.heads)
            .map_err(ExchangeError::BadRequest)?;
        match event {
            Some(ServerEvent::Content(range)) => {
                if !dropped {
                    body.push(&client.input.unread()[range], cx.reactor);
                }
                client.input.consume(used);
                continue;
            }
            Some(ServerEvent::End(trailers)) => {
                client.input.consume(used);
                body.finish(State::Complete(trailers), cx.reactor);
                cx.shared.release_upload(id);
                return Ok(Progress::Done);
            }
            Some(ServerEvent::Request(_)) => return Ok(Progress::Held),
            None => client.input.consume(used),
        }
        let left = client.codec.content_left();
        let direct = if dropped { None } else { receive_into(body, left, client.io, cx.reactor) };
        let received = match direct {
            Some(received) => {
                if let Poll::Ready(Ok(n)) = received {
                    client.codec.skip_content(n as u64);
                }
                received
            }
            None => client.input.receive(cx.reactor, client.io, &mut cx.shared.buffers),
        };
        match received {
            Poll::Pending => return Ok(Progress::Waits),
            Poll::Ready(Ok(0)) => return Err(ExchangeError::BadRequest(ParseError::Truncated)),
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                client.deadlines.upload = None;
            }
            Poll::Ready(Err(_)) => return Err(ExchangeError::ClientGone),
        }
    }
}
