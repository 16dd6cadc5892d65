//! Route: the destination of a request is decided.

use std::rc::Rc;
use std::sync::Arc;

use crate::access::RuleDecision;
use crate::cache::PurgeScope;
use crate::http::{RequestHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing;
use crate::proxy::routing::decision::Routed;
use crate::proxy::routing::route::Route;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::respond::{self, ResponseContext};
use super::state::{Connecting, Lookup, Next, State};
use super::upload::Upload;

/// Refuses the request, responds to it, opens a tunnel for it, or has the cache asked.
pub(super) fn route(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let settings = Arc::clone(&cx.shared.settings);
    let limit = settings.limits.upload.map(|bytes| bytes.0);
    let declared = exchange.request.framing().length();
    if limit.is_some_and(|limit| declared.is_some_and(|declared| declared > limit)) {
        return Next::fail(State::Route, ExchangeError::UploadTooLarge);
    }
    match routing::route(
        &exchange.request,
        &mut exchange.record,
        &settings,
        &cx.shared.origins.interfaces,
    ) {
        Err(error) => Next::fail(State::Route, error),
        Ok(Routed::Here) => {
            let forward = settings.reverse.is_none();
            respond_here(exchange, connection, cx, |out, request, context| {
                respond::here(out, request, forward, context)
            })
        }
        Ok(Routed::Fetch(route)) => {
            let purges = exchange.request.method_name() == "PURGE";
            if purges && settings.may_purge(connection.address.ip()) {
                return purge(&route.uri, exchange, connection, cx);
            }
            let depends = route.judgement.as_ref().is_some_and(RuleDecision::depends_on_address);
            let route = Rc::new(route);
            Next::Go(match depends {
                true => State::Resolve(connecting(route, connection, cx)),
                false => State::Lookup(Lookup { route, failed_join: None }),
            })
        }
        Ok(Routed::Tunnel(route)) => {
            exchange.record.outcome = Outcome::Tunnel;
            Next::Go(State::Connect(connecting(Rc::new(route), connection, cx)))
        }
    }
}

/// Returns a dial of the route, which has not begun.
fn connecting(route: Rc<Route>, connection: &Connection, cx: &ClientCx<'_>) -> Connecting {
    let (client, settings) = (Some(connection.address), &cx.shared.settings);
    let dial = Dial::new(connection.token, Rc::clone(&route), client, settings, cx.now());
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
    respond_here(exchange, connection, cx, |out, _, context| respond::text(out, &text, context))
}

/// Responds with what `write` writes; `write` returns the status and the length of the content.
fn respond_here(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &ClientCx<'_>,
    write: impl FnOnce(&mut Vec<u8>, &RequestHead, ResponseContext<'_>) -> (Status, u64),
) -> Next {
    exchange.cache_status.detail = Some("own");
    exchange.persistence.keep_only_if(exchange.upload == Upload::Done);
    let context = exchange.response_context(cx);
    let (status, sent) = write(connection.output.bytes(), &exchange.request, context);
    exchange.record.outcome = Outcome::Own;
    exchange.record.tell_type(cx.shared.settings.log, if sent > 0 { respond::TEXT } else { b"" });
    exchange.record.status = Some(status);
    exchange.record.sent = sent;
    Next::Go(State::Finish)
}
