//! Receive: the head of a request.

use std::sync::Arc;
use std::task::Poll;

use crate::http::{ParseError, RequestHead, ServerEvent, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::listener::ListenerKind;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::observe::reason::Reason;
use crate::proxy::routing::client_address::Behind;
use crate::proxy::timers::ClientTimer;
use crate::time::Now;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::persistence::Persistence;
use super::phase::{Close, Flow, Phase, Receive};
use super::respond::{self, ResponseContext};
use super::state::{Admit, Auth, State};
use super::status_fields::CacheStatus;
use super::upload::Upload;

/// Responses to pipelined requests gather up to this many bytes before they are sent.
const GATHER: usize = 64 * 1024;

/// Receives the next request head. Gathered responses are sent before anything is waited for.
pub(super) fn receive(
    receive: &mut Receive,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Flow {
    loop {
        if connection.output.waiting() < GATHER && !connection.input.is_empty() {
            match connection.codec.decode(connection.input.unread(), &cx.shared.heads) {
                Ok((used, event)) => {
                    connection.input.wipe(used);
                    if let Some(ServerEvent::Request(head)) = event {
                        return Flow::Enter(Phase::Exchange(begin(*head, connection, cx)));
                    }
                    if !matches!(connection.input.unread(), b"" | b"\r") {
                        receive.head_began.get_or_insert(cx.now());
                    }
                }
                Err(error) => return refuse(&ExchangeError::BadRequest(error), connection, cx),
            }
        }
        if !connection.output.is_empty() {
            match connection.flush(cx) {
                Poll::Pending => return Flow::Park,
                Poll::Ready(Err(_)) => return Flow::Gone,
                Poll::Ready(Ok(())) => continue,
            }
        }
        match connection.input.receive(cx.reactor, connection.io, &mut cx.shared.buffers) {
            // Between requests, the end of the stream is the end of the connection.
            Poll::Ready(Ok(0)) if receive.head_began.is_none() => return Flow::Gone,
            Poll::Ready(Ok(0)) => return refuse(&ExchangeError::ClientGone, connection, cx),
            Poll::Ready(Ok(n)) => cx.budget.spend_in(n),
            Poll::Ready(Err(_)) => return Flow::Gone,
            Poll::Pending if receive.head_began.is_none() && is_over(cx) => return Flow::Gone,
            Poll::Pending => {
                park(receive, connection, cx);
                return Flow::Park;
            }
        }
    }
}

/// Returns true if a drain waits for no request any more.
fn is_over(cx: &ClientCx<'_>) -> bool {
    cx.shared.draining && cx.shared.idle_until.is_none_or(|until| until <= cx.now())
}

/// Waits for more bytes, in as little memory as possible and for a limited time.
fn park(receive: &mut Receive, connection: &mut Connection, cx: &mut ClientCx<'_>) {
    connection.input.release(&mut cx.shared.buffers);
    connection.output.release();
    let limits = &cx.shared.settings.limits;
    let until = match receive.head_began {
        Some(began) => began + limits.header_timeout,
        None => {
            let idle =
                receive.idle_until.get_or_insert(cx.reactor.now().mono + limits.idle_timeout);
            cx.shared.idle_until.map_or(*idle, |until| until.min(*idle))
        }
    };
    connection.timers.set(ClientTimer::Request, until);
}

/// The client has sent no request, or no complete head, in time.
pub(super) fn request_timed_out(
    receive: &Receive,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Flow {
    match receive.head_began {
        None => Flow::Gone,
        Some(_) => refuse(&ExchangeError::HeadTimeout, connection, cx),
    }
}

/// Begins the exchange of a request.
fn begin(head: RequestHead, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Box<Exchange> {
    let (peer, settings) = (connection.address, &cx.shared.settings);
    let mut record = ExchangeRecord::new(cx.reactor.now(), peer, connection.listener);
    record.destination = connection.destination(cx.reactor);
    record.tls.clone_from(&connection.tls);
    record.tls_in_front = connection.tls_in_front;
    let is_reverse = settings.service(connection.listener.service()).is_reverse();
    let behind = Behind::of(record.peer(), head.fields(), settings, is_reverse);
    record.behind = behind.client;
    let given = behind.request_id(head.fields());
    record.id = Some(given.unwrap_or_else(|| cx.shared.request_ids.make()));
    let mut persistence = Persistence::of(&head, is_reverse);
    persistence.keep_only_if(!cx.shared.draining);
    let challenge = cx.shared.identity.http_answer(&head).map(Box::from);
    let upload = if head.body_length().has_content() { Upload::Unread } else { Upload::Done };
    let (request, is_secure) = (Arc::new(head), record.is_secure());
    record.request = Some(Arc::clone(&request));
    connection.timers.stop(ClientTimer::Request);
    connection.input.release(&mut cx.shared.buffers);
    Box::new(Exchange {
        request,
        record,
        sent_before: connection.output.total(),
        persistence,
        upload,
        cache_status: CacheStatus::default(),
        auth_info: None,
        site_route: None,
        hsts: settings.hsts.filter(|_| is_reverse && is_secure),
        limited_route: None,
        state: first_state(connection.listener.kind(), challenge, cx.shared.throttling.is_active()),
    })
}

/// Returns the first state of an exchange, for which there may be the answer to a `challenge`. A CA that
/// asks for it is neither limited nor banned.
fn first_state(kind: ListenerKind, challenge: Option<Box<str>>, throttles: bool) -> State {
    match (kind, challenge) {
        (ListenerKind::Plain | ListenerKind::Redirect, Some(answer)) => State::Challenge(answer),
        _ if throttles => State::Admit(Admit::Check),
        (ListenerKind::Redirect, None) => State::Redirect,
        (ListenerKind::Plain | ListenerKind::Tls, _) => State::Auth(Auth::Check),
    }
}

/// Responds to bytes that are no request, records them and closes: what follows them has no meaning.
pub(super) fn refuse(
    error: &ExchangeError,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Flow {
    let cache_status = CacheStatus { detail: Some("error"), ..Default::default() };
    let context = ResponseContext {
        name: &cx.shared.settings.name,
        now: cx.reactor.now(),
        head_only: false,
        version: Version::Http11,
        persistence: Persistence::closed(),
        cache_status: &cache_status,
        info: None,
        hsts: None,
        edits: None,
        explain: None,
    };
    let before = connection.output.total();
    let (status, sent) = respond::error(connection.output.bytes(), error, None, context);
    let mut record = record_of(error, connection, cx.reactor.now());
    record.status = Some(status);
    record.sent = sent;
    record.sent_in_all = connection.output.total() - before;
    record.received_in_all = connection.take_received() + connection.input.unread().len() as u64;
    record.tell_type(cx.shared.settings.log.as_ref(), respond::TEXT);
    cx.shared.record(&record, cx.reactor.now());
    Flow::Enter(Phase::Close(Close::lingering()))
}

/// Records an incomplete head that gets no response, with the `reason`.
pub(super) fn record_unanswered(reason: Reason, connection: &Connection, cx: &mut ClientCx<'_>) {
    let mut record = record_of(&ExchangeError::ClientGone, connection, cx.reactor.now());
    if reason.is_of_proxy_header() {
        record.outcome = Outcome::Denied;
        record.unread =
            record.unread.filter(|line| line.iter().all(|byte| matches!(byte, b' '..=b'~')));
    }
    record.reason = Some(reason);
    cx.shared.record(&record, cx.reactor.now());
}

/// Returns the record of bytes that are no complete request, with the first line of them, unless those
/// bytes are of another protocol.
fn record_of(error: &ExchangeError, connection: &Connection, now: Now) -> ExchangeRecord {
    const SHOWN: usize = 200;
    let mut record = ExchangeRecord::new(now, connection.address, connection.listener);
    record.tls.clone_from(&connection.tls);
    record.reason = Some(error.clone().into());
    let first_line = connection.input.unread().split(|&b| b == b'\r' || b == b'\n').next();
    let first_line = first_line.unwrap_or_default();
    let is_http =
        !matches!(error, ExchangeError::BadRequest(ParseError::NotHttp | ParseError::Tls));
    if is_http && !first_line.is_empty() {
        record.unread = Some(first_line[..first_line.len().min(SHOWN)].into());
    }
    record
}
