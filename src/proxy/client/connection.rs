//! The side of an exchange that faces a client.
//!
//! A client connection is driven through named steps, one function each, in [`client`](super):
//!
//! ```text
//! receive ── auth ── route ──┬── [judge] ── lookup ──┬── wait ──┬── deliver ── transmit ── finish ── receive …
//!                            │                       └──────────┘                            └── close
//!                            ├── connect ── (a tunnel takes the connection)
//!                            └── (an answer of our own) ── finish
//! ```
//!
//! It meets the fetch only in passive objects: a [`PendingResponse`] that the fetch brings, and a [`Body`] in which
//! the request's content goes up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::auth::client_network;
use crate::http::{Method, ServerCodec};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::origin::dial::Dial;
use crate::proxy::shared::Shared;
use crate::proxy::timers::ClientDeadlines;
use crate::proxy::transfer::body::Body;
use crate::proxy::transfer::recv_buffer::RecvBuffer;
use crate::proxy::transfer::send_buffer::SendBuffer;
use crate::reactor::{Driven, Id, Reactor, Ready, SocketId, Token, Wake};

use super::context::ClientCx;
use super::exchange::{Exchange, Source, Upload};
use super::respond::{self, ResponseContext};
use super::step::Step;

/// A connection to a client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) id: Id<Self>,
    pub(crate) io: SocketId,
    pub(super) address: SocketAddr,
    /// The listener that it came to.
    pub(super) listener: SocketAddr,
    pub(super) codec: ServerCodec,
    pub(crate) input: RecvBuffer,
    pub(crate) output: SendBuffer,
    pub(super) step: Step,
    pub(crate) exchange: Option<Box<Exchange>>,
    pub(super) deadlines: ClientDeadlines,
    /// When the first byte of the head came that is being received.
    pub(super) head_began: Option<Instant>,
    /// When it was accepted, or the last exchange was over.
    pub(super) idle_since: Instant,
    /// Until when it may ask for nothing.
    pub(super) idle_until: Option<Instant>,
    /// Whether it has said that it asks for nothing else, and all it asked for was read.
    pub(super) is_done: bool,
    /// Whether it has sent credentials that authenticate a connection: the connections to origins that
    /// they went out on are for this client alone (RFC 4559 §6).
    pub(super) binds: bool,
    /// Whether an exchange was finished on the connection: the client is known by then.
    pub(super) served: bool,
    /// Bytes counted as memory of connections.
    pub(crate) held: usize,
    /// End of the lingering close, once it has begun.
    pub(super) linger_until: Option<Instant>,
}

impl Driven for Client {
    const KIND: u8 = 1;
}

impl Client {
    /// A connection from an address to a listener that was accepted `now`, and has until `idle_until` to ask for something.
    pub(crate) fn new(
        id: Id<Self>,
        io: SocketId,
        (address, listener): (SocketAddr, SocketAddr),
        now: Instant,
        idle_until: Instant,
    ) -> Self {
        Self {
            id,
            io,
            address,
            listener,
            codec: ServerCodec::new(),
            input: RecvBuffer::new(),
            output: SendBuffer::new(),
            step: Step::Receive,
            exchange: None,
            deadlines: ClientDeadlines::default(),
            head_began: None,
            idle_since: now,
            idle_until: Some(idle_until),
            is_done: false,
            binds: false,
            served: false,
            held: 0,
            linger_until: None,
        }
    }

    pub(super) const fn token(&self) -> Token {
        self.id.token()
    }

    /// When it is to be driven again at the latest.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let dial = self.exchange.as_ref().and_then(|exchange| exchange.dial.as_ref());
        self.deadlines.next().into_iter().chain(dial.map(Dial::next_deadline)).min()
    }

    /// Returns when the client began to ask for nothing, if all it asked for was answered.
    pub(crate) fn asks_nothing_since(&self) -> Option<Instant> {
        let is_idle = self.step == Step::Receive
            && self.head_began.is_none()
            && self.output.is_empty()
            && self.deadlines.request.is_some();
        is_idle.then_some(self.idle_since)
    }

    /// Returns when the head began that is not complete, if all that was asked for before was answered.
    pub(crate) fn half_head_since(&self) -> Option<Instant> {
        self.head_began.filter(|_| self.step == Step::Receive && self.output.is_empty())
    }

    /// Whether nothing has come since it was driven; if something has, it is to be driven again.
    pub(crate) fn is_quiet(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        if !reactor.ready(self.io).contains(Ready::READABLE) {
            return true;
        }
        let quiet = self.input.receive(reactor, self.io, &mut shared.buffers).is_pending();
        self.input.release(&mut shared.buffers);
        if !quiet {
            reactor.wake(self.token());
        }
        quiet
    }

    /// Whether the connection was reset: nobody is there to be answered.
    pub(super) fn is_reset(&self, cx: &ClientCx<'_>) -> bool {
        cx.reactor.ready(self.io).contains(Ready::ERROR)
    }

    /// One line about what it is at.
    pub(crate) fn describe(&self) -> String {
        let url = self.exchange.as_ref().map_or("", |exchange| exchange.record.url());
        format!("client {} in {:?} {url}", self.address, self.step)
    }

    /// Answers with an error if nothing was answered yet, and otherwise ends the connection so that
    /// the client sees that the response is not whole. Returns the step to go on with.
    pub(super) fn fail(&mut self, error: &ExchangeError, cx: &mut ClientCx<'_>) -> Step {
        self.leave(cx, error);
        let settings = Arc::clone(&cx.shared.settings);
        let Some(exchange) = &mut self.exchange else { return Step::Close };
        let denied = error.is_denial();
        exchange.record.add(TraceEvent::Failed(error.clone()));
        exchange.cache_status.stored = false;
        exchange.cache_status.detail = Some(if denied { "denied" } else { "error" });
        exchange.persistent &= exchange.upload == Upload::Done && !cx.shared.draining;
        let frame = ResponseContext {
            name: &settings.name,
            now: cx.reactor.now(),
            head_only: exchange.request.method() == Method::Head,
            close: !exchange.persistent,
            cache_status: &exchange.cache_status,
            info: exchange.info.as_ref(),
            explain: cx.shared.explain.as_deref(),
        };
        let (status, sent) = respond::error(self.output.bytes(), error, frame);
        exchange.record.status = Some(status);
        exchange.record.sent = sent;
        exchange.record.tell_type(settings.log, respond::TEXT);
        Step::Finish
    }

    /// Lets go of whatever the exchange reads from or writes to: what `error` says becomes of an
    /// upload that is not whole.
    pub(super) fn leave(&mut self, cx: &mut ClientCx<'_>, error: &ExchangeError) {
        self.leave_upload(cx, error);
        self.leave_authentication(cx);
        self.deadlines.joined = None;
        let Some(exchange) = &mut self.exchange else { return };
        if let Source::Pending { id, reader, .. } = exchange.source {
            cx.shared.leave_response(id, reader, cx.reactor);
        }
        exchange.source = Source::None;
        if let Some(mut dial) = exchange.dial.take() {
            dial.cancel(cx.reactor, cx.shared);
        }
    }

    /// Waits neither for a password any more, nor to be answered.
    fn leave_authentication(&mut self, cx: &mut ClientCx<'_>) {
        self.deadlines.auth = None;
        self.leave_password(cx);
        if let Some(exchange) = &mut self.exchange {
            exchange.held = None;
        }
    }

    /// Does not wait for its password any more.
    pub(super) fn leave_password(&mut self, cx: &mut ClientCx<'_>) {
        let token = self.token();
        let password = self.exchange.as_mut().and_then(|exchange| exchange.password.take());
        if let (Some(ticket), Some(authentication)) = (password, &mut cx.shared.authentication) {
            authentication.leave(&ticket, token);
        }
    }

    /// Whether its answer is held back.
    pub(super) fn is_held(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.held.is_some())
    }

    /// Whether it waits for a password to be verified, which will not be forever.
    pub(crate) fn waits_for_password(&self) -> bool {
        let password = self.exchange.as_ref().and_then(|exchange| exchange.password);
        self.step == Step::Auth && password.is_some() && self.deadlines.auth.is_some()
    }

    /// Returns true if it may wait for the addresses of `name`.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        let dial = self.exchange.as_ref().and_then(|exchange| exchange.dial.as_ref());
        dial.is_some_and(|dial| dial.looks_up(name))
    }

    /// Gives up the content of the request, if it is still on its way.
    pub(super) fn leave_upload(&mut self, cx: &mut ClientCx<'_>, error: &ExchangeError) {
        self.deadlines.upload = None;
        let Some(exchange) = &mut self.exchange else { return };
        if let Upload::Into(id) = exchange.upload {
            cx.shared.end_upload(id, error, cx.reactor);
            exchange.upload = Upload::Unread;
        }
    }

    /// Closes a connection on which nothing is asked.
    pub(crate) fn close_idle(mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.hand_over(reactor, shared);
        shared.admission.leave(self.network());
        reactor.close(self.io);
    }

    /// The client's address, or the network that stands for it.
    pub(crate) fn network(&self) -> IpAddr {
        client_network(self.address.ip())
    }

    /// Returns the bytes of memory it holds: buffers, its request, and content on its way up.
    pub(crate) fn holds(&self, shared: &Shared) -> usize {
        let exchange = self.exchange.as_ref().map_or(0, |exchange| {
            let upload = match exchange.upload {
                Upload::Into(id) => shared.uploads.get(id).map_or(0, Body::held),
                Upload::Done | Upload::Unread => 0,
            };
            exchange.request.wire_length() + usize::try_from(upload).unwrap_or(usize::MAX)
        });
        self.input.held() + self.output.held() + exchange
    }

    /// Returns the bytes that are held of its response on the way.
    pub(crate) fn passing(&self, shared: &Shared) -> usize {
        match self.exchange.as_ref().map(|exchange| &exchange.source) {
            Some(Source::Pending { id, .. }) => {
                shared.responses.get(*id).map_or(0, |response| response.passing)
            }
            _ => 0,
        }
    }

    /// Returns until when it has to go on, if it holds memory meanwhile: to read its response, or to
    /// send the rest of its request.
    pub(crate) fn stalls_until(&self) -> Option<Instant> {
        let deadlines = &self.deadlines;
        let head = deadlines.request.filter(|_| self.head_began.is_some());
        let peer = [deadlines.send, deadlines.upload, head].into_iter().flatten().min();
        peer.filter(|_| self.held > 0)
    }

    /// Closes the connections to origins that are for this client alone, and counts its memory no more:
    /// the connection is over, or belongs to a tunnel.
    pub(crate) fn hand_over(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if self.binds {
            shared.pool.release(self.token(), reactor);
        }
        shared.memory.count(&mut self.held, 0);
    }
}
