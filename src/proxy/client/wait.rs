//! Wait: a response is on its way, to this client's own request or to one like it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::cache::{Object, OriginFailure, Storable};
use crate::http::{Status, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::transfer::body::State;
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};
use crate::proxy::transfer::representation::StreamedRepresentation;
use crate::proxy::tunnel::Tunnel;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Role, Source, serve};
use super::lookup::MAX_DISAPPOINTMENTS;
use super::step::{Next, Step};
use super::{flush, pump};

/// Passes interim responses on as they come, and goes on when there is a final one that is for this
/// client.
pub(super) fn wait(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if let Err(error) = pump(client, cx) {
        return Next::Go(client.fail(&error, cx));
    }
    if client.is_reset(cx) {
        return Next::Gone;
    }
    if relay_interims(client, cx).is_err() {
        return Next::Gone;
    }
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let Source::Pending { id, reader, role, .. } = exchange.source else {
        return Next::Go(Step::Lookup);
    };
    let leader = role == Role::Leader;
    let brought = cx.shared.responses.get_mut(id).and_then(|response| response.result.as_ref());
    let from = brought.and_then(FetchResult::from).filter(|_| !leader);
    let barred =
        exchange.route.as_ref().is_some_and(|route| !route.may_reuse_from(from, cx.shared));
    let now = cx.reactor.now().mono;
    let Some(response) = cx.shared.responses.get_mut(id) else { return Next::Go(Step::Lookup) };

    let came = match barred || (!leader && response.body.was_dropped(reader)) {
        true => Came::NotForUs,
        false => what_came(response, exchange, role, cx.shared.settings.limits.range_ahead.0, now),
    };
    if !matches!(came, Came::Nothing) {
        client.deadlines.joined = None;
    }
    match came {
        Came::Nothing => {
            response.body.park(reader);
            if !leader {
                let timeout = cx.shared.settings.limits.join_timeout;
                client.deadlines.joined.get_or_insert(cx.reactor.now().mono + timeout);
            }
            Next::Park
        }
        Came::NotForUs => {
            exchange.failed_joins += 1;
            exchange.source = Source::None;
            cx.shared.leave_response(id, reader, cx.reactor);
            Next::Go(Step::Lookup)
        }
        Came::Failure(error) => Next::Go(client.fail(&error, cx)),
        Came::Response => Next::Go(Step::Deliver),
        Came::Stored(object) => {
            exchange.record.outcome = Outcome::Revalidated;
            exchange.cache_status.origin_status = Some(Status::NOT_MODIFIED);
            serve(exchange, object);
            cx.shared.leave_response(id, reader, cx.reactor);
            Next::Go(Step::Deliver)
        }
        Came::Stale(object, failure) => {
            exchange.record.outcome = Outcome::Stale;
            exchange.record.refresh_failed = true;
            exchange.cache_status.detail = Some(match failure {
                OriginFailure::Unreachable => "origin-unreachable",
                OriginFailure::ServerError => "origin-error",
            });
            serve(exchange, object);
            cx.shared.leave_response(id, reader, cx.reactor);
            Next::Go(Step::Deliver)
        }
        Came::Switch => match Tunnel::switch(client, id, reader, cx) {
            true => Next::HandedOver,
            false => Next::Go(client.fail(&ExchangeError::OriginGone, cx)),
        },
    }
}

/// Somebody else's fetch takes too long to bring a head: this client asks for itself.
pub(super) fn leave_joined_fetch(client: &mut Client, cx: &mut ClientCx<'_>) -> Step {
    client.deadlines.joined = None;
    let Some(exchange) = &mut client.exchange else { return client.step };
    exchange.failed_joins = MAX_DISAPPOINTMENTS;
    if let Source::Pending { id, reader, .. } = exchange.source {
        exchange.source = Source::None;
        cx.shared.leave_response(id, reader, cx.reactor);
    }
    Step::Lookup
}

enum Came {
    Nothing,
    /// Something that this request does not select, or may not have.
    NotForUs,
    Failure(ExchangeError),
    Response,
    Stored(Arc<Object>),
    Stale(Arc<Object>, OriginFailure),
    Switch,
}

/// What has come, for this request; a range of it that begins more than `ahead` bytes after what is
/// there is not waited for.
fn what_came(
    response: &PendingResponse,
    exchange: &mut Exchange,
    role: Role,
    ahead: u64,
    now: Instant,
) -> Came {
    let (leader, unsent) = (role == Role::Leader, role == Role::Early);
    let request = &*exchange.request;
    let presented = &mut exchange.presented;
    match (&response.result, response.body.state()) {
        (None, State::Failed(error)) if leader || !error.is_retryable() => {
            Came::Failure(error.clone())
        }
        (None, State::Failed(_)) => Came::NotForUs,
        (None, _) => Came::Nothing,
        (Some(FetchResult::Response(answer)), _) => {
            let soon = response.body.end().saturating_add(ahead);
            let mut answers = |storable: &Storable| {
                presented.as_mut().is_some_and(|request| storable.answers(request, unsent, now))
                    && StreamedRepresentation::of(request, answer).is_some_and(|form| {
                        form.begins_by(soon) && answer.part.is_none_or(|part| form.lies_in(part))
                    })
            };
            let shared = leader || answer.storing.as_ref().is_ok_and(&mut answers);
            if shared { Came::Response } else { Came::NotForUs }
        }
        (Some(FetchResult::Stored { object, shared }), _) => {
            let mut answers =
                || presented.as_mut().is_some_and(|request| object.answers(request, unsent, now));
            let shared = leader || (*shared && answers());
            if shared { Came::Stored(Arc::clone(object)) } else { Came::NotForUs }
        }
        (Some(FetchResult::Stale { object, failure }), _) => {
            let mut selected =
                || presented.as_mut().is_some_and(|request| object.selection.fits(request));
            let fits = leader || (object.covers(request) && selected());
            if fits { Came::Stale(Arc::clone(object), *failure) } else { Came::NotForUs }
        }
        (Some(FetchResult::Switched(_)), _) => {
            if leader {
                Came::Switch
            } else {
                Came::NotForUs
            }
        }
    }
}

/// Interim responses that have come since, if the client has asked itself and knows them (RFC 9110
/// §15.2).
fn relay_interims(client: &mut Client, cx: &mut ClientCx<'_>) -> std::io::Result<()> {
    let Some(exchange) = &mut client.exchange else { return Ok(()) };
    if let Source::Pending { id, role: Role::Leader, .. } = exchange.source
        && let Some(response) = cx.shared.responses.get_mut(id)
    {
        let new = std::mem::take(&mut response.interims);
        if exchange.request.version() == Version::Http11 {
            for head in &new {
                client.output.bytes().extend_from_slice(head.wire());
                client.output.bytes().extend_from_slice(b"\r\n");
            }
        }
    }
    if client.output.is_empty() {
        return Ok(());
    }
    match flush(client, cx) {
        Poll::Ready(result) => result,
        Poll::Pending => Ok(()),
    }
}
