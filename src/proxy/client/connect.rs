//! Connect: a CONNECT request gets its connection, and then steps aside (RFC 9110 §9.3.6).

use std::sync::Arc;
use std::task::Poll;

use crate::http::{HeadWriter, Status};
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::origin::dial::Dial;
use crate::proxy::tunnel::Tunnel;

use super::connection::Client;
use super::context::ClientCx;
use super::status_fields::CacheStatus;
use super::step::{Next, Step};

/// Connects; once that has come about, a tunnel takes both connections.
pub(super) fn connect(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if client.is_reset(cx) {
        return Next::Gone;
    }
    let (token, address) = (client.token(), client.address);
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let Some(route) = exchange.route.clone() else { return Next::Go(Step::Route) };
    let now = cx.reactor.now().mono;
    let settings = &cx.shared.settings;
    let dial =
        exchange.dial.get_or_insert_with(|| Dial::new(token, route, Some(address), settings, now));
    match dial.drive(cx.reactor, cx.shared) {
        Poll::Pending => Next::Park,
        Poll::Ready(Err(error)) => Next::Go(client.fail(&error, cx)),
        Poll::Ready(Ok(connection)) => {
            if let Some(rule) = dial.reported.take() {
                exchange.record.add(TraceEvent::Reported(rule));
            }
            exchange.dial = None;
            exchange.record.status = Some(Status::OK);
            let settings = Arc::clone(&cx.shared.settings);
            let cache_status = CacheStatus { detail: Some("tunnel"), ..Default::default() };
            let mut greeting = Vec::new();
            let mut head =
                HeadWriter::response(&mut greeting, Status::OK, b"Connection established");
            cache_status.write_to(&mut head, &settings.name);
            exchange.info.iter().for_each(|info| info.write_to(&mut head));
            head.end();
            Tunnel::open(client, connection, greeting, Vec::new(), cx);
            Next::HandedOver
        }
    }
}
