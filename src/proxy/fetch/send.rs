//! Send: the request goes out, its content as it comes from the client.

use std::task::Poll;

use crate::http::hop;
use crate::proxy::error::ExchangeError;
use crate::proxy::shared::Shared;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body::State;
use crate::proxy::transfer::send_buffer::ContentSource;

use super::context::FetchCx;
use super::gather::encourage;
use super::rewrite_request;
use super::state::Fetch;
use super::step::{Next, Step};

/// Writes the head, and sends what there is.
pub(super) fn send(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    let now = cx.reactor.now().mono;
    fetch.request.old_origin |= cx.shared.old_origins.contains(&fetch.request.route.origin, now);
    if fetch.request.needs_gathering() {
        return Next::Go(Step::Gather);
    }
    encourage(fetch, cx);
    if let Some(connection) = &mut fetch.connection
        && hop::authenticates_connection(fetch.request.head.fields())
    {
        connection.bound_to = fetch.request.bound_to;
    }
    fetch.write_head(cx.shared);
    cx.shared.cache.sent(fetch.ticket);
    fetch.request_ended = fetch.request.upload.is_none();
    fetch.sent_at = now;
    Next::Go(Step::Head)
}

/// Sends as much of the request as there is and the origin takes. An origin that takes no more may
/// still have answered.
///
/// # Errors
/// If the client does not bring all of the content.
pub(super) fn push_request(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Result<(), ExchangeError> {
    let Some(connection) = fetch.connection else { return Ok(()) };
    while !fetch.sending_failed && !cx.budget.is_spent() {
        if fetch.output.is_between_frames() && !fetch.request_ended {
            plan(fetch, cx)?;
        }
        if fetch.output.is_empty() {
            park(fetch, cx);
            return Ok(());
        }
        let body = fetch.request.upload.and_then(|upload| cx.shared.uploads.get(upload));
        let supply = match (body, fetch.reader) {
            (Some(body), Some(reader)) => ContentSource::Body(body, reader),
            _ => ContentSource::Nothing,
        };
        let sent = match fetch.output.send(cx.reactor, connection.io, supply) {
            Poll::Pending => {
                let timeout = cx.shared.settings.limits.origin_timeout;
                fetch.timers.start(FetchTimer::Sending, cx.reactor.now().mono + timeout);
                return Ok(());
            }
            Poll::Ready(Err(_)) => {
                fetch.sending_failed = true;
                fetch.timers.stop(FetchTimer::Sending);
                return Ok(());
            }
            Poll::Ready(Ok(sent)) => sent,
        };
        cx.budget.spend_out(sent.bytes);
        fetch.timers.stop(FetchTimer::Sending);
        let body = fetch.request.upload.and_then(|upload| cx.shared.uploads.get_mut(upload));
        if let (Some(body), Some(reader)) = (body, fetch.reader) {
            body.advance(reader, sent.content, cx.reactor);
        }
    }
    Ok(())
}

/// Plans the next frame of content.
fn plan(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Result<(), ExchangeError> {
    let body = fetch.request.upload.and_then(|upload| cx.shared.uploads.get(upload));
    let (Some(body), Some(reader)) = (body, fetch.reader) else {
        return Err(ExchangeError::ClientGone);
    };
    let end = match body.state() {
        State::Streaming => None,
        State::Complete(trailers) => Some(trailers.as_ref()),
        State::Failed(error) => return Err(error.clone()),
    };
    fetch.request_ended = fetch.output.plan(fetch.request_coding(), body.available(reader), end);
    Ok(())
}

/// All there is has left. If more is to come, the client is what is waited for.
fn park(fetch: &mut Fetch, cx: &mut FetchCx<'_>) {
    fetch.output.release();
    if fetch.request_ended {
        return;
    }
    let body = fetch.request.upload.and_then(|upload| cx.shared.uploads.get_mut(upload));
    if let (Some(body), Some(reader)) = (body, fetch.reader) {
        body.park(reader);
    }
}

impl Fetch {
    pub(super) fn write_head(&mut self, shared: &Shared) {
        rewrite_request::request_head(self.output.bytes(), &self.request, &shared.settings);
    }
}
