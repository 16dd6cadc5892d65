//! Finish: the exchange is recorded, and the connection is kept or closed.

use crate::proxy::error::ExchangeError;
use crate::reactor::Ready;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::phase::{Close, Flow, Phase, Receive};
use super::upload::Upload;

/// Records the exchange. The connection is kept only if the request's content was read to its end:
/// bytes behind unread content have no meaning.
pub(super) fn finish(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Flow {
    exchange.upload.end(&ExchangeError::ClientGone, connection, cx);
    exchange.record.sent_in_all = connection.output.total() - exchange.sent_before;
    exchange.record.received_in_all = connection.take_received();
    exchange.record(cx);
    cx.budget.spend_operation(); // many small exchanges in a row are much work, too
    if !std::mem::replace(&mut connection.served, true) {
        cx.shared.admission.serve(connection.network, cx.now());
    }
    let read = exchange.upload == Upload::Done;
    if exchange.persistence.is_kept() && read {
        let receive = Receive { head_began: None, idle_since: cx.now(), idle_until: None };
        return Flow::Enter(Phase::Receive(receive));
    }
    let quiet =
        connection.input.is_empty() && !cx.reactor.ready(connection.io).contains(Ready::READABLE);
    let lingers = !(exchange.persistence.client_closes && read && quiet);
    Flow::Enter(Phase::Close(Close { lingers, until: None }))
}
