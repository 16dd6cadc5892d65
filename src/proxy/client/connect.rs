//! Connect: a CONNECT request gets its connection, which a tunnel takes (RFC 9110 §9.3.6).

use std::task::Poll;

use crate::http::{HeadWriter, Status};
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::pending_response::OriginSide;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Connecting, Next, State};
use super::status_fields::CacheStatus;
use super::upgrade::open_tunnel;

/// Connects to the destination; then a tunnel takes both connections.
pub(super) fn connect(
    mut connecting: Connecting,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if connection.is_reset(cx) {
        return Next::Gone(State::Connect(connecting));
    }
    let Shared { origins, settings, counters, .. } = &mut *cx.shared;
    match connecting.dial.drive(cx.reactor, origins, settings, &mut counters.origin_handshakes) {
        Poll::Pending => Next::Park(State::Connect(connecting)),
        Poll::Ready(Err(error)) => Next::fail(State::Connect(connecting), error),
        Poll::Ready(Ok(origin)) => {
            let Connecting { route, mut dial } = connecting;
            if let Some(rule) = dial.reported.take() {
                exchange.record.add(TraceEvent::Reported(rule));
            }
            exchange.record.status = Some(Status::OK);
            let head = write_head(exchange, cx);
            let origin = OriginSide { connection: origin, received: Vec::new(), place: None };
            open_tunnel(&route, origin, head, exchange, connection, cx);
            Next::HandedOver
        }
    }
}

/// Returns the head of the response.
fn write_head(exchange: &Exchange, cx: &ClientCx<'_>) -> Vec<u8> {
    let cache_status = CacheStatus { detail: Some("tunnel"), ..Default::default() };
    let mut out = Vec::new();
    let mut head = HeadWriter::response(&mut out, Status::OK, b"Connection established");
    cache_status.write_to(&mut head, &cx.shared.settings.name);
    exchange.auth_info.iter().for_each(|info| info.write_to(&mut head));
    head.end();
    out
}
