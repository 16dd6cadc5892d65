//! Tunnels made of a client's connection and an origin's.

use std::rc::Rc;

use crate::http::{HeadWriter, Status};
use crate::proxy::client::connection::Client;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::tunnel::{Pipe, Tunnel};
use crate::reactor::{Id, Wake};

use super::context::ClientCx;

impl Tunnel {
    /// Joins a client's connection with an origin's. The client is told `greeting` first; what has
    /// come from either side already goes on its way.
    pub(super) fn open(
        client: &mut Client,
        connection: OriginConnection,
        greeting: Vec<u8>,
        from_origin: Vec<u8>,
        cx: &mut ClientCx<'_>,
    ) {
        let Some(exchange) = client.exchange.take() else { return };
        let Some(route) = exchange.route else { return };
        let mut route = Rc::unwrap_or_clone(route);
        let is_judged = route.judgement.take().is_some();
        let mut record = exchange.record;
        record.outcome = Outcome::Tunnel;
        record.origin = Some(connection.address);
        let from_client = std::mem::take(&mut client.input).into_rest();
        // Answers to earlier requests that still wait go before it.
        let earlier = client.output.take_waiting();
        let (now, timeout) = (cx.now(), cx.shared.settings.limits.tunnel_timeout);
        let (io, origin) = (client.io, connection.io);
        let id = cx.tunnels.insert_with(|id| Self {
            id,
            client: io,
            origin,
            up: Pipe::with(from_client),
            down: Pipe::with([earlier, greeting, from_origin].concat()),
            route,
            is_judged,
            judged_by: None,
            record,
            moved_at: now,
            deadline: now + timeout,
            broken: false,
            held: 0,
        });
        cx.reactor.set_owner(io, id.token());
        cx.reactor.set_owner(origin, id.token());
        cx.reactor.wake(id.token());
    }

    /// Joins a client with the origin that has switched protocols for it; false if that is gone.
    pub(super) fn switch(
        client: &mut Client,
        id: Id<PendingResponse>,
        reader: ReaderKey,
        cx: &mut ClientCx<'_>,
    ) -> bool {
        let Some(exchange) = &mut client.exchange else { return false };
        let Some(response) = cx.shared.responses.get_mut(id) else { return false };
        let (Some((connection, rest)), Some(FetchResult::Switched(head))) =
            (response.switched.take(), &response.result)
        else {
            return false;
        };
        let head = Rc::clone(head);
        cx.shared.leave_response(id, reader, cx.reactor);
        exchange.source = super::exchange::Source::None;
        exchange.record.status = Some(Status::SWITCHING_PROTOCOLS);
        let mut greeting = head.wire().to_vec();
        let mut rest_of_head = HeadWriter::resume(&mut greeting);
        exchange.cache_status.write_to(&mut rest_of_head, &cx.shared.settings.name);
        exchange.info.iter().for_each(|info| info.write_to(&mut rest_of_head));
        rest_of_head.end();
        Self::open(client, connection, greeting, rest, cx);
        true
    }
}
