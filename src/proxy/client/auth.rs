//! Auth: the client's credentials are checked.

use std::sync::Arc;

use crate::auth::{Accepted, Failure, Request, Side};
use crate::http::{Method, Version};
use crate::proxy::auth::{AuthOutcome, path_of};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::routing;
use crate::proxy::timers::ClientTimer;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Auth, Next, State};
use super::status_fields::AuthInfo;

/// Admits clients that are authenticated, or all clients if no users are configured. Clients whose
/// address is denied are not challenged: a challenge would only let them guess.
pub(super) fn auth(
    auth: Auth,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if connection.is_reset(cx) {
        return Next::Gone(State::Auth(auth));
    }
    match auth {
        Auth::Check => {}
        Auth::Verifying(id) => cx.shared.leave_verification(&id, connection.token),
        Auth::Delayed(_) => return Next::Park(State::Auth(auth)),
    }
    let peer = connection.address.ip();
    let (shared, service) = (&mut *cx.shared, connection.listener.service());
    // The request is routed next, under the same settings: to the same site.
    exchange.record.auth_site =
        routing::auth_site(&exchange.request, &exchange.record, &shared.settings);
    let scope = exchange.record.auth_scope();
    let settings = &shared.settings;
    let is_admitted = || {
        settings.service(service).admits(peer)
            && routing::may_use(&exchange.request, &exchange.record, settings)
    };
    let Some(authentication) = shared.authentications.get_mut(&scope).filter(|_| is_admitted())
    else {
        connection.timers.stop(ClientTimer::Auth);
        return Next::Go(State::Route);
    };
    let (now, limits) = (cx.reactor.now(), &shared.settings.limits);
    let address = exchange.record.behind;
    let outcome = authentication.authenticate(
        &Request::from(&*exchange.request),
        path_of(&exchange.request),
        (address, connection.token),
        now,
        &mut *shared.verifier,
        limits.passwords,
    );
    let side = authentication.side();
    match outcome {
        AuthOutcome::NotRequired { ours } => {
            connection.timers.stop(ClientTimer::Auth);
            if ours {
                remove_credentials(exchange, side);
            }
            Next::Go(State::Route)
        }
        AuthOutcome::Authenticated(accepted) => {
            connection.timers.stop(ClientTimer::Auth);
            admit(exchange, accepted, side);
            Next::Go(State::Route)
        }
        AuthOutcome::Pending(id) => {
            connection.timers.start(ClientTimer::Auth, now.mono + limits.password_timeout);
            Next::Park(State::Auth(Auth::Verifying(id)))
        }
        AuthOutcome::Rejected(error) => reject(Auth::Check, error, exchange, connection, cx),
        AuthOutcome::BadCredentials(error, failure) => {
            count_failure(error, failure, exchange, connection, cx)
        }
    }
}

/// Records the user, and removes the credentials, which have served their purpose.
fn admit(exchange: &mut Exchange, accepted: Accepted, side: Side) {
    remove_credentials(exchange, side);
    exchange.record.add(TraceEvent::Recognized(Arc::clone(&accepted.user)));
    exchange.auth_info = accepted.info.map(|value| AuthInfo { name: side.info(), value });
}

/// Removes credentials for this proxy, so that they neither reach the origin nor make the response
/// private (RFC 9111 §3.5).
fn remove_credentials(exchange: &mut Exchange, side: Side) {
    if exchange.request.fields().has(side.credentials()) {
        exchange.request = Arc::new(exchange.request.without(side.credentials()));
        exchange.record.request = Some(Arc::clone(&exchange.request));
    }
}

/// Counts bad credentials, and rejects them: after a delay, if the client has failed often.
fn count_failure(
    error: ExchangeError,
    failure: Option<Failure>,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    cx.shared.counters.failures += 1;
    let Some(failure) = failure else {
        return reject(Auth::Check, error, exchange, connection, cx);
    };
    exchange.record.failures = Some(failure.count);
    cx.shared.counters.bans += u64::from(failure.is_last);
    if failure.hold.is_zero() {
        return reject(Auth::Check, error, exchange, connection, cx);
    }
    connection.timers.set(ClientTimer::Auth, cx.now() + failure.hold);
    Next::Park(State::Auth(Auth::Delayed(error)))
}

/// Sends a rejection that was delayed. A password that was not verified in time is refused.
pub(super) fn auth_timed_out(
    auth: Auth,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    match auth {
        Auth::Delayed(error) => reject(Auth::Check, error, exchange, connection, cx),
        auth => reject(auth, ExchangeError::Overloaded, exchange, connection, cx),
    }
}

/// Rejects the request. After a CONNECT without credentials the connection is kept, because clients
/// of Digest repeat the request on it, unless bytes were sent behind it: those were meant for the tunnel
/// (RFC 9931). Bytes that arrive later are read as a request without credentials.
fn reject(
    auth: Auth,
    error: ExchangeError,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let challenged = matches!(error, ExchangeError::AuthenticationRequired { .. });
    let quiet =
        challenged && connection.input.is_empty() && connection.is_quiet(cx.reactor, cx.shared);
    if exchange.request.method() == Method::Connect {
        let http11 = exchange.request.version() == Version::Http11;
        exchange.persistence.keep_after_connect(http11 && quiet);
    }
    Next::fail(State::Auth(auth), error)
}
