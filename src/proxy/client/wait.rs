//! Wait: a pending response has no head yet, of the request's own fetch or of a joined one.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::cache::{Object, OriginFailure, Presented, Storable};
use crate::http::{RequestHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::timers::ClientTimer;
use crate::proxy::transfer::body::State as BodyState;
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse, ResponseMeta};
use crate::proxy::transfer::representation::StreamedRepresentation;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::http1;
use super::query::MAX_FAILED_JOINS;
use super::source::Reading;
use super::state::{Delivery, FetchOf, Lookup, Next, State, Wait};
use super::upgrade::switch_protocols;
use super::upload::pump;

/// Result of a fetch, as far as the request is concerned.
enum Arrival {
    Nothing,
    /// A response that the request does not select, or that the client may not get.
    Unusable,
    Failure(ExchangeError),
    Response(Arc<ResponseMeta>, StreamedRepresentation),
    /// A stored response that the origin has validated.
    Stored(Arc<Object>),
    /// A stored response that is stale, because the origin has failed.
    Stale(Arc<Object>, OriginFailure),
    Switch,
}

/// Relays interim responses, and delivers the final response once its head has arrived.
pub(super) fn wait(
    mut wait: Wait,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if let Err(error) = pump(&mut exchange.upload, connection, cx) {
        return Next::fail(State::Wait(wait), error);
    }
    if connection.is_reset(cx) || relay_interims(&wait, exchange, connection, cx).is_err() {
        return Next::Gone(State::Wait(wait));
    }
    let arrival = arrival(&mut wait, &exchange.request, cx);
    if !matches!(arrival, Arrival::Nothing) {
        exchange.record.timings = cx.shared.responses[wait.reading.response].timings;
        connection.timers.stop(ClientTimer::Join);
    }
    match arrival {
        Arrival::Nothing => {
            let Reading { response, reader } = wait.reading;
            cx.shared.responses[response].body.park(reader);
            if matches!(wait.fetch, FetchOf::Joined { .. }) {
                let timeout = cx.shared.settings.limits.join_timeout;
                connection.timers.start(ClientTimer::Join, cx.now() + timeout);
            }
            Next::Park(State::Wait(wait))
        }
        Arrival::Unusable => leave_joined_fetch(wait, |failed| failed + 1, cx),
        Arrival::Failure(error) => Next::fail(State::Wait(wait), error),
        Arrival::Response(meta, form) => {
            let (reading, route) = (wait.reading, wait.fetch.into_route());
            Next::Go(State::Deliver(Delivery::Pending { reading, meta, form, route }))
        }
        Arrival::Stored(object) => {
            exchange.record.outcome = Outcome::Revalidated;
            exchange.cache_status.origin_status = Some(Status::NOT_MODIFIED);
            deliver_stored(wait, object, cx)
        }
        Arrival::Stale(object, failure) => {
            exchange.record.outcome = Outcome::Stale;
            exchange.record.refresh_failed = true;
            exchange.cache_status.detail = Some(match failure {
                OriginFailure::Unreachable => "origin-unreachable",
                OriginFailure::ServerError => "origin-error",
            });
            deliver_stored(wait, object, cx)
        }
        Arrival::Switch => switch_protocols(wait, exchange, connection, cx),
    }
}

/// Delivers a stored response in place of the pending one.
fn deliver_stored(wait: Wait, object: Arc<Object>, cx: &mut ClientCx<'_>) -> Next {
    wait.reading.release(cx.reactor, cx.shared);
    let route = wait.fetch.into_route();
    Next::Go(State::Deliver(Delivery::Stored { object, route }))
}

/// The joined fetch takes too long to publish a head: the request gets a fetch of its own.
pub(super) fn join_timed_out(wait: Wait, cx: &mut ClientCx<'_>) -> Next {
    leave_joined_fetch(wait, |_| MAX_FAILED_JOINS, cx)
}

/// Leaves the joined fetch, with another number of joins that have failed.
fn leave_joined_fetch(wait: Wait, count: impl FnOnce(u32) -> u32, cx: &mut ClientCx<'_>) -> Next {
    wait.reading.release(cx.reactor, cx.shared);
    Next::Go(State::Lookup(match wait.fetch {
        FetchOf::Own(route) => Lookup::First(route),
        FetchOf::Joined { mut query, .. } => {
            query.failed_joins = count(query.failed_joins);
            Lookup::Again(query)
        }
    }))
}

/// Returns the result of the fetch for this request.
fn arrival(wait: &mut Wait, request: &RequestHead, cx: &ClientCx<'_>) -> Arrival {
    let Reading { response, reader } = wait.reading;
    let pending = &cx.shared.responses[response];
    match &mut wait.fetch {
        FetchOf::Own(_) => own_arrival(pending, request),
        FetchOf::Joined { query, early } => {
            let from = pending.result.as_ref().and_then(FetchResult::origin_address);
            let barred = !cx.shared.may_reuse(&query.route, from);
            if barred || pending.body.was_dropped(reader) {
                return Arrival::Unusable;
            }
            let ahead = cx.shared.settings.limits.range_ahead.0;
            joined_arrival(pending, request, &mut query.presented, *early, ahead, cx.now())
        }
    }
}

/// Returns the result of the request's own fetch: whatever the origin has sent answers the request.
fn own_arrival(pending: &PendingResponse, request: &RequestHead) -> Arrival {
    match (&pending.result, pending.body.state()) {
        (None, BodyState::Failed(error)) => Arrival::Failure(error.clone()),
        (None, _) => Arrival::Nothing,
        (Some(FetchResult::Response(meta)), _) => {
            let form = StreamedRepresentation::of(request, meta);
            Arrival::Response(Arc::clone(meta), form.unwrap_or(StreamedRepresentation::Whole))
        }
        (Some(FetchResult::Stored { object, .. }), _) => Arrival::Stored(Arc::clone(object)),
        (Some(FetchResult::Stale { object, failure }), _) => {
            Arrival::Stale(Arc::clone(object), *failure)
        }
        (Some(FetchResult::Switched(_)), _) => Arrival::Switch,
    }
}

/// Returns the result of a joined fetch, if it answers this request too. A range that begins more than
/// `ahead` bytes behind the bytes received is not waited for.
fn joined_arrival(
    pending: &PendingResponse,
    request: &RequestHead,
    presented: &mut Presented,
    early: bool,
    ahead: u64,
    now: Instant,
) -> Arrival {
    match (&pending.result, pending.body.state()) {
        (None, BodyState::Failed(error)) if !error.is_retryable() => {
            Arrival::Failure(error.clone())
        }
        (None, BodyState::Failed(_)) => Arrival::Unusable,
        (None, _) => Arrival::Nothing,
        (Some(FetchResult::Response(meta)), _) => {
            let answers = |storable: &Storable| storable.answers(presented, early, now);
            let soon = pending.body.end().saturating_add(ahead);
            let usable = meta.storing.as_ref().is_ok_and(answers);
            match usable.then(|| form_within(request, meta, soon)).flatten() {
                Some(form) => Arrival::Response(Arc::clone(meta), form),
                None => Arrival::Unusable,
            }
        }
        (Some(FetchResult::Stored { object, shared }), _)
            if *shared && object.answers(presented, early, now) =>
        {
            Arrival::Stored(Arc::clone(object))
        }
        (Some(FetchResult::Stale { object, failure }), _)
            if object.covers(request) && object.selection.fits(presented) =>
        {
            Arrival::Stale(Arc::clone(object), *failure)
        }
        (Some(_), _) => Arrival::Unusable,
    }
}

/// Returns the form in which a pending response answers the request, if the content of that form begins
/// by the offset `soon` and is among the content that the fetch brings.
fn form_within(
    request: &RequestHead,
    meta: &ResponseMeta,
    soon: u64,
) -> Option<StreamedRepresentation> {
    let form = StreamedRepresentation::of(request, meta)?;
    let brought = meta.part.is_none_or(|part| form.lies_in(part));
    (form.begins_by(soon) && brought).then_some(form)
}

/// Relays interim responses to the client whose request has caused them.
fn relay_interims(
    wait: &Wait,
    exchange: &Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> io::Result<()> {
    if matches!(wait.fetch, FetchOf::Own(_)) {
        let pending = &mut cx.shared.responses[wait.reading.response];
        let interims = std::mem::take(&mut pending.interims);
        let heads = interims.iter().map(|head| exchange.edited(head));
        http1::write_interims(connection.output.bytes(), heads, exchange.request.version());
    }
    match connection.flush(cx) {
        Poll::Ready(result) => result,
        Poll::Pending => Ok(()),
    }
}
