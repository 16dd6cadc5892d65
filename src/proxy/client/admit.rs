//! Admit: bans apply to a request, and it is counted against the limits of its client.

use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::listener::ListenerKind;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::shared::Shared;
use crate::proxy::throttling::client_tables::Counting;
use crate::proxy::throttling::counted::Counted;
use crate::proxy::timers::ClientTimer;
use crate::throttle::BanAction;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Admit, Auth, Next, State};

/// Refuses, holds or admits the request. Clients behind trusted proxies are judged here first; the peer
/// of a connection was judged when it was accepted, but may be banned since.
pub(super) fn admit(
    admit: Admit,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if connection.is_reset(cx) {
        return Next::Gone(State::Admit(admit));
    }
    let Admit::Check = admit else { return Next::Park(State::Admit(admit)) };
    let Some((action, left)) = cx.shared.throttling.ban_of(exchange.record.behind, cx.now()) else {
        return count(exchange, connection, cx);
    };
    cx.shared.counters.client_bans.requests[action as usize] += 1;
    match action {
        BanAction::Delay => {
            connection.timers.set(ClientTimer::Throttle, cx.now() + BanAction::HOLD);
            Next::Park(State::Admit(Admit::Held))
        }
        BanAction::TooMany => Next::fail(State::Admit(admit), ExchangeError::Banned(left)),
        BanAction::Drop => {
            exchange.record.add(TraceEvent::Failed(ExchangeError::Banned(left)));
            Next::Gone(State::Admit(admit))
        }
    }
}

/// Admits a request that was held, or refuses it because of its client's limits.
pub(super) fn count(
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if let Err(error) = take(Counting::Addresses, &exchange.record, cx) {
        return Next::fail(State::Admit(Admit::Check), error);
    }
    Next::Go(match connection.listener.kind() {
        ListenerKind::Redirect => State::Redirect,
        ListenerKind::Plain | ListenerKind::Tls => State::Auth(Auth::Check),
    })
}

/// Counts a request for the limits of the process and of its listener.
///
/// # Errors
/// The refusal if the request is beyond a limit.
pub(super) fn take(
    counting: Counting,
    record: &ExchangeRecord,
    cx: &mut ClientCx<'_>,
) -> Result<(), ExchangeError> {
    let now = cx.now();
    let Shared { throttling, settings, .. } = &mut *cx.shared;
    if !throttling.tables.has_rates() {
        return Ok(());
    }
    let (listener, client) = (record.listener.service(), Counted::of(record, settings));
    let taken = throttling.tables.take(listener, counting, &client, now);
    taken.map_err(ExchangeError::RateLimited)
}

/// Counts a request for the limits of its route, if it has some.
///
/// # Errors
/// The refusal if the request is beyond a limit.
pub(super) fn take_for_route(
    exchange: &Exchange,
    cx: &mut ClientCx<'_>,
) -> Result<(), ExchangeError> {
    let Some(route) = exchange.limited_route else { return Ok(()) };
    let now = cx.now();
    let Shared { throttling, settings, .. } = &mut *cx.shared;
    let client = Counted::of(&exchange.record, settings);
    let taken = throttling.tables.take_for_route(route, &client, now);
    taken.map_err(ExchangeError::RateLimited)
}
