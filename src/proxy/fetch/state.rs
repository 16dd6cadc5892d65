//! The side of an exchange that faces an origin.
//!
//! A fetch is driven through named steps, one function each, in [`fetch`](super):
//!
//! ```text
//! [gather] ── acquire ── send ── head ── content ── end
//!                └──────── once more, on a new connection, if a reused one was dead
//! ```
//!
//! It is begun by a client and outlives it if somebody else reads, or if what it brings is worth
//! storing. It knows no client: it fills a [`PendingResponse`].

use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Object, OriginFailure, Presented, Response, Ticket};
use crate::http::{ClientCodec, Fields, Framing, Method, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::shared::Shared;
use crate::proxy::timers::{FetchTimer, FetchTimers};
use crate::proxy::transfer::body::Retention;
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::recv_buffer::RecvBuffer;
use crate::proxy::transfer::send_buffer::{SendBuffer, TransferCoding};
use crate::reactor::{Arena, Driven, Id, Reactor, Token, Wake};

use super::context::FetchCx;
use super::request::FetchRequest;
use super::step::Step;

/// A request to an origin, and its response.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) id: Id<Self>,
    pub(super) request: FetchRequest,
    pub(super) ticket: Ticket,
    pub(super) response: Id<PendingResponse>,
    pub(super) step: Step,
    pub(crate) dial: Option<Dial>,
    pub(super) connection: Option<OriginConnection>,
    pub(super) output: SendBuffer,
    pub(super) reader: Option<ReaderKey>,
    /// Whether the whole request is in the output, or has left.
    pub(super) request_ended: bool,
    /// True if the origin takes no more of the request, or shall get no more; its answer may still come.
    pub(super) sending_failed: bool,
    pub(super) codec: ClientCodec,
    pub(super) input: RecvBuffer,
    pub(super) interims: usize,
    /// Bytes of their heads.
    pub(super) interim_bytes: usize,
    /// When the request was sent.
    pub(super) sent_at: Instant,
    pub(super) tried_again: bool,
    /// Set once the client was told to go on with its content, in place of the origin.
    pub(super) encouraged: bool,
    pub(super) timers: FetchTimers,
    /// Bytes counted as memory of connections.
    pub(crate) held: usize,
}

impl Driven for Fetch {
    const KIND: u8 = 2;
}

impl Fetch {
    /// Begins a fetch; its reply is there at once, for whoever wants to read it.
    pub(crate) fn begin(
        mut request: FetchRequest,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        fetches: &mut Arena<Self>,
    ) -> Id<PendingResponse> {
        shared.counters.fetches += 1;
        let now = reactor.now().mono;
        let method = request.head.method();
        request.old_origin = shared.old_origins.contains(&request.route.origin, now);
        let step = if request.needs_gathering() { Step::Gather } else { Step::Acquire };
        let may_store = shared.cache.is_on() && matches!(method, Method::Get | Method::Post);
        let retain = if may_store { Retention::Full } else { Retention::Window };
        let window = shared.settings.limits.window.0;
        let mut response = None;
        let id = fetches.insert_with(|id| {
            let new = shared.responses.insert(PendingResponse::new(id.token(), retain, window));
            response = Some(new);
            let ticket = shared.cache.begin(&request.key, &mut request.presented, new, now);
            if request.bound_to.is_some() {
                shared.cache.forbid_joining(ticket);
            }
            if request.background {
                shared.cache.refresh(ticket);
            }
            let upload = request.upload.and_then(|upload| shared.uploads.get_mut(upload));
            Self {
                id,
                ticket,
                response: new,
                step,
                dial: None,
                connection: None,
                output: SendBuffer::new(),
                reader: upload.and_then(|body| body.attach(id.token())),
                request_ended: false,
                sending_failed: false,
                codec: ClientCodec::new(request.head.method()),
                input: RecvBuffer::new(),
                interims: 0,
                interim_bytes: 0,
                sent_at: now,
                tried_again: false,
                encouraged: false,
                timers: FetchTimers::default(),
                held: 0,
                request,
            }
        });
        reactor.wake(id.token());
        response.expect("made with the fetch")
    }

    pub(super) const fn token(&self) -> Token {
        self.id.token()
    }

    /// One line about what it is at.
    pub(crate) fn describe(&self) -> String {
        format!("fetch {} in {:?}", self.request.route.uri, self.step)
    }

    /// When it is to be driven again at the latest.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let dial = self.dial.as_ref().map(Dial::next_deadline);
        self.timers.next().into_iter().chain(dial).min()
    }

    /// Whether it goes on for nobody.
    pub(crate) fn is_unread(&self) -> bool {
        self.timers.get(FetchTimer::Unread).is_some()
    }

    /// Returns true if the origin was waited for too long. Asked when a step parks: what has come in
    /// time counts, however late the loop is.
    pub(super) fn is_late(&mut self, cx: &FetchCx<'_>) -> bool {
        let (timers, now) = (&mut self.timers, cx.reactor.now().mono);
        timers.expires(FetchTimer::Sending, now) || timers.expires(FetchTimer::Response, now)
    }

    /// Returns true if the whole request has left.
    pub(super) const fn has_sent_request(&self) -> bool {
        self.request_ended && self.output.is_empty()
    }

    /// More of the answer is waited for, if it is the origin's turn: while a client still brings
    /// content, and the origin takes it, an answer is not due.
    pub(super) fn await_answer(&mut self, cx: &FetchCx<'_>) {
        if self.sending_failed || self.has_sent_request() {
            let timeout = cx.shared.settings.limits.origin_timeout;
            self.timers.start(FetchTimer::Response, cx.reactor.now().mono + timeout);
        } else {
            self.timers.stop(FetchTimer::Response);
        }
    }

    /// Returns true if the origin has closed the connection without a word.
    pub(super) fn is_lost(&self, error: &ExchangeError) -> bool {
        matches!(error, ExchangeError::OriginGone) && self.input.is_empty()
    }

    /// Returns true if what came is no HTTP, on a connection that was used before: bytes behind an
    /// earlier response.
    pub(super) fn has_read_stray(&self, error: &ExchangeError) -> bool {
        let at_start = self.step == Step::Head && self.interims == 0;
        at_start && self.is_reused() && matches!(error, ExchangeError::BadResponse(_))
    }

    pub(super) fn is_reused(&self) -> bool {
        self.connection.is_some_and(|connection| connection.reused)
    }

    /// Forgets what was sent and received of it.
    pub(super) fn restart(&mut self) {
        self.request_ended = false;
        self.sending_failed = false;
        self.output = SendBuffer::new();
        self.codec = ClientCodec::new(self.request.head.method());
        self.timers = FetchTimers::default();
    }

    pub(super) fn drop_connection(&mut self, cx: &mut FetchCx<'_>) {
        if let Some(connection) = self.connection.take() {
            cx.reactor.close(connection.io);
        }
        if let Some(mut dial) = self.dial.take() {
            dial.cancel(cx.reactor, cx.shared);
        }
    }

    pub(super) fn has_result(&self, cx: &FetchCx<'_>) -> bool {
        cx.shared.responses.get(self.response).is_some_and(|response| response.result.is_some())
    }

    /// Has its readers served a stale response instead, if there is one that survives `failure`.
    pub(super) fn falls_back(&mut self, failure: OriginFailure, cx: &mut FetchCx<'_>) -> bool {
        let (now, unsaid) = (cx.reactor.now().mono, cx.shared.settings.limits.stale_if_unreachable);
        let survives = |object: &Arc<Object>| object.freshness().survives(failure, unsaid, now);
        let Some(object) = self.request.fallback.take().filter(survives) else { return false };
        if let Some(response) = cx.shared.responses.get_mut(self.response) {
            response.publish(FetchResult::Stale { object, failure }, cx.reactor);
        }
        true
    }

    /// Lets go of what it holds.
    pub(super) fn let_go(&mut self, cx: &mut FetchCx<'_>) {
        self.drop_connection(cx);
        self.input.release(&mut cx.shared.buffers);
        cx.shared.memory.count(&mut self.held, 0);
        self.leave_upload(cx);
        cx.shared.release_response(self.response, cx.reactor);
    }

    /// Returns the bytes of memory it holds in buffers.
    pub(crate) const fn holds(&self) -> usize {
        self.input.held() + self.output.held()
    }

    /// Reads no more of the request's content.
    pub(super) fn leave_upload(&mut self, cx: &mut FetchCx<'_>) {
        if let (Some(upload), Some(reader)) = (self.request.upload, self.reader.take()) {
            cx.shared.leave_upload(upload, reader, cx.reactor);
        }
    }

    /// How the request's content is framed.
    pub(super) fn request_coding(&self) -> TransferCoding {
        match self.request.head.framing() {
            Framing::Chunked if self.request.gathered.is_none() => TransferCoding::Chunked,
            _ => TransferCoding::Identity,
        }
    }

    /// Has the cache judge the response, or a stored one that it has updated.
    pub(super) fn judge<R>(
        &mut self,
        status: Status,
        fields: &Fields,
        cx: &FetchCx<'_>,
        judge: impl FnOnce(&mut Presented, Response<'_>) -> R,
    ) -> R {
        let response = Response {
            uri: &self.request.route.uri,
            status,
            fields,
            is_coded: false,
            targets: cx.shared.settings.targets(),
            rules: &cx.shared.settings.freshness_rules,
            store_cookies: cx.shared.settings.store_cookies,
            sent: self.sent_at,
            now: cx.reactor.now(),
        };
        judge(&mut self.request.presented, response)
    }
}
