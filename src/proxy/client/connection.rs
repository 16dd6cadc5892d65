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
//! It meets the fetch only in passive objects: a [`Reply`] that the fetch brings, and a [`Body`] in which
//! the request's content goes up.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::auth::{Ticket, client_network};
use crate::cache::{CacheKey, Object, Presented};
use crate::http::{Method, Multipart, RequestHead, ServerCodec};
use crate::proxy::error::ExchangeError;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::Mail;
use crate::proxy::observe::event::Event;
use crate::proxy::observe::journal::Journal;
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing::route::Route;
use crate::proxy::shared::Core;
use crate::proxy::timers::{ClientDeadlines, is_past};
use crate::proxy::transfer::body::Body;
use crate::proxy::transfer::input::Input;
use crate::proxy::transfer::output::{Coding, Outgoing};
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::response::Reply;
use crate::proxy::tunnel::Tunnel;
use crate::reactor::{Active, Arena, Budget, Id, Io, Reactor, Ready, Token, Wake};

use super::respond::{self, Frame};
use super::status_fields::{AuthInfo, CacheStatus};

/// A connection to a client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) id: Id<Self>,
    pub(crate) io: Io,
    pub(super) address: SocketAddr,
    /// The listener that it came to.
    pub(super) listener: SocketAddr,
    pub(super) codec: ServerCodec,
    pub(crate) input: Input,
    pub(crate) output: Outgoing,
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

impl Active for Client {
    const KIND: u8 = 1;
}

/// Where a client connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A request head comes in, or none yet.
    Receive,
    /// Asks who is there.
    Auth,
    /// Decides where the request goes.
    Route,
    /// Asks for the addresses of the destination, as rules depend on them.
    Judge,
    /// Connects to the destination of a CONNECT.
    Connect,
    /// Asks the cache.
    Lookup,
    /// A response is on its way.
    Wait,
    /// Its head is written, in the form that this client understands.
    Deliver,
    /// Its content is sent.
    Transmit,
    /// The exchange is written down; the connection is kept or closed.
    Finish,
    /// What is left is sent; what still comes is read and dropped, so that the answer is not lost
    /// to a reset.
    Close,
}

/// What a step has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Go(Step),
    /// Something has to happen first.
    Park,
    /// The connection is over.
    Gone,
    /// The connection belongs to a tunnel now.
    HandedOver,
}

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) request: Rc<RequestHead>,
    pub(crate) journal: Journal,
    /// Total of the output when the exchange began.
    pub(super) sent_before: u64,
    pub(crate) route: Option<Rc<Route>>,
    pub(super) key: Option<CacheKey>,
    /// The request as the cache compares it, once the cache was asked.
    pub(super) presented: Option<Presented>,
    /// Whether the client asks for nothing after it.
    pub(super) is_last: bool,
    /// Whether the connection is kept after it, as far as is known.
    pub(super) persistent: bool,
    pub(super) upload: Upload,
    pub(crate) source: Source,
    pub(crate) cache_status: CacheStatus,
    /// The password of this request that is being verified.
    pub(super) password: Option<Ticket>,
    /// What is answered once that was held back for long enough.
    pub(super) held: Option<ExchangeError>,
    /// What the user is told whom these credentials are of.
    pub(crate) info: Option<AuthInfo>,
    /// The connection that a CONNECT asks for, coming about.
    pub(super) dial: Option<Dial>,
    /// How often it has waited for another's fetch in vain.
    pub(super) disappointed: u32,
    pub(super) coding: Coding,
    /// Whether the end of the content has been put into the output.
    pub(super) ended: bool,
    /// Whether only the end of the connection tells the client where the content ends.
    pub(super) until_close: bool,
}

/// The content of the request, on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// It has all come, or there is none.
    Done,
    /// It was not asked for: nobody has wanted it so far.
    Unread,
    /// It goes into this body.
    Into(Id<Body>),
}

/// Where the response comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    None,
    /// A stored object: the content from the first offset up to the second, then other parts.
    Stored {
        object: Arc<Object>,
        at: u64,
        end: u64,
        parts: Option<Box<Multipart>>,
    },
    /// A response on its way: all of it, or as many bytes from where the reader is as are left.
    Reply {
        id: Id<Reply>,
        reader: ReaderKey,
        role: Role,
        left: Option<u64>,
    },
}

/// Part that a client has in a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The fetch is for its request.
    Leader,
    /// The client has joined the fetch before the request was sent.
    Early,
    /// The client has joined the fetch when the origin may have chosen its response already.
    Late,
}

/// What a client may use while it is driven.
#[derive(Debug)]
pub(crate) struct ClientCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) core: &'a mut Core,
    pub(crate) fetches: &'a mut Arena<Fetch>,
    pub(crate) tunnels: &'a mut Arena<Tunnel>,
    pub(crate) budget: Budget,
}

impl ClientCx<'_> {
    pub(crate) fn now(&self) -> Instant {
        self.reactor.now().mono
    }
}

impl Client {
    /// A connection from an address to a listener that was accepted `now`, and has until `idle_until` to ask for something.
    pub(crate) fn new(
        id: Id<Self>,
        io: Io,
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
            input: Input::new(),
            output: Outgoing::new(),
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

    /// Goes from step to step until something has to happen first. A deadline counts once nothing
    /// that has come in time can be done any more, so that a loop that is late blames no peer.
    pub(crate) fn drive(&mut self, cx: &mut ClientCx<'_>) -> Next {
        loop {
            let next = match self.step {
                Step::Receive => super::receive(self, cx),
                Step::Auth => super::auth(self, cx),
                Step::Route => super::route(self, cx),
                Step::Judge => super::judge(self, cx),
                Step::Connect => super::connect(self, cx),
                Step::Lookup => super::lookup(self, cx),
                Step::Wait => super::wait(self, cx),
                Step::Deliver => super::deliver(self, cx),
                Step::Transmit => super::transmit(self, cx),
                Step::Finish => super::finish(self, cx),
                Step::Close => super::close(self, cx),
            };
            match next {
                Next::Go(step) => self.step = step,
                Next::Park => match self.time_is_up(cx) {
                    Next::Go(step) => self.step = step,
                    Next::Park => break,
                    over => return over,
                },
                Next::Gone | Next::HandedOver => return next,
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        if cx.budget.is_spent() {
            cx.reactor.wake(self.token());
        }
        cx.reactor.set_deadline(self.token(), self.next_deadline());
        Next::Park
    }

    pub(super) const fn token(&self) -> Token {
        self.id.token()
    }

    /// When it is to be driven again at the latest.
    fn next_deadline(&self) -> Option<Instant> {
        let dial = self.exchange.as_ref().and_then(|exchange| exchange.dial.as_ref());
        self.deadlines.next().into_iter().chain(dial.map(Dial::next_deadline)).min()
    }

    /// Gives up what has been waited for too long, one thing at a time. `Park` if there is nothing.
    fn time_is_up(&mut self, cx: &mut ClientCx<'_>) -> Next {
        let now = cx.now();
        let deadlines = &mut self.deadlines;
        if is_past(deadlines.linger, now) {
            return Next::Gone;
        }
        if is_past(deadlines.send, now) {
            if let Some(exchange) = &mut self.exchange {
                exchange.journal.reason = Some("send-timeout".into());
            }
            return Next::Gone;
        }
        if is_past(deadlines.request, now) {
            deadlines.request = None;
            return match self.head_began {
                None => Next::Gone, // idle for too long
                Some(_) => Next::Go(super::refuse(self, &ExchangeError::HeadTimeout, cx)),
            };
        }
        if is_past(deadlines.upload, now) {
            return Next::Go(super::give_up_upload(self, cx));
        }
        if is_past(deadlines.auth, now) {
            return Next::Go(super::wait_at_door_no_longer(self, cx));
        }
        if is_past(deadlines.joined, now) {
            return Next::Go(super::wait_no_longer(self, cx));
        }
        Next::Park
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
    pub(crate) fn is_quiet(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) -> bool {
        if !reactor.ready(self.io).contains(Ready::READABLE) {
            return true;
        }
        let quiet = self.input.receive(reactor, self.io, &mut core.buffers).is_pending();
        self.input.release(&mut core.buffers);
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
        let url = self.exchange.as_ref().map_or("", |exchange| exchange.journal.url());
        format!("client {} in {:?} {url}", self.address, self.step)
    }

    /// Answers with an error if nothing was answered yet, and otherwise ends the connection so that
    /// the client sees that the response is not whole. Returns the step to go on with.
    pub(super) fn fail(&mut self, error: &ExchangeError, cx: &mut ClientCx<'_>) -> Step {
        self.leave(cx, error);
        let settings = Arc::clone(&cx.core.settings);
        let Some(exchange) = &mut self.exchange else { return Step::Close };
        let denied = error.is_denial();
        exchange.journal.note(Event::Failed(error.clone()));
        exchange.cache_status.stored = false;
        exchange.cache_status.detail = Some(if denied { "denied" } else { "error" });
        exchange.persistent &= exchange.upload == Upload::Done && !cx.core.draining;
        let frame = Frame {
            name: &settings.name,
            now: cx.reactor.now(),
            head_only: exchange.request.method() == Method::Head,
            close: !exchange.persistent,
            cache_status: &exchange.cache_status,
            info: exchange.info.as_ref(),
            explain: cx.core.explain.as_deref(),
        };
        let (status, sent) = respond::error(self.output.bytes(), error, frame);
        exchange.journal.status = Some(status);
        exchange.journal.sent = sent;
        exchange.journal.tell_type(&settings, respond::TEXT);
        Step::Finish
    }

    /// Lets go of whatever the exchange reads from or writes to: what `error` says becomes of an
    /// upload that is not whole.
    pub(super) fn leave(&mut self, cx: &mut ClientCx<'_>, error: &ExchangeError) {
        self.leave_upload(cx, error);
        self.leave_door(cx);
        self.deadlines.joined = None;
        let Some(exchange) = &mut self.exchange else { return };
        if let Source::Reply { id, reader, .. } = exchange.source {
            cx.core.leave_reply(id, reader, cx.reactor);
        }
        exchange.source = Source::None;
        if let Some(mut dial) = exchange.dial.take() {
            dial.cancel(cx.reactor, cx.core);
        }
    }

    /// Waits neither for a password any more, nor to be answered.
    fn leave_door(&mut self, cx: &mut ClientCx<'_>) {
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
        if let (Some(ticket), Some(door)) = (password, &mut cx.core.door) {
            door.leave(&ticket, token);
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
            cx.core.end_upload(id, error, cx.reactor);
            exchange.upload = Upload::Unread;
        }
    }

    /// Closes a connection on which nothing is asked.
    pub(crate) fn close_idle(mut self, reactor: &mut Reactor<Mail>, core: &mut Core) {
        self.hand_over(reactor, core);
        core.admission.leave(self.network());
        reactor.close(self.io);
    }

    /// Ends it before its time, for this reason.
    pub(crate) fn give_up(mut self, reason: &'static str, cx: &mut ClientCx<'_>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.journal.reason = Some(reason.into());
        }
        self.end_for(reason.into(), cx);
    }

    /// The client's address, or the network that stands for it.
    pub(crate) fn network(&self) -> IpAddr {
        client_network(self.address.ip())
    }

    /// Returns the bytes of memory it holds: buffers, its request, and content on its way up.
    pub(crate) fn holds(&self, core: &Core) -> usize {
        let exchange = self.exchange.as_ref().map_or(0, |exchange| {
            let upload = match exchange.upload {
                Upload::Into(id) => core.uploads.get(id).map_or(0, Body::held),
                Upload::Done | Upload::Unread => 0,
            };
            exchange.request.wire_length() + usize::try_from(upload).unwrap_or(usize::MAX)
        });
        self.input.held() + self.output.held() + exchange
    }

    /// Returns the bytes that are held of its response on the way.
    pub(crate) fn passing(&self, core: &Core) -> usize {
        match self.exchange.as_ref().map(|exchange| &exchange.source) {
            Some(Source::Reply { id, .. }) => {
                core.replies.get(*id).map_or(0, |reply| reply.passing)
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
    pub(crate) fn hand_over(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) {
        if self.binds {
            core.pool.release(self.token(), reactor);
        }
        core.memory.count(&mut self.held, 0);
    }

    /// Ends a connection that its client has left.
    pub(crate) fn end(self, cx: &mut ClientCx<'_>) {
        self.end_for(ExchangeError::ClientGone.reason(), cx);
    }

    /// The connection is over: lets go of everything, and writes down an exchange that was not
    /// finished, or a head that was not complete, with this reason unless there is one already.
    fn end_for(mut self, reason: String, cx: &mut ClientCx<'_>) {
        self.leave(cx, &ExchangeError::ClientGone);
        let reset = match self.exchange.take() {
            Some(mut exchange) => {
                exchange.journal.reason.get_or_insert(reason);
                let sent = self.output.left().saturating_sub(exchange.sent_before);
                exchange.journal.sent_in_all = sent;
                cx.core.record(&exchange.journal, cx.reactor.now());
                exchange.until_close
            }
            None => {
                if self.head_began.is_some() {
                    super::record_unanswered(&self, reason, cx);
                }
                false
            }
        };
        self.input.release(&mut cx.core.buffers);
        self.hand_over(cx.reactor, cx.core);
        cx.core.admission.leave(self.network());
        if reset {
            cx.reactor.reset(self.io);
        } else {
            cx.reactor.close(self.io);
        }
    }
}
