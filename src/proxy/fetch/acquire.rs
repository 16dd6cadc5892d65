//! Acquire: a connection to the origin, one that is idle or a new one.

use std::net::IpAddr;
use std::rc::Rc;
use std::task::Poll;

use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::shared::Shared;

use super::context::FetchCx;
use super::request::FetchRequest;
use super::state::Fetch;
use super::step::{Next, Step};

/// Gets a connection. A request that was lost on an idle one gets a new one.
pub(super) fn acquire(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Next {
    let token = fetch.token();
    if fetch.dial.is_none()
        && !fetch.tried_again
        && let Some(connection) = idle(&fetch.request, cx)
    {
        cx.reactor.set_owner(connection.io, token);
        fetch.connection = Some(connection);
        cx.shared.counters.reused += 1;
        return Next::Go(Step::Send);
    }
    let (settings, now) = (&cx.shared.settings, cx.reactor.now().mono);
    let FetchRequest { route, client, .. } = &fetch.request;
    let dial = fetch
        .dial
        .get_or_insert_with(|| Dial::new(token, Rc::clone(route), Some(*client), settings, now));
    match dial.drive(cx.reactor, cx.shared) {
        Poll::Pending => Next::Park,
        Poll::Ready(Err(error)) => Next::Failed(error),
        Poll::Ready(Ok(connection)) => {
            cx.shared.counters.dialled += 1;
            fetch.dial = None;
            fetch.connection = Some(connection);
            Next::Go(Step::Send)
        }
    }
}

/// Takes an idle connection to an address that this client may reach: it may have been opened for
/// another client.
fn idle(request: &FetchRequest, cx: &mut FetchCx<'_>) -> Option<OriginConnection> {
    let route = &request.route;
    let Shared { pool, interfaces, settings, .. } = &mut *cx.shared;
    let allowed = |address: IpAddr| route.check_address_by(address, settings, interfaces).is_ok();
    let taken = pool.take(&route.origin, request.bound_to, allowed, &settings.limits, cx.reactor);
    cx.shared.forget_doubtful();
    taken
}
