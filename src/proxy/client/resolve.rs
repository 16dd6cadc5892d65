//! Resolve: the addresses of the destination are looked up before the cache is asked, where rules
//! depend on them.

use std::task::Poll;

use crate::proxy::observe::trace_event::TraceEvent;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Connecting, Lookup, Next, State};

/// Has the cache asked if the client may reach an address of the destination: a client that may reach
/// none gets no stored response either.
pub(super) fn resolve(
    mut connecting: Connecting,
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if connection.is_reset(cx) {
        return Next::Gone(State::Resolve(connecting));
    }
    match connecting.dial.look_up(cx.reactor, &mut cx.shared.origins, &cx.shared.settings) {
        Poll::Pending => Next::Park(State::Resolve(connecting)),
        Poll::Ready(Err(error)) => Next::fail(State::Resolve(connecting), error),
        Poll::Ready(Ok(_)) => {
            let Connecting { route, mut dial } = connecting;
            if let Some(rule) = dial.reported.take() {
                exchange.record.add(TraceEvent::Reported(rule));
            }
            dial.cancel(cx.reactor, &mut cx.shared.origins);
            Next::Go(State::Lookup(Lookup::First(route)))
        }
    }
}
