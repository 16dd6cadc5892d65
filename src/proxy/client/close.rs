//! Close: the connection ends so that the client receives the last response.

use std::task::Poll;

use crate::proxy::timers::ClientTimer;

use super::connection::Connection;
use super::context::ClientCx;
use super::phase::{Close, Flow};

/// Sends the rest, shuts the connection down for writing, then reads and drops what the client still
/// sends: closing with unread bytes would reset the connection, and the response would be lost with it
/// (RFC 9112 §9.6).
pub(super) fn close(close: &mut Close, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
    match connection.flush(cx) {
        Poll::Pending => return Flow::Park,
        Poll::Ready(Err(_)) => return Flow::Gone,
        Poll::Ready(Ok(())) if !close.lingers => return Flow::Gone,
        Poll::Ready(Ok(())) => {}
    }
    if close.until.is_none() {
        if cx.reactor.shutdown(connection.io).is_err() {
            return Flow::Gone;
        }
        close.until = Some(cx.now() + cx.shared.settings.limits.linger_time);
        await_end(close, connection, cx);
    }
    drop_rest(close, connection, cx)
}

/// Reads and drops bytes until the client closes, or the budget of this drive is spent.
fn drop_rest(close: &Close, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
    while !cx.budget.is_spent() {
        let unread = connection.input.unread().len();
        connection.input.wipe(unread);
        match connection.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers) {
            Poll::Pending => break,
            Poll::Ready(Ok(0) | Err(_)) => return Flow::Gone,
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                if !cx.shared.draining {
                    await_end(close, connection, cx);
                }
            }
        }
    }
    connection.input.release(&mut cx.shared.buffers);
    Flow::Park
}

/// Sets the timer for the client's next bytes or its end, within the time of the lingering close.
fn await_end(close: &Close, connection: &mut Connection, cx: &ClientCx<'_>) {
    let next = cx.now() + cx.shared.settings.limits.linger_timeout;
    if let Some(until) = close.until {
        connection.timers.set(ClientTimer::Linger, until.min(next));
    }
}
