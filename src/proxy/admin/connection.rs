//! A connection of an operator: one request, one answer, then it is closed.

use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::acme::RevocationReason;
use crate::auth::client_network;
use crate::cache::{Purge, PurgeScope};
use crate::http::{HeadWriter, Method, ServerCodec, ServerEvent};
use crate::proxy::explain::query::ExplainQuery;
use crate::proxy::explain::{Explainer, Explanation};
use crate::proxy::mail::Mail;
use crate::proxy::observe::journal::Place;
use crate::proxy::observe::journal_filter::JournalFilter;
use crate::proxy::observe::stats::Stats;
use crate::proxy::observe::stats::gauges::Gauges;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::recv_buffer::RecvBuffer;
use crate::proxy::transfer::send_buffer::{ContentSource, SendBuffer};
use crate::reactor::{Driven, Id, Reactor, Ready, SocketId, Token, Wake};
use crate::time::Now;

use super::ban_command::BanCommand;
use super::control::{ControlRequest, MAX_LINE};
use super::listener::{AdminListener, Protocol};
use super::origin_command::OriginCommand;
use super::reload::{ReloadRequest, Reloads};
use super::site::{self, Reply};
use super::succession::{Succession, UpgradeRequest};

/// Time for a request and its answer together. A purge, an explanation or a reload in between does
/// not use it up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for which an operator may follow the journal.
const FOLLOWING: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of lines that are sent at a time.
const PIECE: usize = 64 * 1024;
/// Time for an upgrade: longer than a worker may take to start, and shorter than a command waits.
const UPGRADE: Duration = Duration::from_secs(48);
/// Answer to an operator who wants an upgrade of a process that has no supervisor.
const NO_SUPERVISOR: &str = "this proxy has no supervisor: start it with 'tidegate run --supervise', or \
                             end it and start another one";

/// A connection of an operator.
#[derive(Debug)]
pub(crate) struct AdminConnection {
    id: Id<Self>,
    listener: Id<AdminListener>,
    /// The network of the peer; the same for all peers of a local socket.
    network: IpAddr,
    /// Position in the order of acceptance: the number of connections accepted before.
    number: u64,
    io: SocketId,
    protocol: Protocol,
    until: Instant,
    input: RecvBuffer,
    output: SendBuffer,
    state: State,
}

impl Driven for AdminConnection {
    const KIND: u8 = 7;
}

/// State of the proxy that a connection uses while it is driven.
#[derive(Debug)]
pub(super) struct AdminCx<'a> {
    pub(super) gauges: &'a Gauges,
    pub(super) reloads: &'a mut Reloads,
    pub(super) succession: &'a mut Succession,
    /// True if so many operators are served that a further one only gets metrics.
    pub(super) is_busy: bool,
}

#[derive(Debug)]
enum State {
    /// Receiving the request.
    Asking(ServerCodec),
    /// Purging, a slice a turn.
    Purging(Purge),
    /// Explaining a request, which may wait for addresses of its host. True for JSON.
    Explaining(Box<Explainer>, bool),
    /// Reading the journal, from a place on.
    Reading(Box<JournalReader>),
    /// Waiting until this time for the embedder, or for the end of the other admin sockets.
    Waiting(Instant),
    /// Sending the answer.
    Answering,
    /// Answered: further input is dropped until the peer closes (lingering close).
    Leaving,
}

/// Result of one step of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Go,
    Park,
    Gone,
}

impl AdminConnection {
    /// Wraps a socket that `listener` has accepted from an address.
    pub(super) fn new(
        id: Id<Self>,
        listener: Id<AdminListener>,
        protocol: Protocol,
        (io, address): (SocketId, SocketAddr),
        number: u64,
        reactor: &mut Reactor<Mail>,
    ) -> Self {
        let until = reactor.now().mono + PATIENCE;
        reactor.set_owner(io, id.token());
        reactor.set_deadline(id.token(), Some(until));
        Self {
            id,
            listener,
            network: client_network(address.ip()),
            number,
            io,
            protocol,
            until,
            input: RecvBuffer::new(),
            output: SendBuffer::new(),
            state: State::Asking(ServerCodec::new()),
        }
    }

    pub(super) const fn listener(&self) -> Id<AdminListener> {
        self.listener
    }

    pub(super) const fn network(&self) -> IpAddr {
        self.network
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Returns true if an answer is not sent yet as a whole.
    pub(super) const fn is_answering(&self) -> bool {
        matches!(self.state, State::Answering)
    }

    /// Returns true if a purge, an explanation or a reload is in progress for the operator.
    pub(super) const fn is_served(&self) -> bool {
        matches!(self.state, State::Purging(_) | State::Explaining(..) | State::Waiting(_))
    }

    pub(super) fn close(mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if let State::Explaining(explaining, _) = &mut self.state {
            explaining.cancel(reactor, shared);
        }
        shared.journal.leave(self.token());
        reactor.close(self.io);
    }

    const fn token(&self) -> Token {
        self.id.token()
    }

    /// Drives the connection as far as possible; returns false once it is finished or out of time.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        cx: &mut AdminCx<'_>,
    ) -> bool {
        loop {
            let next = match self.state {
                State::Asking(_) => self.ask(reactor, shared, cx),
                State::Purging(_) => self.purge(reactor, shared),
                State::Explaining(..) => self.explain(reactor, shared),
                State::Reading(_) => self.read_journal(reactor, shared),
                State::Waiting(until) => self.await_embedder(until, reactor),
                State::Answering => self.transmit(reactor),
                State::Leaving => self.leave(reactor, shared),
            };
            if next != Progress::Go {
                self.input.release(&mut shared.buffers);
                return next == Progress::Park && reactor.now().mono < self.until;
            }
        }
    }

    fn ask(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        cx: &mut AdminCx<'_>,
    ) -> Progress {
        match self.input.receive(reactor, self.io, &mut shared.buffers) {
            Poll::Pending => return Progress::Park,
            Poll::Ready(Ok(n)) if n > 0 => {}
            Poll::Ready(_) => return Progress::Gone,
        }
        let gauges = cx.gauges;
        let now = reactor.now();
        let metrics = |shared: &Shared| {
            let process = shared.process_figures();
            Stats::of(&shared.counters, gauges, reactor.load(), process, now)
        };
        match self.protocol {
            Protocol::Control => self.take_line(shared, cx, now, metrics),
            Protocol::Http => self.take_request(shared, metrics),
        }
        Progress::Go
    }

    fn take_line(
        &mut self,
        shared: &mut Shared,
        cx: &mut AdminCx<'_>,
        now: Now,
        metrics: impl Fn(&Shared) -> Stats,
    ) {
        let unread = self.input.unread();
        let Some(end) = unread.iter().position(|&byte| byte == b'\n') else {
            if unread.len() > MAX_LINE {
                self.answer(&format!("error the request line is longer than {MAX_LINE} bytes\n"));
            }
            return;
        };
        let reverse = !shared.settings.forwards();
        let line = std::str::from_utf8(&unread[..end]).unwrap_or_default();
        let asked = line.parse().and_then(|request| match request {
            ControlRequest::Stats { json } => Ok(Asked::Stats { json }),
            ControlRequest::Tops => Ok(Asked::Tops),
            ControlRequest::Log { filter, json, follow } => {
                let reader = JournalReader { place: 0, filter, json, follows: follow };
                Ok(Asked::Log(Box::new(reader)))
            }
            ControlRequest::Purge { target, soft } => {
                target.meant(reverse).map(|what| Asked::Purge { what, soft })
            }
            ControlRequest::Explain { question, json } => Ok(Asked::Explain { question, json }),
            ControlRequest::Bans(command) => Ok(Asked::Bans(command)),
            ControlRequest::Origin(command) => Ok(Asked::Origin(command)),
            ControlRequest::Renew { name, revoke } => Ok(Asked::Renew { name, revoke }),
            ControlRequest::Reload { plan } if cx.reloads.offered => Ok(Asked::Reload { plan }),
            ControlRequest::Reload { .. } => {
                Err("reloads are not supported by this program".to_owned())
            }
            ControlRequest::Upgrade if cx.succession.offered => Ok(Asked::Upgrade),
            ControlRequest::Upgrade => Err(NO_SUPERVISOR.to_owned()),
            ControlRequest::Yield if shared.draining => Ok(Asked::Yield),
            ControlRequest::Yield => Err("the proxy is running".to_owned()),
        });
        let asked = match asked {
            Ok(asked) if cx.is_busy && !matches!(asked, Asked::Stats { .. } | Asked::Tops) => {
                Err("too many operators are being served; try again later".to_owned())
            }
            asked => asked,
        };
        self.input.consume(end + 1);
        match asked {
            Ok(Asked::Stats { json: true }) => {
                self.answer(&format!("ok\n{}", metrics(shared).json()));
            }
            Ok(Asked::Stats { json: false }) => self.answer(&format!("ok\n{}", metrics(shared))),
            Ok(Asked::Log(mut reader)) => {
                reader.place = shared.journal.open(now.mono);
                self.output.bytes().extend_from_slice(b"ok\n");
                self.state = State::Reading(reader);
            }
            Ok(Asked::Tops) => {
                let report = shared.tops.report(now.mono).json();
                self.answer(&format!("ok\n{report}"));
            }
            Ok(Asked::Purge { what, soft }) => {
                self.state = State::Purging(shared.cache.purge(&what, soft, now.mono));
            }
            Ok(Asked::Explain { question, json }) => {
                let explaining = Explainer::new(question, now, shared);
                self.state = State::Explaining(Box::new(explaining), json);
                self.until = now.mono + PATIENCE + shared.settings.limits.connect_timeout;
            }
            Ok(Asked::Origin(command)) => {
                self.answer(&match command.execute(shared, now.mono) {
                    Ok(text) => format!("ok\n{text}"),
                    Err(reason) => format!("error {reason}\n"),
                });
            }
            Ok(Asked::Bans(command)) => {
                self.answer(&match command.execute(shared, now) {
                    Ok(text) => format!("ok\n{text}"),
                    Err(reason) => format!("error {reason}\n"),
                });
            }
            Ok(Asked::Renew { name, revoke }) => {
                self.answer(&match shared.identity.replace(&name, revoke) {
                    Ok(()) => format!("ok\nthe certificate for {name} is being replaced\n"),
                    Err(reason) => format!("error {reason}\n"),
                });
            }
            Ok(Asked::Reload { plan }) => {
                cx.reloads.asked.push_back(ReloadRequest { operator: self.token(), plan });
                self.await_answer(now, PATIENCE);
            }
            Ok(Asked::Upgrade) => {
                cx.succession.asked.push_back(UpgradeRequest { operator: self.token() });
                self.await_answer(now, UPGRADE);
            }
            Ok(Asked::Yield) => {
                cx.succession.successor = Some(self.token());
                self.await_answer(now, PATIENCE);
            }
            Err(reason) => self.answer(&format!("error {reason}\n")),
        }
    }

    fn take_request(&mut self, shared: &Shared, metrics: impl Fn(&Shared) -> Stats) {
        let State::Asking(codec) = &mut self.state else { return };
        match codec.decode(self.input.unread(), &shared.heads) {
            Ok((used, Some(ServerEvent::Request(head)))) => {
                self.input.consume(used);
                let reply = site::respond(&head, shared.draining, || metrics(shared));
                self.respond(&reply, head.method() == Method::Head);
            }
            Ok((used, _)) => self.input.consume(used),
            Err(refusal) => self.respond(&Reply::of_status(refusal.status()), false),
        }
    }

    /// Runs a slice of a purge. Other connections are driven between slices.
    fn purge(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> Progress {
        self.until = reactor.now().mono + PATIENCE; // the delay is not the operator's
        reactor.set_deadline(self.token(), Some(self.until));
        let State::Purging(purge) = &mut self.state else { return Progress::Go };
        if !shared.cache.run_slice(purge) {
            reactor.wake(self.token());
            return Progress::Park;
        }
        let count = purge.count();
        shared.counters.purged += count as u64;
        self.answer(&format!("ok\npurged {count}\n"));
        Progress::Go
    }

    fn explain(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> Progress {
        let token = self.token();
        let State::Explaining(explaining, json) = &mut self.state else { return Progress::Go };
        match explaining.drive(token, reactor, shared) {
            Poll::Ready(explanation) => {
                let Explanation { allowed, text, json: object } = explanation;
                let verdict = if allowed { "allowed" } else { "denied" };
                let answer = if *json { object } else { text };
                self.answer(&format!("ok\n{verdict}\n{answer}"));
                Progress::Go
            }
            Poll::Pending => {
                let deadline =
                    explaining.next_deadline().map_or(self.until, |at| at.min(self.until));
                reactor.set_deadline(token, Some(deadline));
                Progress::Park
            }
        }
    }

    /// Sends lines of the journal. An operator who follows it stays until it closes its connection.
    fn read_journal(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> Progress {
        let token = self.token();
        loop {
            while !self.output.is_empty() {
                match self.output.send(reactor, self.io, ContentSource::Nothing) {
                    Poll::Pending => return Progress::Park,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => return Progress::Gone,
                }
            }
            let State::Reading(reader) = &mut self.state else { return Progress::Go };
            let mut lines = String::new();
            let wanted = (&reader.filter, reader.json);
            reader.place = shared.journal.read(reader.place, wanted, PIECE, &mut lines);
            if !lines.is_empty() {
                self.output.bytes().extend_from_slice(lines.as_bytes());
            } else if reader.follows {
                break;
            } else {
                self.state = State::Answering;
                return Progress::Go;
            }
        }
        shared.journal.follow(token);
        self.until = reactor.now().mono + FOLLOWING;
        reactor.set_deadline(token, Some(self.until));
        if reactor.ready(self.io).contains(Ready::ERROR) { Progress::Gone } else { Progress::Park }
    }

    fn await_answer(&mut self, now: Now, time: Duration) {
        self.state = State::Waiting(now.mono + time);
        self.until = now.mono + time + PATIENCE;
    }

    fn await_embedder(&mut self, until: Instant, reactor: &mut Reactor<Mail>) -> Progress {
        if reactor.now().mono < until {
            reactor.set_deadline(self.token(), Some(until));
            return Progress::Park;
        }
        self.answer_request(
            Err("the request takes too long; it may still be carried out".to_owned()),
            reactor,
        );
        Progress::Go
    }

    /// Sends the result of a request that the embedder has carried out, unless the operator was told of a
    /// timeout before.
    pub(super) fn answer_request(
        &mut self,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        if !matches!(self.state, State::Waiting(_)) {
            return;
        }
        self.until = reactor.now().mono + PATIENCE;
        reactor.set_deadline(self.token(), Some(self.until));
        reactor.wake(self.token());
        match answer {
            Ok(text) => self.answer(&format!("ok\n{text}\n")),
            Err(reason) => self.answer(&format!("error {reason}\n")),
        }
    }

    fn transmit(&mut self, reactor: &mut Reactor<Mail>) -> Progress {
        while !self.output.is_empty() {
            match self.output.send(reactor, self.io, ContentSource::Nothing) {
                Poll::Pending => return Progress::Park,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Progress::Gone,
            }
        }
        self.state = State::Leaving;
        if reactor.shutdown(self.io).is_err() { Progress::Gone } else { Progress::Go }
    }

    /// Drops further input: closing a socket with unread bytes resets it, which could destroy the
    /// answer.
    fn leave(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> Progress {
        self.input.consume(self.input.unread().len());
        match self.input.receive(reactor, self.io, &mut shared.buffers) {
            Poll::Pending => Progress::Park,
            Poll::Ready(Ok(n)) if n > 0 => {
                reactor.wake(self.token());
                Progress::Park
            }
            Poll::Ready(_) => Progress::Gone,
        }
    }

    fn answer(&mut self, text: &str) {
        self.output.bytes().extend_from_slice(text.as_bytes());
        self.state = State::Answering;
    }

    fn respond(&mut self, reply: &Reply, head_only: bool) {
        let reason = reply.status.reason().as_bytes();
        let mut head = HeadWriter::response(self.output.bytes(), reply.status, reason);
        head.field("Content-Type", reply.media_type.as_bytes());
        head.number("Content-Length", reply.content.len() as u64);
        head.field("Cache-Control", b"no-store");
        head.field("X-Content-Type-Options", b"nosniff");
        head.field("Connection", b"close").end();
        self.answer(if head_only { "" } else { &reply.content });
    }
}

/// An operator who reads the journal.
#[derive(Debug)]
struct JournalReader {
    place: Place,
    filter: JournalFilter,
    json: bool,
    /// True if the operator waits for further exchanges.
    follows: bool,
}

/// A request that was read and may be served.
enum Asked {
    Stats { json: bool },
    Tops,
    Log(Box<JournalReader>),
    Purge { what: PurgeScope, soft: bool },
    Explain { question: ExplainQuery, json: bool },
    Reload { plan: bool },
    Upgrade,
    Yield,
    Bans(BanCommand),
    Origin(OriginCommand),
    Renew { name: String, revoke: Option<RevocationReason> },
}
