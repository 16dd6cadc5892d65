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
    let key = exchange.key.get_or_insert_with(|| cx.core.cache.keys().key(&route.uri));
    if cx.core.settings.status_key {
        exchange.cache_status.key = Some(Arc::clone(key.shared_uri()));
    }
    let upgrade = rewrite_request::upgrade_of(&exchange.request, &cx.core.settings);
    let presented = exchange.presented.get_or_insert_with(|| cx.core.present(&exchange.request));
    let now = cx.reactor.now().mono;
    let found = if upgrade.is_some() {
        Lookup::Miss(MissReason::Method)
    } else {
        cx.core.cache.look_up(key, presented, now)
    };
    match found {
        Lookup::Hit(object, _) | Lookup::Stale(object, _) | Lookup::Partial(object, _)
            if !route.may_reuse_from(object.origin_address, cx.core) =>
        {
            fetch(client, FetchPlan::default(), Forwarded::Missing(MissReason::Uri), cx)
        }
        Lookup::Hit(object, usable) => {
            let fresh = usable == ServeDecision::Fresh;
            exchange.journal.outcome = if fresh { Outcome::Hit } else { Outcome::Stale };
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
            let basis = FetchPlan::stale(object, asked, client, cx);
            fetch(client, basis, forwarded, cx)
        }
        Lookup::Partial(object, wanted) => {
            let basis = FetchPlan::part(object, wanted, cx);
            fetch(client, basis, Forwarded::Missing(MissReason::Part), cx)
        }
        Lookup::Miss(missing @ (MissReason::Uri | MissReason::Vary)) => {
            let basis = FetchPlan::none(client, cx);
            fetch(client, basis, Forwarded::Missing(missing), cx)
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
    let presented = cx.core.present(&exchange.request);
    if let Some(order) = FetchPlan::served(object).order(exchange, presented, client) {
        let order = FetchRequest { background: true, ..order };
        Fetch::begin(order, cx.reactor, cx.core, cx.fetches);
    }
}

/// Waits for a response that was asked for by somebody else; whether that can be.
fn join(client: &mut Client, id: Id<PendingResponse>, unsent: bool, cx: &mut ClientCx<'_>) -> bool {
    let token = client.token();
    let Some(exchange) = &mut client.exchange else { return false };
    let reply = cx.core.replies.get_mut(id);
    let Some(reader) = reply.and_then(|reply| reply.body.attach(token)) else { return false };
    let role = if unsent { Role::Early } else { Role::Late };
    exchange.source = Source::Pending { id, reader, role, left: None };
    exchange.journal.outcome = Outcome::Miss;
    exchange.cache_status.collapsed = true;
    exchange.cache_status.forwarded = Some(Forwarded::Missing(MissReason::Uri));
    exchange.journal.forwarded = exchange.cache_status.forwarded;
    true
}

fn fetch(
    client: &mut Client,
    basis: FetchPlan,
    forwarded: Forwarded,
    cx: &mut ClientCx<'_>,
) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let presented = exchange.presented.take();
    let presented = presented.unwrap_or_else(|| cx.core.present(&exchange.request));
    exchange.cache_status.forwarded = Some(forwarded);
    exchange.journal.forwarded = Some(forwarded);
    if presented.control().only_if_cached {
        return Next::Go(client.fail(&ExchangeError::OnlyIfCached, cx));
    }
    let Some(mut order) = basis.order(exchange, presented, client.address) else {
        return Next::Go(Step::Route);
    };
    order.validate.retain(|object| order.route.may_reuse_from(object.origin_address, cx.core));
    let outcome =
        if matches!(forwarded, Forwarded::Missing(MissReason::Method | MissReason::Bypass)) {
            Outcome::Pass
        } else {
            Outcome::Miss
        };
    exchange.journal.outcome = outcome;
    exchange.cache_status.collapsed = false;
    let upload = begin_upload(exchange, client.id.token(), cx.core);
    client.binds |= hop::authenticates_connection(exchange.request.fields());
    let bound_to = client.binds.then(|| client.id.token());
    let order = FetchRequest { upload, bound_to, ..order };
    let id = Fetch::begin(order, cx.reactor, cx.core, cx.fetches);
    let reply = cx.core.replies.get_mut(id);
    if let Some(reader) = reply.and_then(|reply| reply.body.attach(client.id.token())) {
        exchange.source = Source::Pending { id, reader, role: Role::Leader, left: None };
    }
    Next::Go(Step::Wait)
}
