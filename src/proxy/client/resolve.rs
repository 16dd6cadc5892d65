//! Judge: where rules depend on addresses, asks for them before the cache is asked.

use std::rc::Rc;
use std::task::Poll;

use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::origin::dial::Dial;

use super::connection::Client;
use super::context::ClientCx;
use super::step::{Next, Step};

/// Goes on to the cache if an address of the destination is allowed to this client: who may not go there
/// gets no copy either.
pub(super) fn resolve(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if client.is_reset(cx) {
        return Next::Gone;
    }
    let (token, address) = (client.token(), client.address);
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let Some(route) = &exchange.route else { return Next::Go(Step::Route) };
    let (settings, now) = (&cx.shared.settings, cx.reactor.now().mono);
    let dial = exchange
        .dial
        .get_or_insert_with(|| Dial::new(token, Rc::clone(route), Some(address), settings, now));
    match dial.look_up(cx.reactor, cx.shared) {
        Poll::Pending => Next::Park,
        Poll::Ready(Err(error)) => Next::Go(client.fail(&error, cx)),
        Poll::Ready(Ok(_)) => {
            if let Some(rule) = dial.reported.take() {
                exchange.record.add(TraceEvent::Reported(rule));
            }
            dial.cancel(cx.reactor, cx.shared);
            exchange.dial = None;
            Next::Go(Step::Lookup)
        }
    }
}
