//! Acquire: gets a connection to the origin, an idle one or a new one.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use crate::proxy::origin::Origins;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::shared::Shared;

use super::attempt::Attempt;
use super::context::FetchCx;
use super::request::FetchRequest;
use super::state::{Fetch, Retry, State};
use super::step::Next;

/// Takes an idle connection, or dials. A request that was lost on an idle connection is dialled for.
pub(super) fn acquire(fetch: &mut Fetch, dial: Option<Box<Dial>>, cx: &mut FetchCx<'_>) -> Next {
    if dial.is_none()
        && fetch.retry == Retry::Available
        && let Some(connection) = take_idle(&fetch.request, cx)
    {
        cx.reactor.set_owner(connection.io, fetch.token());
        cx.shared.counters.reused += 1;
        return connected(fetch, connection, cx);
    }
    let mut dial = dial.unwrap_or_else(|| Box::new(new_dial(fetch, cx)));
    let Shared { origins, settings, counters, .. } = &mut *cx.shared;
    match dial.drive(cx.reactor, origins, settings, &mut counters.origin_handshakes) {
        Poll::Pending => Next::Park(State::Acquire(Some(dial))),
        Poll::Ready(Err(error)) => Next::Fail(State::Acquire(Some(dial)), error),
        Poll::Ready(Ok(connection)) => {
            cx.shared.counters.dialled += 1;
            connected(fetch, connection, cx)
        }
    }
}

fn new_dial(fetch: &Fetch, cx: &FetchCx<'_>) -> Dial {
    let FetchRequest { route, client, .. } = &fetch.request;
    let (settings, now) = (&cx.shared.settings, cx.reactor.now().mono);
    Dial::new(fetch.token(), Arc::clone(route), Some(*client), settings, now)
}

fn connected(fetch: &Fetch, connection: OriginConnection, cx: &FetchCx<'_>) -> Next {
    let (method, now) = (fetch.request.head.method(), cx.reactor.now().mono);
    Next::Go(State::Send(Box::new(Attempt::new(connection, method, fetch.upload, now))))
}

/// Takes an idle connection to an address that this client may reach: the connection may have been
/// opened for another client.
fn take_idle(request: &FetchRequest, cx: &mut FetchCx<'_>) -> Option<OriginConnection> {
    let route = &request.route;
    let Shared { origins, settings, .. } = &mut *cx.shared;
    let Origins { pool, interfaces, .. } = origins;
    let allowed = |address: IpAddr| route.check_address(address, settings, interfaces).is_ok();
    let taken = pool.take(&route.origin, request.bound_to, allowed, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
    taken
}
