//! Send: writes the request, whose content is sent as the client writes it.

use std::task::Poll;

use crate::proxy::error::ExchangeError;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body;
use crate::proxy::transfer::send_buffer::{ContentSource, MAX_FRAME};

use super::attempt::{Attempt, Sending};
use super::context::FetchCx;
use super::gather::send_continue;
use super::rewrite_request;
use super::state::{Fetch, State};
use super::step::Next;
use super::upload::Upload;

/// Writes the request's head, which the next state sends.
pub(super) fn send(fetch: &mut Fetch, mut attempt: Box<Attempt>, cx: &mut FetchCx<'_>) -> Next {
    let now = cx.reactor.now().mono;
    let origin = fetch.request.origin.as_ref();
    fetch.request.old_origin |=
        origin.is_some_and(|origin| cx.shared.old_origins.contains(&origin.key, now));
    if let Some(upload) = fetch.upload.filter(|_| fetch.request.needs_gathering()) {
        return Next::Go(State::Gather(upload, Some(attempt)));
    }
    send_continue(fetch, cx);
    if fetch.request.facts.authenticates_connection {
        attempt.connection.bound_to = fetch.request.bound_to;
    }
    let settings = &cx.shared.settings;
    rewrite_request::request_head(attempt.output.bytes(), &fetch.request, settings);
    cx.shared.cache.sent(fetch.ticket);
    attempt.sent_at = now;
    Next::Go(State::Head(attempt))
}

/// Sends as much of the request as is there and the origin takes. An origin that takes no more may
/// have sent a response.
///
/// # Errors
/// The error of a client that does not send all of the content.
pub(super) fn push_request(
    fetch: &mut Fetch,
    attempt: &mut Attempt,
    cx: &mut FetchCx<'_>,
) -> Result<(), ExchangeError> {
    while !matches!(attempt.sending, Sending::Stopped) && !cx.budget.is_spent() {
        if let Sending::InProgress(upload) = attempt.sending
            && attempt.output.is_between_frames()
        {
            plan(fetch, attempt, upload, cx)?;
        }
        if attempt.output.is_empty() {
            wait_for_content(attempt, cx);
            return Ok(());
        }
        let source = match fetch.upload {
            Some(upload) => ContentSource::Body(upload.body(&mut cx.shared.uploads), upload.reader),
            None => ContentSource::Nothing,
        };
        let sent = match attempt.output.send(cx.reactor, attempt.connection.io, source) {
            Poll::Pending => {
                let timeout = cx.shared.settings.limits.origin_timeout;
                fetch.timers.start(FetchTimer::Sending, cx.reactor.now().mono + timeout);
                return Ok(());
            }
            Poll::Ready(Err(_)) => {
                attempt.sending = Sending::Stopped;
                fetch.timers.stop(FetchTimer::Sending);
                return Ok(());
            }
            Poll::Ready(Ok(sent)) => sent,
        };
        cx.budget.spend_out(sent.bytes);
        fetch.timers.stop(FetchTimer::Sending);
        if let Some(upload) = fetch.upload {
            let body = upload.body(&mut cx.shared.uploads);
            body.advance(upload.reader, sent.content, cx.reactor);
        }
    }
    Ok(())
}

/// Plans the next frame of content.
fn plan(
    fetch: &Fetch,
    attempt: &mut Attempt,
    upload: Upload,
    cx: &mut FetchCx<'_>,
) -> Result<(), ExchangeError> {
    let body = upload.body(&mut cx.shared.uploads);
    let end = match body.state() {
        body::State::Streaming => None,
        body::State::Complete(trailers) => Some(trailers.as_ref()),
        body::State::Failed(error) => return Err(error.clone()),
    };
    if attempt.output.plan(fetch.request_coding(), (body.available(upload.reader), MAX_FRAME), end)
    {
        attempt.sending = Sending::Complete;
    }
    Ok(())
}

/// Releases the empty buffer. The client is waited for if it has more content to write.
fn wait_for_content(attempt: &mut Attempt, cx: &mut FetchCx<'_>) {
    attempt.output.release();
    if let Sending::InProgress(upload) = attempt.sending {
        upload.body(&mut cx.shared.uploads).park(upload.reader);
    }
}
