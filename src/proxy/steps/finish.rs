//! Finish and Close: the exchange is written down, the connection kept or ended well.

use std::task::Poll;

use crate::reactor::Ready;

use super::super::client::{Client, ClientCx, Next, Step, Upload};
use super::super::error::ExchangeError;
use super::flush;

/// At most this much is read and dropped from a client that was answered before it was done.
const MAX_LINGER: u64 = 256 * 1024;

/// Writes the exchange down. A request whose content was not read to its end leaves nothing in the
/// stream that could be understood.
pub(in super::super) fn finish(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    client.leave(cx, &ExchangeError::ClientGone);
    let Some(exchange) = client.exchange.take() else { return Next::Go(Step::Close) };
    cx.core.record(&exchange.journal, cx.reactor.now());
    cx.budget.spend_operation(); // a hundred small ones in a row are no small work
    client.idle_since = cx.now();
    if !std::mem::replace(&mut client.served, true) {
        cx.core.admission.serve(client.network(), cx.now());
    }
    let read = exchange.upload == Upload::Done;
    let keep = exchange.persistent && read;
    let quiet = client.input.is_empty() && !cx.reactor.ready(client.io).contains(Ready::READABLE);
    client.is_done = exchange.is_last && read && quiet;
    Next::Go(if keep { Step::Receive } else { Step::Close })
}

/// Sends what is left, says that nothing follows, and reads on for a moment: closing with unread
/// bytes would reset the connection, and the answer with it. A client that is done sends none.
pub(in super::super) fn close(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    match flush(client, cx) {
        Poll::Pending => return Next::Park,
        Poll::Ready(Err(_)) => return Next::Gone,
        Poll::Ready(Ok(())) if client.is_done => return Next::Gone,
        Poll::Ready(Ok(())) => {}
    }
    let limits = &cx.core.settings.limits;
    if client.lingered.is_none() {
        if cx.reactor.shutdown(client.io).is_err() {
            return Next::Gone;
        }
        client.lingered = Some(0);
        client.deadlines.linger = Some(cx.reactor.now().mono + limits.linger_timeout);
    }
    loop {
        let unread = client.input.unread().len();
        client.input.wipe(unread);
        match client.input.receive(cx.reactor, client.io, &mut cx.core.buffers) {
            Poll::Pending => {
                client.input.release(&mut cx.core.buffers);
                return Next::Park;
            }
            Poll::Ready(Ok(0) | Err(_)) => return Next::Gone,
            Poll::Ready(Ok(n)) => {
                cx.budget.spend_in(n);
                let lingered = client.lingered.get_or_insert(0);
                *lingered += n as u64;
                if *lingered > MAX_LINGER {
                    return Next::Gone;
                }
                if cx.budget.is_spent() {
                    return Next::Park; // drive() sees to another turn
                }
            }
        }
    }
}
