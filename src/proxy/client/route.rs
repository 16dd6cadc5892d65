//! Route: the destination of a request is decided.

use std::sync::Arc;

use crate::access::RuleDecision;
use crate::cache::PurgeScope;
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing;
use crate::proxy::routing::decision::Routed;
use crate::proxy::routing::route::{Origin, Route};
use crate::proxy::throttling::client_tables::Counting;

use super::admit;
use super::compression;
use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::hook::ask_hook;
use super::respond;
use super::state::{Connecting, Lookup, Next, Opening, State};

/// Refuses the request, responds to it, opens a tunnel for it, or has the cache asked.
pub(super) fn route(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if let Err(error) = admit::take(Counting::Users, &exchange.record, cx) {
        return Next::fail(State::Route, error);
    }
    if let Some(next) = ask_hook(exchange, connection, cx) {
        return next;
    }
    let settings = &cx.shared.settings;
    let limit = settings.limits.upload.map(|bytes| bytes.0);
    let declared = exchange.request.body_length().known();
    if limit.is_some_and(|limit| declared.is_some_and(|declared| declared > limit)) {
        return Next::fail(State::Route, ExchangeError::UploadTooLarge);
    }
    cx.shared.locate(&mut exchange.record);
    let settings = &cx.shared.settings;
    let routed = routing::route(
        &exchange.request,
        &mut exchange.record,
        settings,
        &cx.shared.origins.interfaces,
    );
    let route = routed.as_ref().ok().and_then(Routed::site_route);
    exchange.site_route = route.cloned();
    compression::drop_range(exchange, settings);
    exchange.limited_route = cx.shared.throttling.tables.limited(route);
    let routed = admit::take_for_route(exchange, cx).and(routed);
    let settings = &cx.shared.settings;
    match routed {
        Err(error) => Next::fail(State::Route, error),
        Ok(Routed::Redirect(status, location, _)) => {
            exchange.respond(connection, cx, |out, _, context| {
                respond::redirect(out, status, &location, context)
            })
        }
        Ok(Routed::Answer(answer, _)) => {
            let next = exchange
                .respond(connection, cx, |out, _, context| respond::fixed(out, &answer, context));
            exchange
                .record
                .tell_type(cx.shared.settings.log.as_ref(), answer.media_type.as_bytes());
            next
        }
        Ok(Routed::Folder(wanted, _)) => Next::Go(State::Open(Opening { wanted, job: None })),
        Ok(Routed::Here) => {
            let forward = !settings.service(connection.listener.service()).is_reverse();
            exchange.respond(connection, cx, |out, request, context| {
                respond::here(out, request, forward, context)
            })
        }
        Ok(Routed::Fetch(route)) => {
            let purges = exchange.request.method_name() == "PURGE";
            if purges && settings.may_purge(connection.address.ip()) {
                return purge(&route.uri, exchange, connection, cx);
            }
            let depends = route.decision().is_some_and(RuleDecision::depends_on_address);
            let route = Arc::new(route);
            Next::Go(match route.origin().filter(|_| depends).cloned() {
                Some(origin) => State::Resolve(connecting(route, origin, connection, cx)),
                None => State::Lookup(Lookup::First(route)),
            })
        }
        Ok(Routed::Tunnel(route)) => {
            exchange.record.outcome = Outcome::Tunnel;
            let route = Arc::new(route);
            let Some(origin) = route.origin().cloned() else {
                return Next::fail(
                    State::Route,
                    ExchangeError::NotSupported(NotSupported::Connect),
                );
            };
            Next::Go(State::Connect(connecting(route, origin, connection, cx)))
        }
    }
}

/// Returns a dial of the route's origin, which has not begun.
fn connecting(
    route: Arc<Route>,
    origin: Arc<Origin>,
    connection: &Connection,
    cx: &ClientCx<'_>,
) -> Connecting {
    let (client, settings) = (Some(connection.address), &cx.shared.settings);
    let dial = Dial::new(connection.token, origin, client, settings, cx.now());
    Connecting { route, dial: Box::new(dial) }
}

/// Removes the stored responses of one URI.
fn purge(
    uri: &Arc<str>,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let mut purge = cx.shared.cache.purge(&PurgeScope::Uri(Arc::clone(uri)), false, cx.now());
    cx.shared.cache.run_slice(&mut purge); // one slice is enough for one URI
    cx.shared.counters.purged += purge.count() as u64;
    let text = format!("purged {}\n", purge.count());
    exchange.respond(connection, cx, |out, _, context| respond::text(out, &text, context))
}
