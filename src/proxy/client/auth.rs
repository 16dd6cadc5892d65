//! Auth: asks who is there.

use std::rc::Rc;
use std::sync::Arc;

use crate::auth::{Accepted, Failure, Request, Side};
use crate::http::{Method, Version};
use crate::proxy::auth::{AuthOutcome, path_of};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::routing::client_address::Behind;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::status_fields::AuthInfo;
use super::step::{Next, Step};

/// Lets users in; everybody, if none are known. Clients that are not served anyway are not asked:
/// they would only guess.
pub(super) fn auth(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if client.is_reset(cx) {
        return Next::Gone;
    }
    if client.is_held() {
        return Next::Park;
    }
    client.leave_password(cx);
    let peer = client.address.ip();
    let token = client.token();
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let shared = &mut *cx.shared;
    let Some(authentication) =
        shared.authentication.as_mut().filter(|_| shared.settings.admits(peer))
    else {
        client.deadlines.auth = None;
        return Next::Go(Step::Route);
    };
    let (now, limits) = (cx.reactor.now(), &shared.settings.limits);
    let address = Behind::of(peer, exchange.request.fields(), &shared.settings).client;
    let request = Request::from(&*exchange.request);
    let (path, verifier) = (path_of(&exchange.request), &mut *shared.verifier);
    match authentication.authenticate(
        &request,
        path,
        (address, token),
        now,
        verifier,
        limits.passwords,
    ) {
        AuthOutcome::NotRequired { ours } => {
            if ours {
                take_credentials(exchange, authentication.side());
            }
            Next::Go(Step::Route)
        }
        AuthOutcome::Authenticated(accepted) => {
            client.deadlines.auth = None;
            let_in(exchange, accepted, authentication.side());
            Next::Go(Step::Route)
        }
        AuthOutcome::Pending(ticket) => {
            exchange.password = Some(ticket);
            client.deadlines.auth.get_or_insert(now.mono + limits.password_timeout);
            Next::Park
        }
        AuthOutcome::Rejected(error) => Next::Go(refuse(client, &error, cx)),
        AuthOutcome::Wrong(error, failure) => wrong(client, error, failure, cx),
    }
}

/// The credentials have served: from here on there are none.
fn let_in(exchange: &mut Exchange, accepted: Accepted, side: Side) {
    take_credentials(exchange, side);
    exchange.record.add(TraceEvent::Recognized(Arc::clone(&accepted.user)));
    exchange.info = accepted.info.map(|value| AuthInfo { name: side.info(), value });
}

/// What is for this server does not reach the origin, and keeps nothing from the cache as an answer
/// for this user alone.
fn take_credentials(exchange: &mut Exchange, side: Side) {
    if exchange.request.fields().has(side.credentials()) {
        exchange.request = Rc::new(exchange.request.without(side.credentials()));
        exchange.record.request = Some(Rc::clone(&exchange.request));
    }
}

/// Counts wrong credentials, and answers: not at once, if there were many.
fn wrong(
    client: &mut Client,
    error: ExchangeError,
    failure: Option<Failure>,
    cx: &mut ClientCx<'_>,
) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    cx.shared.counters.failures += 1;
    let Some(failure) = failure else { return Next::Go(refuse(client, &error, cx)) };
    exchange.record.failures = Some(failure.count);
    cx.shared.counters.bans += u64::from(failure.is_last);
    if failure.hold.is_zero() {
        return Next::Go(refuse(client, &error, cx));
    }
    exchange.held = Some(error);
    client.deadlines.auth = Some(cx.now() + failure.hold);
    Next::Park
}

/// What was waited for has not come in time, or an answer was held back for long enough.
pub(super) fn auth_timed_out(client: &mut Client, cx: &mut ClientCx<'_>) -> Step {
    let held = client.exchange.as_mut().and_then(|exchange| exchange.held.take());
    refuse(client, &held.unwrap_or(ExchangeError::Overloaded), cx)
}

/// Answers. After a CONNECT that lacks credentials the connection goes on, as clients of Digest come
/// back on it, unless something was sent behind it, which was meant for the tunnel (RFC 9931).
/// What comes later is read as a request, but as one of nobody.
fn refuse(client: &mut Client, error: &ExchangeError, cx: &mut ClientCx<'_>) -> Step {
    let asked = matches!(error, ExchangeError::AuthenticationRequired { .. });
    let quiet = asked && client.input.is_empty() && client.is_quiet(cx.reactor, cx.shared);
    if let Some(exchange) = &mut client.exchange
        && exchange.request.method() == Method::Connect
    {
        let kept = exchange.request.version() == Version::Http11 && !exchange.is_last;
        exchange.persistent = kept && quiet;
    }
    client.fail(error, cx)
}
