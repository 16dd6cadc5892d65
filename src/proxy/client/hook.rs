//! Hook: the embedder's hook decides on a request before it is routed.

use std::sync::Arc;

use crate::app::Response;
use crate::http::{Method, Name};
use crate::proxy::error::ExchangeError;
use crate::proxy::hook::{Action, Refusal, RequestEdit};

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::respond;
use super::state::{Next, State};

/// Asks the hook, if one is set. Returns the next state if the request is not to be routed.
///
/// Clients that may not use the proxy get nothing from a hook either: routing denies them.
pub(super) fn ask_hook(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Option<Next> {
    let shared = &mut *cx.shared;
    let hook = shared.hook.as_mut()?;
    let service = shared.settings.service(connection.listener.service());
    if !service.admits(connection.address.ip()) {
        return None;
    }
    let mut edit = RequestEdit::new(&mut exchange.request, &exchange.record, &shared.heads);
    let action = hook.on_request(&mut edit);
    exchange.record.request = Some(Arc::clone(&exchange.request));
    match action {
        Action::Continue => None,
        Action::Respond(response) => Some(write_response(&response, exchange, connection, cx)),
        Action::Refuse(refusal) => Some(refuse(refusal)),
    }
}

/// Responds, unless the response would promise a tunnel (RFC 9110 §9.3.6).
fn write_response(
    response: &Response,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if exchange.request.method() == Method::Connect && response.status().is_success() {
        return refuse(Refusal::new("the hook responds to CONNECT, but opens no tunnel."));
    }
    let next = exchange
        .respond(connection, cx, |out, _, context| respond::of_hook(out, response, context));
    let content_type = response.fields().get(Name::ContentType).unwrap_or_default();
    exchange.record.tell_type(cx.shared.settings.log.as_ref(), content_type);
    next
}

fn refuse(Refusal { status, reason }: Refusal) -> Next {
    Next::fail(State::Route, ExchangeError::Refused { status, reason })
}
