//! Acquire: gets a connection to the origin, an idle one or a new one. An application needs none.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Poll, ready};

use crate::proxy::error::ExchangeError;
use crate::proxy::observe::timings::Timings;
use crate::proxy::origin::Origins;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::routing::route::Origin;
use crate::proxy::shared::Shared;

use super::application::Call;
use super::attempt::Attempt;
use super::context::FetchCx;
use super::place::take_place;
use super::request::FetchRequest;
use super::state::{Fetch, Retry, State};
use super::step::Next;

/// Takes an idle connection, or dials. A request that was lost on an idle connection is dialled for.
pub(super) fn acquire(
    fetch: &mut Fetch,
    mut dial: Option<Box<Dial>>,
    cx: &mut FetchCx<'_>,
) -> Next {
    if let Some(application) = fetch.request.route.application() {
        let application = Arc::clone(application);
        let answered = fetch.request.answered.take();
        let call =
            answered.unwrap_or_else(|| Box::new(Call::new(application, cx.reactor.now().mono)));
        return Next::Go(State::Call(call));
    }
    match connect(fetch, &mut dial, cx) {
        Poll::Pending => Next::Park(State::Acquire(dial)),
        Poll::Ready(Err(error)) => Next::Fail(State::Acquire(dial), error),
        Poll::Ready(Ok(connection)) => connected(fetch, connection, cx),
    }
}

fn connect(
    fetch: &mut Fetch,
    dial: &mut Option<Box<Dial>>,
    cx: &mut FetchCx<'_>,
) -> Poll<Result<OriginConnection, ExchangeError>> {
    let origin = match (&fetch.request.origin, fetch.request.route.site()) {
        (Some(origin), _) => Arc::clone(origin),
        (None, _) => ready!(take_place(fetch, cx))?,
    };
    if dial.is_none()
        && fetch.retry == Retry::Available
        && origin.proxy_protocol.is_none()
        && let Some(connection) = take_idle(fetch, &origin, cx)
    {
        cx.reactor.set_owner(connection.io, fetch.token());
        cx.shared.counters.reused += 1;
        return Poll::Ready(Ok(connection));
    }
    let dial = dial.get_or_insert_with(|| Box::new(new_dial(fetch, origin, cx)));
    let Shared { origins, settings, counters, .. } = &mut *cx.shared;
    let connection =
        ready!(dial.drive(cx.reactor, origins, settings, &mut counters.origin_handshakes))?;
    counters.dialled += 1;
    counters.latencies.count_steps(&dial.timings);
    let timings = &mut fetch.response(&mut cx.shared.responses).timings;
    *timings = Timings { queue: timings.queue, ..dial.timings };
    Poll::Ready(Ok(connection))
}

fn new_dial(fetch: &Fetch, origin: Arc<Origin>, cx: &FetchCx<'_>) -> Dial {
    let (settings, now) = (&cx.shared.settings, cx.reactor.now().mono);
    let FetchRequest { client, destination, .. } = fetch.request;
    let dial = Dial::new(fetch.token(), origin, Some(client), settings, now);
    dial.introducing(fetch.request.source(), destination)
}

fn connected(fetch: &Fetch, connection: OriginConnection, cx: &FetchCx<'_>) -> Next {
    let (method, now) = (fetch.request.head.method(), cx.reactor.now().mono);
    Next::Go(State::Send(Box::new(Attempt::new(connection, method, fetch.upload, now))))
}

/// Takes an idle connection to an address that this client may reach: the connection may have been
/// opened for another client.
fn take_idle(fetch: &Fetch, origin: &Origin, cx: &mut FetchCx<'_>) -> Option<OriginConnection> {
    let Shared { origins, settings, .. } = &mut *cx.shared;
    let Origins { pool, interfaces, .. } = origins;
    let allowed = |address: IpAddr| origin.check_address(address, settings, interfaces).is_ok();
    let bound_to = fetch.request.bound_to;
    let taken = pool.take(&origin.key, bound_to, allowed, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
    taken
}
