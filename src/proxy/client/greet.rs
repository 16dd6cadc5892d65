//! Greet: the TLS handshake of a client.

use std::sync::Arc;
use std::task::Poll;

use crate::proxy::error::{ExchangeError, NotSupported, Timeout};
use crate::proxy::observe::reason::Reason;
use crate::proxy::timers::ClientTimer;
use crate::tls::{NotTls, Problem, ProblemKind, ServerLayer};

use super::connection::Connection;
use super::context::ClientCx;
use super::phase::{Close, Flow, Greet, Phase, Receive};
use super::receive::{record_unanswered, refuse};

/// Fatal alert `unexpected_message` (RFC 8446 §6), for a client that speaks neither TLS nor HTTP.
const UNEXPECTED: &[u8] = &[21, 3, 3, 0, 2, 2, 10];

/// Continues the handshake. The time that is left after it is for the first request.
pub(super) fn greet(greet: &Greet, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
    let error = match cx.reactor.handshake(connection.io) {
        Poll::Pending => {
            connection.timers.set(ClientTimer::Request, greet.until);
            return Flow::Park;
        }
        Poll::Ready(Err(error)) => error,
        Poll::Ready(Ok(())) => {
            let layer = cx.reactor.layer::<ServerLayer>(connection.io);
            let served = layer.filter(|layer| !layer.is_challenge()).and_then(ServerLayer::facts);
            let Some(facts) = served else { return Flow::Gone };
            let took = cx.now().saturating_duration_since(greet.began);
            cx.shared.counters.handshakes.complete(&facts, took);
            connection.tls = Some(Arc::new(facts));
            return Flow::Enter(Phase::Receive(Receive {
                head_began: None,
                idle_since: cx.now(),
                idle_until: Some(greet.until),
            }));
        }
    };
    let problem = Problem::of(&error);
    cx.shared.counters.handshakes.fail(problem.word);
    cx.reactor.strip(connection.io); // an alert was sent; what follows is not encrypted
    match (problem.kind, error.get_ref().and_then(|inner| inner.downcast_ref::<NotTls>())) {
        (_, Some(other)) if other.is_text() => {
            let error = ExchangeError::NotSupported(NotSupported::PlainOnTls);
            refuse(&error, connection, cx)
        }
        (_, Some(_)) => {
            connection.output.bytes().extend_from_slice(UNEXPECTED);
            end(problem.word, connection, cx)
        }
        (ProblemKind::Ended, None) => Flow::Gone,
        (_, None) => end(problem.word, connection, cx),
    }
}

/// Records a handshake that has failed, and closes so that the client receives the alert.
fn end(cause: &'static str, connection: &Connection, cx: &mut ClientCx<'_>) -> Flow {
    record_unanswered(Reason::Handshake(cause), connection, cx);
    Flow::Enter(Phase::Close(Close::lingering()))
}

/// The client has not completed the handshake in time.
pub(super) fn greet_timed_out(connection: &Connection, cx: &mut ClientCx<'_>) -> Flow {
    cx.shared.counters.handshakes.fail("timeout");
    record_unanswered(Timeout::Header.into(), connection, cx);
    Flow::Gone
}
