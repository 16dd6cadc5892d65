//! Tunnels made of a client connection and an origin connection.

use crate::http::{HeadWriter, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::pending_response::{FetchResult, OriginSide};
use crate::proxy::tunnel::{CheckedDestination, Pipe, Tunnel};
use crate::reactor::Wake;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Next, State, Wait};

/// Joins the client connection with an origin connection. The client receives `head` first; bytes that
/// either side has sent already follow.
pub(super) fn open_tunnel(
    route: &Route,
    origin: OriginSide,
    head: Vec<u8>,
    exchange: &Exchange,
    client: &mut Connection,
    cx: &mut ClientCx<'_>,
) {
    let checked = route.origin().filter(|origin| origin.decision.is_some());
    let checked =
        checked.map(|origin| CheckedDestination { host: origin.host.clone(), port: origin.port });
    let mut record = exchange.record.clone();
    record.outcome = Outcome::Tunnel;
    record.origin = origin.connection.address;
    let from_client = std::mem::take(&mut client.input).into_rest();
    // Responses to earlier requests that still wait are sent before the head.
    let earlier = client.output.take_waiting();
    let (now, timeout) = (cx.now(), cx.shared.settings.limits.tunnel_timeout);
    let (client_io, origin_io) = (client.io, origin.connection.io);
    let id = cx.tunnels.insert_with(|id| Tunnel {
        id,
        network: client.network,
        client: client_io,
        origin: origin_io,
        up: Pipe::with(from_client),
        down: Pipe::with([earlier, head, origin.received].concat()),
        checked,
        checked_at_reload: None,
        place: origin.place,
        record,
        moved_at: now,
        deadline: now + timeout,
        broken: false,
        limited_route: exchange.limited_route,
        turn: None,
        held: 0,
    });
    cx.reactor.set_owner(client_io, id.token());
    cx.reactor.set_owner(origin_io, id.token());
    cx.reactor.wake(id.token());
}

/// Joins the client with the origin that has switched protocols for it (RFC 9110 §7.8).
pub(super) fn switch_protocols(
    wait: Wait,
    exchange: &mut Exchange,
    client: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let pending = &mut cx.shared.responses[wait.reading.response];
    let (Some(origin), Some(FetchResult::Switched(head))) =
        (pending.switched.take(), &pending.result)
    else {
        return Next::fail(State::Wait(wait), ExchangeError::OriginGone);
    };
    let mut greeting = exchange.edited(head).wire().to_vec();
    wait.reading.release(cx.reactor, cx.shared);
    exchange.record.status = Some(Status::SWITCHING_PROTOCOLS);
    let mut head = HeadWriter::resume(&mut greeting);
    exchange.cache_status.write_to(&mut head, &cx.shared.settings.name);
    exchange.auth_info.iter().for_each(|info| info.write_to(&mut head));
    head.end();
    open_tunnel(&wait.fetch.into_route(), origin, greeting, exchange, client, cx);
    Next::HandedOver
}
