//! Introduce: the PROXY header at the start of a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use crate::proxy::error::ExchangeError;
use crate::proxy::observe::listener::ListenerKind;
use crate::proxy::observe::reason::Reason;
use crate::proxy::timers::ClientTimer;
use crate::proxy_protocol::{Header, Parsed, parse};
use crate::throttle::BanAction;
use crate::tls::ServerLayer;

use super::connection::Connection;
use super::context::ClientCx;
use super::phase::{Flow, Introduce, Phase};
use super::receive::record_unanswered;

/// Receives the header, which only trusted proxies may send. The time that is left after it is for the TLS
/// handshake and the first request.
pub(super) fn introduce(
    introduce: Introduce,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Flow {
    if !cx.shared.settings.trusts(connection.address.ip()) {
        record_unanswered(Reason::UntrustedProxyHeader, connection, cx);
        return Flow::Gone;
    }
    loop {
        match parse(connection.input.unread()) {
            Ok(Parsed::Incomplete) => {}
            Ok(Parsed::Header { header, length }) => {
                connection.input.consume(length);
                believe(header, connection);
                let ban = cx.shared.throttling.ban_of(connection.address.ip(), cx.now());
                if let Some((BanAction::Drop, _)) = ban {
                    cx.shared.counters.client_bans.connections += 1;
                    return Flow::Gone;
                }
                return begin(introduce, connection, cx);
            }
            Err(error) => {
                record_unanswered(Reason::ProxyHeader(error), connection, cx);
                return Flow::Gone;
            }
        }
        match connection.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers) {
            // Health checks connect and close without a header.
            Poll::Ready(Ok(0)) if connection.input.is_empty() => return Flow::Gone,
            Poll::Ready(Ok(0)) => {
                record_unanswered(ExchangeError::ClientGone.into(), connection, cx);
                return Flow::Gone;
            }
            Poll::Ready(Ok(n)) => cx.budget.spend_in(n),
            Poll::Ready(Err(_)) => return Flow::Gone,
            Poll::Pending => {
                connection.input.release(&mut cx.shared.buffers);
                connection.timers.set(ClientTimer::Request, introduce.until);
                return Flow::Park;
            }
        }
    }
}

/// Takes over what the header states about the client. Without addresses, the peer is the client.
fn believe(header: Header, connection: &mut Connection) {
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    if let Some(source) = header.source {
        connection.address = canonical(source);
    }
    connection.destination = header.destination.map(canonical);
    connection.tls_in_front = header.tls.is_some_and(|tls| tls.is_used);
}

/// Begins what follows the header. Bytes behind it that were received with it belong to that.
fn begin(introduce: Introduce, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
    let kind = connection.listener.kind();
    if kind == ListenerKind::Tls {
        // Settings without TLS never serve clients in the clear here.
        let Some(tls) = cx.shared.identity.tls() else { return Flow::Gone };
        let early = std::mem::take(&mut connection.input).into_rest();
        let layer = ServerLayer::with_early(Arc::clone(tls), early);
        cx.reactor.secure(connection.io, Box::new(layer));
    }
    Flow::Enter(Phase::first(kind, (introduce.began, introduce.until)))
}
