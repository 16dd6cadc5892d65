//! Route: decides what becomes of a request.

use std::rc::Rc;
use std::sync::Arc;

use crate::http::Method;

use super::super::client::{Client, ClientCx, Next, Step, Upload};
use super::super::error::ExchangeError;
use super::super::journal::Outcome;
use super::super::respond::{self, Frame};
use super::super::route::{self, Routed};

/// Refuses, answers, tunnels, or goes on to the cache.
pub(in super::super) fn route(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let settings = Rc::clone(&cx.core.settings);
    let limit = settings.limits.upload.map(|bytes| bytes.0);
    let declared = exchange.request.framing().length();
    if limit.is_some_and(|limit| declared.is_some_and(|declared| declared > limit)) {
        return Next::Go(client.fail(&ExchangeError::UploadTooLarge, cx));
    }
    match route::route(&exchange.request, client.address.ip(), &settings) {
        Err(error) => Next::Go(client.fail(&error, cx)),
        Ok(Routed::Here) => Next::Go(answer_here(client, cx)),
        Ok(Routed::Fetch(route)) => {
            exchange.journal.url = Some(Arc::clone(&route.uri));
            exchange.route = Some(Rc::new(route));
            Next::Go(Step::Lookup)
        }
        Ok(Routed::Tunnel(route)) => {
            exchange.journal.url = Some(Arc::clone(&route.uri));
            exchange.journal.outcome = Outcome::Tunnel;
            exchange.route = Some(Rc::new(route));
            Next::Go(Step::Connect)
        }
    }
}

fn answer_here(client: &mut Client, cx: &mut ClientCx<'_>) -> Step {
    let Some(exchange) = &mut client.exchange else { return Step::Close };
    let settings = &cx.core.settings;
    exchange.cache_status.detail = Some("own");
    exchange.persistent &= exchange.upload == Upload::Done;
    let frame = Frame {
        name: &settings.name,
        now: cx.reactor.now(),
        head_only: exchange.request.method() == Method::Head,
        close: !exchange.persistent,
        cache_status: &exchange.cache_status,
    };
    let forward = settings.reverse.is_none();
    let (status, sent) = respond::here(client.output.bytes(), &exchange.request, forward, frame);
    exchange.journal.outcome = Outcome::Own;
    exchange.journal.status = Some(status);
    exchange.journal.sent = sent;
    Step::Finish
}
