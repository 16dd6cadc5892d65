//! Lookup: the response comes from the cache, from a fetch in flight, or from a fetch of its own.

use std::sync::Arc;

use crate::cache::{Lookup as Found, MissReason, Object, ServeDecision};
use crate::proxy::error::ExchangeError;
use crate::proxy::fetch::call_at_once;
use crate::proxy::fetch::request::FetchRequest;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::observe::outcome::{Forwarded, Outcome};
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::reactor::Id;

use super::compression;
use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::fetch_plan::FetchPlan;
use super::query::{MAX_FAILED_JOINS, Query};
use super::source::Reading;
use super::state::{Delivery, FetchOf, Lookup, Next, State, Wait};

/// Serves a stored response, joins a fetch in flight, or begins one.
pub(super) fn lookup(
    lookup: Lookup,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let mut query = match lookup {
        Lookup::First(route) => Query::new(route, &exchange.request, connection.tls.as_ref(), cx),
        Lookup::Again(query) => *query,
    };
    if cx.shared.settings.status_key {
        exchange.cache_status.key = Some(query.key.uri().into());
    }
    let found = match (query.facts.upgrade.is_some(), query.bypasses_cache) {
        (true, _) => Found::Miss(MissReason::Method),
        (false, true) => Found::Miss(MissReason::Bypass),
        (false, false) => {
            cx.shared.cache.look_up(&query.key, &mut query.presented, cx.reactor.now().mono)
        }
    };
    let (plan, forwarded) = match found {
        Found::Hit(object, _) | Found::Stale(object, _) | Found::Partial(object, _)
            if !cx.shared.may_reuse(&query.route, object.origin_address) =>
        {
            (FetchPlan::default(), Forwarded::Missing(MissReason::Uri))
        }
        Found::Hit(object, decision) => {
            return serve(object, decision, query, exchange, cx);
        }
        Found::InFlight { fetch, unsent } => {
            if let Some(reading) = attach(fetch, &query, connection, cx) {
                return join(reading, unsent, query, exchange);
            }
            (FetchPlan::default(), Forwarded::Missing(MissReason::Uri))
        }
        Found::Stale(object, decision) => {
            let asked = decision == ServeDecision::ValidateForRequest;
            let forwarded = if asked { Forwarded::Request } else { Forwarded::Stale };
            (FetchPlan::stale(object, asked, &query, cx), forwarded)
        }
        Found::Partial(object, wanted) => {
            (FetchPlan::part(object, wanted, cx), Forwarded::Missing(MissReason::Part))
        }
        Found::Miss(reason @ (MissReason::Uri | MissReason::Vary)) => {
            (FetchPlan::none(&query, cx), Forwarded::Missing(reason))
        }
        Found::Miss(reason) => (FetchPlan::default(), Forwarded::Missing(reason)),
    };
    fetch(plan, forwarded, query, exchange, connection, cx)
}

/// Serves a stored response.
fn serve(
    object: Arc<Object>,
    decision: ServeDecision,
    query: Query,
    exchange: &mut Exchange,
    cx: &mut ClientCx<'_>,
) -> Next {
    let fresh = decision == ServeDecision::Fresh;
    exchange.record.outcome = if fresh { Outcome::Hit } else { Outcome::Stale };
    exchange.cache_status.hit = true;
    if decision != ServeDecision::WhileRevalidating {
        return Next::Go(State::Deliver(Delivery::Stored { object, route: query.route }));
    }
    let route = Arc::clone(&query.route);
    let plan = FetchPlan::served(&object);
    let request = plan.fetch_request(query, Arc::clone(&exchange.request), &exchange.record);
    let request = FetchRequest { background: true, ..request };
    Fetch::begin(request, cx.reactor, cx.shared, cx.fetches);
    Next::Go(State::Deliver(Delivery::Stored { object, route }))
}

/// Attaches the client to the response of another request's fetch, if the client can read it from its
/// start and has not left too many fetches.
fn attach(
    response: Id<PendingResponse>,
    query: &Query,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Option<Reading> {
    let may_join = query.failed_joins < MAX_FAILED_JOINS;
    let pending = cx.shared.responses.get_mut(response).filter(|_| may_join)?;
    let reader = pending.body.attach(connection.token)?;
    Some(Reading { response, reader })
}

/// Joins the fetch of another request, which was sent unless it is `unsent`.
fn join(reading: Reading, unsent: bool, query: Query, exchange: &mut Exchange) -> Next {
    exchange.record.outcome = Outcome::Miss;
    exchange.cache_status.collapsed = true;
    exchange.cache_status.forwarded = Some(Forwarded::Missing(MissReason::Uri));
    exchange.record.forwarded = exchange.cache_status.forwarded;
    let fetch = FetchOf::Joined { query: Box::new(query), early: unsent };
    Next::Go(State::Wait(Wait { reading, fetch }))
}

/// Begins a fetch for the request.
fn fetch(
    plan: FetchPlan,
    forwarded: Forwarded,
    query: Query,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    exchange.cache_status.forwarded = Some(forwarded);
    exchange.record.forwarded = Some(forwarded);
    let route = Arc::clone(&query.route);
    if query.presented.control().only_if_cached {
        return Next::fail(State::Lookup(Lookup::First(route)), ExchangeError::OnlyIfCached);
    }
    let passes = matches!(forwarded, Forwarded::Missing(MissReason::Method | MissReason::Bypass));
    exchange.record.outcome = if passes { Outcome::Pass } else { Outcome::Miss };
    exchange.cache_status.collapsed = false;
    let token = connection.token;
    connection.binds_origins |= query.facts.authenticates_connection;
    let head = Arc::clone(&exchange.request);
    let mut request = plan.fetch_request(query, head, &exchange.record);
    request.validate.retain(|object| cx.shared.may_reuse(&route, object.origin_address));
    request.upload = exchange.upload.begin(&exchange.request, token, cx.shared);
    request.bound_to = connection.binds_origins.then_some(token);
    let is_shaped = cx.shared.throttling.tables.has_bandwidth()
        || compression::is_on(exchange, &cx.shared.settings);
    if !is_shaped && let Some(direct) = call_at_once(&mut request, cx.shared, cx.reactor.now()) {
        cx.shared.counters.fetches += 1;
        return Next::Go(State::Deliver(Delivery::Direct(Box::new(direct))));
    }
    let response = Fetch::begin(request, cx.reactor, cx.shared, cx.fetches);
    let reader = cx.shared.responses[response].body.attach(token);
    let reader = reader.expect("a new response is read from its start");
    let reading = Reading { response, reader };
    Next::Go(State::Wait(Wait { reading, fetch: FetchOf::Own(route) }))
}
