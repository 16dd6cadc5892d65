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
//! storing. It knows no client: it fills a [`Reply`].

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{CacheKey, Failure, Object, Presented, Response, Ticket};
use crate::http::{ClientCodec, Fields, Framing, Method, RequestHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::pool::OriginConnection;
use crate::proxy::routing::route::Route;
use crate::proxy::shared::Core;
use crate::proxy::timers::{FetchDeadlines, is_past};
use crate::proxy::transfer::body::{Body, Retain, State};
use crate::proxy::transfer::input::Input;
use crate::proxy::transfer::output::{Coding, Outgoing};
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::response::{Brought, Reply};
use crate::reactor::{Active, Arena, Budget, Id, Reactor, Token, Wake};

use super::{Fill, rewrite_response};

/// What a client wants fetched.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) request: Rc<RequestHead>,
    /// The request as the cache compares it.
    pub(crate) presented: Presented,
    pub(crate) route: Rc<Route>,
    pub(crate) key: CacheKey,
    pub(crate) client: SocketAddr,
    /// Stored responses to be validated, of which the origin may say that one still holds.
    pub(crate) validate: Vec<Arc<Object>>,
    /// A stale response to be served if the origin fails.
    pub(crate) fallback: Option<Arc<Object>>,
    /// What is missing of a stored response.
    pub(crate) fill: Option<Fill>,
    /// Whether it is for the cache, while clients are served a stale response.
    pub(crate) background: bool,
    /// The body in which the request's content comes.
    pub(crate) upload: Option<Id<Body>>,
    /// Set once the origin is known to speak HTTP/1.0.
    pub(crate) old_origin: bool,
    /// Length of an upload that was received whole, so that it goes without chunks.
    pub(crate) gathered: Option<u64>,
    /// The client for whom alone the connection is used that this request authenticates, or that an
    /// earlier one of the same client has (RFC 4559).
    pub(crate) bound_to: Option<Token>,
}

/// A request to an origin, and its response.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) id: Id<Self>,
    pub(super) order: Order,
    pub(super) ticket: Ticket,
    pub(super) reply: Id<Reply>,
    pub(super) step: Step,
    pub(crate) dial: Option<Dial>,
    pub(super) connection: Option<OriginConnection>,
    pub(super) output: Outgoing,
    pub(super) reader: Option<ReaderKey>,
    /// Whether the whole request is in the output, or has left.
    pub(super) request_ended: bool,
    /// True if the origin takes no more of the request, or shall get no more; its answer may still come.
    pub(super) sending_failed: bool,
    pub(super) codec: ClientCodec,
    pub(super) input: Input,
    pub(super) interims: usize,
    /// Bytes of their heads.
    pub(super) interim_bytes: usize,
    /// When the request was sent.
    pub(super) sent_at: Instant,
    pub(super) tried_again: bool,
    /// Set once the client was told to go on with its content, in place of the origin.
    pub(super) encouraged: bool,
    pub(super) deadlines: FetchDeadlines,
    /// Bytes counted as memory of connections.
    pub(crate) held: usize,
}

impl Active for Fetch {
    const KIND: u8 = 2;
}

/// Where a fetch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The request's content is received whole first.
    Gather,
    /// Gets a connection, from the pool or a new one.
    Acquire,
    /// The head of the request is written.
    Send,
    /// The response's head is waited for, while the request's content goes out.
    Head,
    /// Content comes in.
    Content,
}

/// What a step has led to.
#[derive(Debug)]
pub(super) enum Next {
    Go(Step),
    /// Something has to happen first.
    Park,
    /// The response is complete.
    Done,
    Failed(ExchangeError),
}

/// What a fetch may use while it is driven.
#[derive(Debug)]
pub(crate) struct FetchCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) core: &'a mut Core,
    pub(crate) budget: Budget,
}

impl Order {
    /// Returns true if the request's content has to be received whole before it is sent: the origin has
    /// no chunks (RFC 9112 §6.1).
    pub(super) fn needs_gathering(&self) -> bool {
        self.old_origin
            && self.upload.is_some()
            && self.gathered.is_none()
            && self.request.framing() == Framing::Chunked
    }
}

impl Fetch {
    /// Begins a fetch; its reply is there at once, for whoever wants to read it.
    pub(crate) fn begin(
        mut order: Order,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
        fetches: &mut Arena<Self>,
    ) -> Id<Reply> {
        core.counters.fetches += 1;
        let now = reactor.now().mono;
        let method = order.request.method();
        order.old_origin = core.old_origins.contains(&order.route.origin, now);
        let step = if order.needs_gathering() { Step::Gather } else { Step::Acquire };
        let may_store = core.cache.is_on() && matches!(method, Method::Get | Method::Post);
        let retain = if may_store { Retain::All } else { Retain::Behind };
        let window = core.settings.limits.window.0;
        let mut reply = None;
        let id = fetches.insert_with(|id| {
            let new = core.replies.insert(Reply::new(id.token(), retain, window));
            reply = Some(new);
            let ticket = core.cache.begin(&order.key, &mut order.presented, new, now);
            if order.bound_to.is_some() {
                core.cache.keep_apart(ticket);
            }
            if order.background {
                core.cache.refresh(ticket);
            }
            let upload = order.upload.and_then(|upload| core.uploads.get_mut(upload));
            Self {
                id,
                ticket,
                reply: new,
                step,
                dial: None,
                connection: None,
                output: Outgoing::new(),
                reader: upload.and_then(|body| body.attach(id.token())),
                request_ended: false,
                sending_failed: false,
                codec: ClientCodec::new(order.request.method()),
                input: Input::new(),
                interims: 0,
                interim_bytes: 0,
                sent_at: now,
                tried_again: false,
                encouraged: false,
                deadlines: FetchDeadlines::default(),
                held: 0,
                order,
            }
        });
        reactor.wake(id.token());
        reply.expect("made with the fetch")
    }

    /// Goes from step to step until something has to happen first; false once it is over.
    pub(crate) fn drive(&mut self, cx: &mut FetchCx<'_>) -> bool {
        if !self.is_wanted(cx) {
            self.fail(&ExchangeError::ClientGone, cx);
            return false;
        }
        loop {
            let next = match self.step {
                Step::Gather => super::gather(self, cx),
                Step::Acquire => super::acquire(self, cx),
                Step::Send => super::send(self, cx),
                Step::Head => super::head(self, cx),
                Step::Content => super::content(self, cx),
            };
            let next = match next {
                Next::Park if self.is_late(cx) => Next::Failed(ExchangeError::OriginTimeout),
                next => next,
            };
            match next {
                Next::Go(step) => self.step = step,
                Next::Park => break,
                Next::Done => {
                    super::end(self, cx);
                    return false;
                }
                Next::Failed(error) => {
                    let stray = self.has_read_stray(&error);
                    if stray {
                        super::suspect_origin(self, None, cx);
                    }
                    if !(stray || self.is_lost(&error)) || !self.may_send_again(cx) {
                        self.fail(&error, cx);
                        return false;
                    }
                    self.try_again(cx);
                }
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        if cx.budget.is_spent() {
            cx.reactor.wake(self.token());
        }
        cx.reactor.set_deadline(self.token(), self.next_deadline());
        true
    }

    pub(super) const fn token(&self) -> Token {
        self.id.token()
    }

    /// One line about what it is at.
    pub(crate) fn describe(&self) -> String {
        format!("fetch {} in {:?}", self.order.route.uri, self.step)
    }

    /// When it is to be driven again at the latest.
    fn next_deadline(&self) -> Option<Instant> {
        let dial = self.dial.as_ref().map(Dial::next_deadline);
        self.deadlines.next().into_iter().chain(dial).min()
    }

    /// Whether it goes on for nobody.
    pub(crate) const fn is_unread(&self) -> bool {
        self.deadlines.unread.is_some()
    }

    /// Returns true if the origin was waited for too long. Asked when a step parks: what has come in
    /// time counts, however late the loop is.
    fn is_late(&self, cx: &FetchCx<'_>) -> bool {
        let now = cx.reactor.now().mono;
        is_past(self.deadlines.sending, now) || is_past(self.deadlines.answer, now)
    }

    /// Returns true if the whole request has left.
    pub(super) const fn has_sent_request(&self) -> bool {
        self.request_ended && self.output.is_empty()
    }

    /// More of the answer is waited for, if it is the origin's turn: while a client still brings
    /// content, and the origin takes it, an answer is not due.
    pub(super) fn await_answer(&mut self, cx: &FetchCx<'_>) {
        let is_due = self.sending_failed || self.has_sent_request();
        let until = cx.reactor.now().mono + cx.core.settings.limits.origin_timeout;
        self.deadlines.answer = is_due.then(|| self.deadlines.answer.unwrap_or(until));
    }

    /// Whether somebody reads, or what is left is little enough to be stored for those to come, and
    /// comes soon.
    fn is_wanted(&mut self, cx: &FetchCx<'_>) -> bool {
        let Some(reply) = cx.core.replies.get(self.reply) else { return false };
        let for_the_cache = self.order.background && reply.body.retain() == Retain::All;
        if for_the_cache || reply.body.has_readers() {
            self.deadlines.unread = None;
            return true;
        }
        let limits = &cx.core.settings.limits;
        let now = cx.reactor.now().mono;
        self.deadlines.unread.get_or_insert(now + limits.finish_timeout);
        let left = reply.body.length().map(|length| length - reply.body.end());
        !is_past(self.deadlines.unread, now)
            && reply.brought.is_some()
            && reply.body.retain() == Retain::All
            && left.is_some_and(|left| left <= limits.finish.0)
    }

    /// Returns true if the origin has closed the connection without a word.
    fn is_lost(&self, error: &ExchangeError) -> bool {
        matches!(error, ExchangeError::OriginGone) && self.input.is_empty()
    }

    /// Returns true if what came is no HTTP, on a connection that was used before: bytes behind an
    /// earlier response.
    fn has_read_stray(&self, error: &ExchangeError) -> bool {
        let at_start = self.step == Step::Head && self.interims == 0;
        at_start && self.is_reused() && matches!(error, ExchangeError::BadResponse(_))
    }

    fn is_reused(&self) -> bool {
        self.connection.is_some_and(|connection| connection.reused)
    }

    /// Returns true if the request has gone out on a connection that was used before, was not answered,
    /// and does no harm if it is sent twice (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Its content goes back
    /// to its beginning then.
    pub(super) fn may_send_again(&self, cx: &mut FetchCx<'_>) -> bool {
        self.is_reused()
            && matches!(self.step, Step::Send | Step::Head)
            && self.interims == 0
            && !self.has_brought(cx)
            && !self.tried_again
            && self.order.request.method().is_idempotent()
            && self.rewind_upload(cx)
    }

    fn rewind_upload(&self, cx: &mut FetchCx<'_>) -> bool {
        match (self.order.upload, self.reader) {
            (Some(upload), Some(reader)) => {
                cx.core.uploads.get_mut(upload).is_some_and(|body| body.rewind(reader))
            }
            (None, _) => true,
            (Some(_), None) => false,
        }
    }

    /// Begins again on a new connection.
    pub(super) fn try_again(&mut self, cx: &mut FetchCx<'_>) {
        self.drop_connection(cx);
        let unread = self.input.unread().len();
        self.input.consume(unread);
        self.tried_again = true;
        self.restart();
        self.step = Step::Acquire;
    }

    /// Forgets what was sent and received of it.
    pub(super) fn restart(&mut self) {
        self.request_ended = false;
        self.sending_failed = false;
        self.output = Outgoing::new();
        self.codec = ClientCodec::new(self.order.request.method());
        self.deadlines = FetchDeadlines::default();
    }

    pub(super) fn drop_connection(&mut self, cx: &mut FetchCx<'_>) {
        if let Some(connection) = self.connection.take() {
            cx.reactor.close(connection.io);
        }
        if let Some(mut dial) = self.dial.take() {
            dial.cancel(cx.reactor, cx.core);
        }
    }

    fn has_brought(&self, cx: &FetchCx<'_>) -> bool {
        cx.core.replies.get(self.reply).is_some_and(|reply| reply.brought.is_some())
    }

    /// Has its readers served a stale response instead, if there is one that survives `failure`.
    pub(super) fn falls_back(&mut self, failure: Failure, cx: &mut FetchCx<'_>) -> bool {
        let (now, unsaid) = (cx.reactor.now().mono, cx.core.settings.limits.stale_if_unreachable);
        let survives = |object: &Arc<Object>| object.freshness().survives(failure, unsaid, now);
        let Some(object) = self.order.fallback.take().filter(survives) else { return false };
        if let Some(reply) = cx.core.replies.get_mut(self.reply) {
            reply.bring(Brought::Stale { object, failure }, cx.reactor);
        }
        true
    }

    /// Ends it badly: every reader sees that. Nothing of it is stored unless only the readers failed.
    pub(crate) fn fail(&mut self, error: &ExchangeError, cx: &mut FetchCx<'_>) {
        match error {
            ExchangeError::ClientGone => super::store_part(self, cx),
            _ => cx.core.cache.abandon(self.ticket),
        }
        if error.is_of_answer() {
            self.order.fill.iter().for_each(Fill::fail);
        }
        let unreachable = error.is_of_origin() || matches!(error, ExchangeError::Overloaded);
        if unreachable && !self.has_brought(cx) {
            self.falls_back(Failure::Unreachable, cx);
        }
        if let Some(reply) = cx.core.replies.get_mut(self.reply) {
            reply.body.finish(State::Failed(error.clone()), cx.reactor);
            reply.body.let_go(); // who reads yet gets what came before
        }
        cx.core.count(self.reply);
        self.let_go(cx);
    }

    /// Lets go of what it holds.
    pub(super) fn let_go(&mut self, cx: &mut FetchCx<'_>) {
        self.drop_connection(cx);
        self.input.release(&mut cx.core.buffers);
        cx.core.memory.count(&mut self.held, 0);
        self.leave_upload(cx);
        cx.core.release_reply(self.reply, cx.reactor);
    }

    /// Returns the bytes of memory it holds in buffers.
    pub(crate) const fn holds(&self) -> usize {
        self.input.held() + self.output.held()
    }

    /// Reads no more of the request's content.
    pub(super) fn leave_upload(&mut self, cx: &mut FetchCx<'_>) {
        if let (Some(upload), Some(reader)) = (self.order.upload, self.reader.take()) {
            cx.core.leave_upload(upload, reader, cx.reactor);
        }
    }

    /// How the request's content is framed.
    pub(super) fn request_coding(&self) -> Coding {
        match self.order.request.framing() {
            Framing::Chunked if self.order.gathered.is_none() => Coding::Chunked,
            _ => Coding::Identity,
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
            uri: &self.order.route.uri,
            status,
            fields,
            is_coded: false,
            targets: cx.core.settings.targets(),
            rules: &cx.core.settings.freshness_rules,
            store_cookies: cx.core.settings.store_cookies,
            sent: self.sent_at,
            now: cx.reactor.now(),
        };
        judge(&mut self.order.presented, response)
    }

    pub(super) fn write_head(&mut self, core: &Core) {
        rewrite_response::request_head(self.output.bytes(), &self.order, &core.settings);
    }
}
