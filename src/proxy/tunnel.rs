//! Two connections joined: bytes go both ways as they are, each way ending on its own.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::task::Poll;
use std::time::Instant;

use crate::auth::client_network;
use crate::proxy::auth::path_of;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::reason::Reason;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::buffer_pool::BufferPool;
use crate::reactor::{Budget, Driven, Id, Reactor, Ready, SocketId, Token, Wake};

use super::error::{ExchangeError, Timeout};
use super::mail::Mail;
use super::shared::Shared;

/// A tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) id: Id<Self>,
    pub(super) client: SocketId,
    pub(super) origin: SocketId,
    pub(super) up: Pipe,
    pub(super) down: Pipe,
    /// The route, without the rules by which it was judged: those may be replaced long before the
    /// tunnel ends.
    pub(super) route: Route,
    /// True if rules decide where it may lead.
    pub(super) is_judged: bool,
    /// The number of the settings by which it was judged last.
    pub(super) judged_by: Option<u64>,
    pub(super) record: ExchangeRecord,
    /// When something moved last.
    pub(super) moved_at: Instant,
    /// When it is closed if nothing moves until then.
    pub(super) deadline: Instant,
    /// Whether either side was reset.
    pub(super) broken: bool,
    /// Bytes counted as memory of connections.
    pub(super) held: usize,
}

impl Driven for Tunnel {
    const KIND: u8 = 3;
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    /// What was received; no memory is held while that is nothing.
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes sent since it was opened.
    total: u64,
    /// Whether the source has ended.
    ended: bool,
    /// Whether the sink was told so.
    closed: bool,
}

impl Tunnel {
    /// Moves bytes both ways; false if it is over.
    pub(super) fn drive(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        let now = reactor.now().mono;
        if let Err(error) = self.check_address(shared) {
            self.record.add(TraceEvent::Failed(error));
            self.broken = true;
            return false;
        }
        // Each way has its own budget: however much goes one way, the other goes on.
        let (mut upwards, mut downwards) = (Budget::default(), Budget::default());
        let buffers = &mut shared.tunnel_buffers;
        let up = self.up.pump(self.client, self.origin, &mut upwards, buffers, reactor);
        let down = self.down.pump(self.origin, self.client, &mut downwards, buffers, reactor);
        let sent = self.up.total + self.down.total;
        self.record.sent_in_all = self.down.total;
        let moved = sent > std::mem::replace(&mut self.record.sent, sent);
        // A reset goes unnoticed by reading while the other side takes nothing.
        if up.is_err() || down.is_err() || (!moved && self.is_reset(reactor)) {
            self.broken = true;
            return false;
        }
        if self.up.closed && self.down.closed {
            return false;
        }
        if moved {
            self.moved_at = now;
            self.deadline = now + shared.settings.limits.tunnel_timeout;
        } else if now >= self.deadline {
            self.record.reason = Some(Timeout::Tunnel.into());
            self.broken = self.up.holds_bytes() || self.down.holds_bytes();
            return false;
        }
        if upwards.is_spent() || downwards.is_spent() {
            reactor.wake(self.token());
        }
        reactor.set_deadline(self.token(), Some(self.deadline));
        true
    }

    /// Whether it is still allowed, by settings that may have come since it was opened.
    fn check_address(&mut self, shared: &Shared) -> Result<(), ExchangeError> {
        if self.judged_by.replace(shared.reloads) == Some(shared.reloads) {
            return Ok(());
        }
        let settings = &shared.settings;
        let Some(request) = &self.record.request else { return Ok(()) };
        if let Some(authentication) = &shared.authentication {
            authentication.check_user(self.record.user.as_deref(), path_of(request))?;
        }
        let client = self.record.client.ip();
        if !settings.admits(client) {
            return Err(ExchangeError::ClientDenied(client));
        }
        if !self.is_judged {
            return Ok(());
        }
        let asker = self.record.asker(request);
        let (host, rules) = (&self.route.host, &settings.destinations);
        let interfaces = shared.interfaces.known()?;
        let judged =
            rules.check_request(&asker, host, self.route.port, interfaces).and_then(|judgement| {
                let origin = self.record.origin.map(|origin| origin.ip());
                origin.map_or(Ok(None), |origin| rules.judge(&judgement, host, origin, interfaces))
            });
        judged.map(drop).map_err(ExchangeError::Denied)
    }

    fn is_reset(&self, reactor: &Reactor<Mail>) -> bool {
        [self.client, self.origin].iter().any(|&io| reactor.ready(io).contains(Ready::ERROR))
    }

    const fn token(&self) -> Token {
        self.id.token()
    }

    /// One line about it.
    pub(super) fn describe(&self) -> String {
        format!("tunnel {} to {}", self.record.client, self.record.url())
    }

    /// Ends it before its time, for this reason.
    pub(super) fn give_up(
        mut self,
        reason: Reason,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) {
        self.record.reason = Some(reason);
        self.broken = true;
        self.end(reactor, shared);
    }

    /// Ends it as one in which nothing has moved for too long.
    pub(super) fn end_idle(
        mut self,
        reason: Reason,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) {
        self.record.reason = Some(reason);
        self.broken = self.up.holds_bytes() || self.down.holds_bytes();
        self.end(reactor, shared);
    }

    /// Closes both connections and writes the tunnel down.
    pub(super) fn end(mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        for io in [self.client, self.origin] {
            // Half of something must not look like all of it.
            if self.broken { reactor.reset(io) } else { reactor.close(io) }
        }
        shared.admission.leave(self.network());
        shared.memory.count(&mut self.held, 0);
        shared.record(&self.record, reactor.now());
    }

    /// Returns the bytes of memory it holds: those that one side has sent and the other has not taken.
    pub(super) const fn holds(&self) -> usize {
        self.up.bytes.capacity() + self.down.bytes.capacity()
    }

    /// The client's address, or the network that stands for it.
    pub(super) fn network(&self) -> IpAddr {
        client_network(self.record.client.ip())
    }
}

impl Pipe {
    pub(super) const fn with(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0, total: 0, ended: false, closed: false }
    }

    const fn holds_bytes(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// Moves what can be moved.
    fn pump(
        &mut self,
        source: SocketId,
        sink: SocketId,
        budget: &mut Budget,
        buffers: &mut BufferPool,
        reactor: &mut Reactor<Mail>,
    ) -> io::Result<()> {
        while !self.closed && !budget.is_spent() {
            if self.holds_bytes() {
                let slice = IoSlice::new(&self.bytes[self.sent..]);
                let Poll::Ready(sent) = reactor.send(sink, &[slice])? else { return Ok(()) };
                self.sent += sent;
                self.total += sent as u64;
                budget.spend_out(sent);
            } else if self.ended {
                self.closed = true;
                reactor.shutdown(sink)?;
            } else {
                self.sent = 0;
                self.bytes.clear();
                if self.bytes.capacity() == 0 {
                    self.bytes = buffers.take();
                }
                match reactor.recv(source, &mut self.bytes)? {
                    Poll::Pending => break,
                    Poll::Ready(0) => self.ended = true,
                    Poll::Ready(n) => budget.spend_in(n),
                }
            }
        }
        if self.sent == self.bytes.len() {
            buffers.give_back(std::mem::take(&mut self.bytes));
            self.sent = 0;
        }
        Ok(())
    }
}
