//! Lookup: from the cache, from a fetch that is under way, or by a fetch of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::cache::{Lookup, MissReason, Object, ServeDecision};
use crate::http::hop;
use crate::proxy::error::ExchangeError;
use crate::proxy::fetch::request::FetchRequest;
use crate::proxy::fetch::rewrite_request;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::observe::outcome::{Forwarded, Outcome};
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::reactor::Id;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Role, Source, serve};
use super::fetch_plan::FetchPlan;
use super::step::{Next, Step};
use super::upload::begin_upload;

/// How often a client waits for another's fetch in vain before it begins one of its own.
pub(super) const MAX_DISAPPOINTMENTS: u32 = 2;

/// Finds out where the response comes from.
pub(super) fn lookup(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let Some(route) = exchange.route.clone() else { return Next::Go(Step::Route) };
    let key = exchange.key.get_or_insert_with(|| cx.shared.cache.keys().key(&route.uri));
    if cx.shared.settings.status_key {
        exchange.cache_status.key = Some(Arc::clone(key.shared_uri()));
    }
    let upgrade = rewrite_request::upgrade_of(&exchange.request, &cx.shared.settings);
    let presented = exchange.presented.get_or_insert_with(|| cx.shared.present(&exchange.request));
    let now = cx.reactor.now().mono;
    let found = if upgrade.is_some() {
        Lookup::Miss(MissReason::Method)
    } else {
        cx.shared.cache.look_up(key, presented, now)
    };
    match found {
        Lookup::Hit(object, _) | Lookup::Stale(object, _) | Lookup::Partial(object, _)
            if !route.may_reuse_from(object.origin_address, cx.shared) =>
        {
            fetch(client, FetchPlan::default(), Forwarded::Missing(MissReason::Uri), cx)
        }
        Lookup::Hit(object, usable) => {
            let fresh = usable == ServeDecision::Fresh;
            exchange.record.outcome = if fresh { Outcome::Hit } else { Outcome::Stale };
            exchange.cache_status.hit = true;
            if usable == ServeDecision::WhileRevalidating {
                refresh(exchange, &object, client.address, cx);
            }
            serve(exchange, object);
            Next::Go(Step::Deliver)
        }
        Lookup::InFlight { fetch, unsent }
            if exchange.failed_joins < MAX_DISAPPOINTMENTS && join(client, fetch, unsent, cx) =>
        {
            Next::Go(Step::Wait)
        }
        Lookup::Stale(object, usable) => {
            let asked = usable == ServeDecision::ValidateForRequest;
            let forwarded = if asked { Forwarded::Request } else { Forwarded::Stale };
            let plan = FetchPlan::stale(object, asked, client, cx);
            fetch(client, plan, forwarded, cx)
        }
        Lookup::Partial(object, wanted) => {
            let plan = FetchPlan::part(object, wanted, cx);
            fetch(client, plan, Forwarded::Missing(MissReason::Part), cx)
        }
        Lookup::Miss(missing @ (MissReason::Uri | MissReason::Vary)) => {
            let plan = FetchPlan::none(client, cx);
            fetch(client, plan, Forwarded::Missing(missing), cx)
        }
        Lookup::InFlight { .. } => {
            fetch(client, FetchPlan::default(), Forwarded::Missing(MissReason::Uri), cx)
        }
        Lookup::Miss(missing) => {
            fetch(client, FetchPlan::default(), Forwarded::Missing(missing), cx)
        }
    }
}

/// Has a response validated, or fetched anew, for the clients to come.
fn refresh(exchange: &Exchange, object: &Arc<Object>, client: SocketAddr, cx: &mut ClientCx<'_>) {
    let presented = cx.shared.present(&exchange.request);
    if let Some(request) = FetchPlan::served(object).fetch_request(exchange, presented, client) {
        let request = FetchRequest { background: true, ..request };
        Fetch::begin(request, cx.reactor, cx.shared, cx.fetches);
    }
}

/// Waits for a response that was asked for by somebody else; whether that can be.
fn join(client: &mut Client, id: Id<PendingResponse>, unsent: bool, cx: &mut ClientCx<'_>) -> bool {
    let token = client.token();
    let Some(exchange) = &mut client.exchange else { return false };
    let response = cx.shared.responses.get_mut(id);
    let Some(reader) = response.and_then(|response| response.body.attach(token)) else {
        return false;
    };
    let role = if unsent { Role::Early } else { Role::Late };
    exchange.source = Source::Pending { id, reader, role, left: None };
    exchange.record.outcome = Outcome::Miss;
    exchange.cache_status.collapsed = true;
    exchange.cache_status.forwarded = Some(Forwarded::Missing(MissReason::Uri));
    exchange.record.forwarded = exchange.cache_status.forwarded;
    true
}

fn fetch(
    client: &mut Client,
    plan: FetchPlan,
    forwarded: Forwarded,
    cx: &mut ClientCx<'_>,
) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let presented = exchange.presented.take();
    let presented = presented.unwrap_or_else(|| cx.shared.present(&exchange.request));
    exchange.cache_status.forwarded = Some(forwarded);
    exchange.record.forwarded = Some(forwarded);
    if presented.control().only_if_cached {
        return Next::Go(client.fail(&ExchangeError::OnlyIfCached, cx));
    }
    let Some(mut request) = plan.fetch_request(exchange, presented, client.address) else {
        return Next::Go(Step::Route);
    };
    request
        .validate
        .retain(|object| request.route.may_reuse_from(object.origin_address, cx.shared));
    let outcome =
        if matches!(forwarded, Forwarded::Missing(MissReason::Method | MissReason::Bypass)) {
            Outcome::Pass
        } else {
            Outcome::Miss
        };
    exchange.record.outcome = outcome;
    exchange.cache_status.collapsed = false;
    let upload = begin_upload(exchange, client.id.token(), cx.shared);
    client.binds |= hop::authenticates_connection(exchange.request.fields());
    let bound_to = client.binds.then(|| client.id.token());
    let request = FetchRequest { upload, bound_to, ..request };
    let id = Fetch::begin(request, cx.reactor, cx.shared, cx.fetches);
    let response = cx.shared.responses.get_mut(id);
    if let Some(reader) = response.and_then(|response| response.body.attach(client.id.token())) {
        exchange.source = Source::Pending { id, reader, role: Role::Leader, left: None };
    }
    Next::Go(Step::Wait)
}
