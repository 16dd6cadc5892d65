//! Receive: a request head comes in.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::http::hop::ConnectionOptions;
use crate::http::{Method, ParseError, RequestHead, ServerEvent, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::reason::Reason;
use crate::proxy::routing::client_address::Behind;
use crate::proxy::transfer::send_buffer::TransferCoding;
use crate::time::Now;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Source, Upload};
use super::flush;
use super::respond::{self, ResponseContext};
use super::status_fields::CacheStatus;
use super::step::{Next, Step};

/// Answers to pipelined requests gather up to this many bytes before they are sent.
const GATHER: usize = 64 * 1024;

/// Takes the next request head. Answers that were gathered leave before anything is waited for.
pub(super) fn receive(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    loop {
        if client.output.waiting() < GATHER && !client.input.is_empty() {
            match client.codec.decode(client.input.unread(), &cx.shared.heads) {
                Ok((used, event)) => {
                    client.input.wipe(used);
                    if let Some(ServerEvent::Request(head)) = event {
                        begin(client, *head, cx);
                        return Next::Go(Step::Auth);
                    }
                    if !matches!(client.input.unread(), b"" | b"\r") {
                        client.head_began.get_or_insert(cx.reactor.now().mono);
                    }
                }
                Err(refusal) => {
                    return Next::Go(refuse(client, &ExchangeError::BadRequest(refusal), cx));
                }
            }
        }
        if !client.output.is_empty() {
            match flush(client, cx) {
                Poll::Pending => return Next::Park,
                Poll::Ready(Err(_)) => return Next::Gone,
                Poll::Ready(Ok(())) => continue,
            }
        }
        match client.input.receive(cx.reactor, client.io, &mut cx.shared.buffers) {
            Poll::Ready(Ok(0)) => return end_of_stream(client, cx),
            Poll::Ready(Ok(n)) => cx.budget.spend_in(n),
            Poll::Ready(Err(_)) => return Next::Gone,
            Poll::Pending if cx.shared.draining && client.head_began.is_none() => {
                return Next::Gone;
            }
            Poll::Pending => return park(client, cx),
        }
    }
}

/// Waits for more, in as little memory as can be, and for a limited time.
fn park(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    client.input.release(&mut cx.shared.buffers);
    client.output.release();
    let limits = &cx.shared.settings.limits;
    client.deadlines.request = Some(match client.head_began {
        Some(began) => began + limits.header_timeout,
        None => *client.idle_until.get_or_insert(cx.reactor.now().mono + limits.idle_timeout),
    });
    Next::Park
}

/// The client has closed its side: between requests that is the end, within a head it is a request
/// that was never whole.
fn end_of_stream(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if client.head_began.is_none() {
        return Next::Gone;
    }
    Next::Go(refuse(client, &ExchangeError::ClientGone, cx))
}

fn begin(client: &mut Client, head: RequestHead, cx: &mut ClientCx<'_>) {
    let now = cx.reactor.now();
    let mut record = ExchangeRecord::new(now, client.address, client.listener);
    let hop = ConnectionOptions::of(head.version(), head.fields());
    // RFC 9112 §9.3: a proxy does not keep connections of HTTP/1.0; a server may.
    let kept = head.version() == Version::Http11 || cx.shared.settings.reverse.is_some();
    // Behind a CONNECT that is refused may stand what was meant for the tunnel (RFC 9931).
    let kept = kept && head.method() != Method::Connect;
    let persistent = hop.persistent && kept && !cx.shared.draining;
    let is_last = !hop.persistent;
    record.behind = Behind::of(client.address.ip(), head.fields(), &cx.shared.settings).client;
    let upload = if head.framing().has_content() { Upload::Unread } else { Upload::Done };
    drop(hop);
    let request = Rc::new(head);
    record.request = Some(Rc::clone(&request));
    client.head_began = None;
    client.idle_until = None;
    client.deadlines.request = None;
    client.input.release(&mut cx.shared.buffers);
    client.exchange = Some(Box::new(Exchange {
        request,
        record,
        sent_before: client.output.total(),
        route: None,
        key: None,
        presented: None,
        is_last,
        persistent,
        upload,
        source: Source::None,
        cache_status: CacheStatus::default(),
        password: None,
        held: None,
        info: None,
        dial: None,
        failed_joins: 0,
        coding: TransferCoding::Identity,
        ended: false,
        until_close: false,
    }));
}

/// Answers what is no request, writes it down, and closes: nothing after it has a meaning.
pub(super) fn refuse(client: &mut Client, error: &ExchangeError, cx: &mut ClientCx<'_>) -> Step {
    let settings = &cx.shared.settings;
    let cache_status = CacheStatus { detail: Some("error"), ..Default::default() };
    let frame = ResponseContext {
        name: &settings.name,
        now: cx.reactor.now(),
        head_only: false,
        close: true,
        cache_status: &cache_status,
        info: None,
        explain: None,
    };
    let before = client.output.total();
    let (status, sent) = respond::error(client.output.bytes(), error, frame);
    let settings = Arc::clone(settings);
    let mut record = refused(client, error, cx.reactor.now());
    record.status = Some(status);
    record.sent = sent;
    record.sent_in_all = client.output.total() - before;
    record.tell_type(settings.log, respond::TEXT);
    cx.shared.record(&record, cx.reactor.now());
    client.head_began = None;
    Step::Close
}

/// Writes down what was not all of a request, and why it is not answered.
pub(super) fn record_unanswered(client: &Client, reason: Reason, cx: &mut ClientCx<'_>) {
    let mut record = refused(client, &ExchangeError::ClientGone, cx.reactor.now());
    record.reason = Some(reason);
    cx.shared.record(&record, cx.reactor.now());
}

/// The facts about what was no request, or not all of one, with the beginning of what came, unless that
/// was not meant for one.
fn refused(client: &Client, error: &ExchangeError, now: Now) -> ExchangeRecord {
    const SHOWN: usize = 200;
    let mut record = ExchangeRecord::new(now, client.address, client.listener);
    record.reason = Some(error.clone().into());
    let first_line = client.input.unread().split(|&b| b == b'\r' || b == b'\n').next();
    let first_line = first_line.unwrap_or_default();
    let is_http =
        !matches!(error, ExchangeError::BadRequest(ParseError::NotHttp | ParseError::Tls));
    if is_http && !first_line.is_empty() {
        record.unread = Some(first_line[..first_line.len().min(SHOWN)].into());
    }
    record
}
