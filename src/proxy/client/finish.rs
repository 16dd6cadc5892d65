//! Finish and Close: the exchange is written down, the connection kept or ended well.

use std::task::Poll;

use crate::proxy::error::ExchangeError;
use crate::reactor::Ready;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::Upload;
use super::flush;
use super::step::{Next, Step};

/// Writes the exchange down. A request whose content was not read to its end leaves nothing in the
/// stream that could be understood.
pub(super) fn finish(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    client.leave(cx, &ExchangeError::ClientGone);
    let Some(mut exchange) = client.exchange.take() else { return Next::Go(Step::Close) };
    exchange.record.sent_in_all = client.output.total() - exchange.sent_before;
    cx.shared.record(&exchange.record, cx.reactor.now());
    cx.budget.spend_operation(); // a hundred small ones in a row are no small work
    client.idle_since = cx.now();
    if !std::mem::replace(&mut client.served, true) {
        cx.shared.admission.serve(client.network(), cx.now());
    }
    let read = exchange.upload == Upload::Done;
    let keep = exchange.persistent && read;
    let quiet = client.input.is_empty() && !cx.reactor.ready(client.io).contains(Ready::READABLE);
    client.is_done = exchange.is_last && read && quiet;
    Next::Go(if keep { Step::Receive } else { Step::Close })
}

/// Sends what is left, ends the stream, then reads and drops what the client still sends: closing with
/// unread bytes would reset the connection, and the answer would be lost with it (RFC 9112 §9.6). A
/// client that is done sends none.
pub(super) fn close(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    match flush(client, cx) {
        Poll::Pending => return Next::Park,
        Poll::Ready(Err(_)) => return Next::Gone,
        Poll::Ready(Ok(())) if client.is_done => return Next::Gone,
        Poll::Ready(Ok(())) => {}
    }
    if client.linger_until.is_none() {
        if cx.reactor.shutdown(client.io).is_err() {
            return Next::Gone;
        }
        client.linger_until = Some(cx.now() + cx.shared.settings.limits.linger_time);
        await_end(client, cx);
    }
    drop_rest(client, cx)
}

/// Reads and drops until the client closes, or this drive has done enough.
fn drop_rest(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    while !cx.budget.is_spent() {
        let unread = client.input.unread().len();
        client.input.wipe(unread);
        match client.input.receive(cx.reactor, client.io, &mut cx.shared.buffers) {
            Poll::Pending => break,
            Poll::Ready(Ok(0) | Err(_)) => return Next::Gone,
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                if !cx.shared.draining {
                    await_end(client, cx);
                }
            }
        }
    }
    client.input.release(&mut cx.shared.buffers);
    Next::Park
}

/// Sets the deadline for the client's next bytes or its end.
fn await_end(client: &mut Client, cx: &ClientCx<'_>) {
    let next = cx.now() + cx.shared.settings.limits.linger_timeout;
    client.deadlines.linger = client.linger_until.map(|until| until.min(next));
}
