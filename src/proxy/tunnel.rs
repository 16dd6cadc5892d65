//! Tunnels: two connections joined. Bytes are relayed unchanged, and each direction ends by itself.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::task::Poll;
use std::time::Instant;

use crate::access::Host;
use crate::proxy::auth::path_of;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::reason::Reason;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::origin::groups::Place;
use crate::proxy::routing;
use crate::proxy::transfer::buffer_pool::BufferPool;
use crate::reactor::{Budget, Driven, Id, Reactor, Ready, SocketId, Token, Wake};
use crate::throttle::Grant;

use super::error::{ExchangeError, Timeout};
use super::mail::Mail;
use super::shared::Shared;
use super::throttling::client_tables::LimitedRoute;
use super::throttling::counted::Counted;

/// Most bytes that a client whose bytes are limited gets in one drive.
const TURN: u64 = 128 * 1024;

/// A tunnel between a client and an origin.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) id: Id<Self>,
    /// The address of the client's peer, or the network that stands for it.
    pub(super) network: IpAddr,
    pub(super) client: SocketId,
    pub(super) origin: SocketId,
    pub(super) up: Pipe,
    pub(super) down: Pipe,
    /// Place that the tunnel keeps at a member of a group of origins.
    pub(super) place: Option<Place>,
    /// Destination about which rules decide, if they do.
    pub(super) checked: Option<CheckedDestination>,
    /// Number of the settings that have allowed the tunnel last.
    pub(super) checked_at_reload: Option<u64>,
    pub(super) record: ExchangeRecord,
    /// Time at which bytes were relayed last.
    pub(super) moved_at: Instant,
    /// Time at which the tunnel is closed if it relays no bytes until then.
    pub(super) deadline: Instant,
    /// True once either connection was reset, or the tunnel has to be.
    pub(super) broken: bool,
    /// Bytes accounted as memory of connections.
    pub(super) held: usize,
    /// Route of the request, if it has limits of clients.
    pub(super) limited_route: Option<LimitedRoute>,
    /// Time from which the client's limits grant bytes, if they have refused some.
    pub(super) turn: Option<Instant>,
}

impl Driven for Tunnel {
    const KIND: u8 = 3;
}

/// A destination about which rules decide. The rules that have allowed it may be replaced long before
/// the tunnel ends.
#[derive(Debug)]
pub(super) struct CheckedDestination {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// A direction of a tunnel.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Bytes received; the buffer goes back to the pool once all were sent.
    bytes: Vec<u8>,
    /// Number of those bytes that were sent.
    sent: usize,
    /// Bytes sent since the tunnel was opened.
    total: u64,
    /// True once the source has ended.
    ended: bool,
    /// True once the sink was shut down for writing.
    closed: bool,
}

impl Tunnel {
    /// Relays bytes in both directions. Returns false if the tunnel is over.
    pub(super) fn drive(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        let now = reactor.now().mono;
        if let Err(error) = self.check_allowed(shared) {
            self.record.add(TraceEvent::Failed(error));
            self.broken = true;
            return false;
        }
        // Each direction has its own budget, so that a busy one does not starve the other.
        let (mut upwards, mut downwards) = (Budget::default(), Budget::default());
        let grant = self.take_bytes(shared, now);
        let (mut all, mut granted) = (u64::MAX, grant.bytes);
        let buffers = &mut shared.tunnel_buffers;
        let up = self.up.pump(self.client, self.origin, &mut upwards, &mut all, buffers, reactor);
        let down = self.down.pump(
            self.origin,
            self.client,
            &mut downwards,
            &mut granted,
            buffers,
            reactor,
        );
        self.give_back(granted, shared);
        shared.counters.relay(&upwards, &downwards);
        let sent = self.up.total + self.down.total;
        self.record.sent_in_all = self.down.total;
        self.record.received_in_all = self.up.total;
        let moved = sent > std::mem::replace(&mut self.record.sent, sent);
        // Reading does not notice a reset while the other side takes no bytes.
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
        // All granted bytes were sent, and more wait.
        let is_held = granted == 0 && self.down.holds_bytes();
        if upwards.is_spent() || downwards.is_spent() || (is_held && grant.wait.is_none()) {
            reactor.wake(self.token());
        }
        let more = grant.wait.filter(|_| is_held).map(|wait| now + wait);
        reactor.set_deadline(self.token(), more.into_iter().chain([self.deadline]).min());
        true
    }

    /// Takes the bytes that may be sent to the client now, within its limits.
    fn take_bytes(&mut self, shared: &mut Shared, now: Instant) -> Grant {
        let Shared { throttling, settings, .. } = shared;
        if !throttling.tables.has_bandwidth() {
            return Grant { bytes: u64::MAX, wait: None };
        }
        let limits = (self.record.listener.service(), self.limited_route);
        let client = Counted::of(&self.record, settings);
        throttling.tables.take_bytes(limits, &client, TURN, &mut self.turn, now)
    }

    /// Returns bytes that were taken and not sent.
    fn give_back(&self, bytes: u64, shared: &mut Shared) {
        let Shared { throttling, settings, .. } = shared;
        if throttling.tables.has_bandwidth() {
            let limits = (self.record.listener.service(), self.limited_route);
            throttling.tables.give_back(limits, &Counted::of(&self.record, settings), bytes);
        }
    }

    /// Checks that the tunnel is still allowed, after a reload or with other databases of places.
    ///
    /// # Errors
    /// The denial.
    fn check_allowed(&mut self, shared: &mut Shared) -> Result<(), ExchangeError> {
        if self.checked_at_reload.replace(shared.reloads) == Some(shared.reloads) {
            return Ok(());
        }
        shared.locate(&mut self.record);
        let settings = &shared.settings;
        let Some(request) = self.record.request.clone() else { return Ok(()) };
        self.record.auth_site = routing::auth_site(&request, &self.record, settings);
        let service = self.record.listener.service();
        if let Some(authentication) = shared.authentications.get(&self.record.auth_scope()) {
            authentication.check_user(self.record.user.as_deref(), path_of(&request))?;
        }
        let client = self.record.client.ip();
        if !settings.service(service).admits(client) {
            return Err(ExchangeError::ClientDenied(client));
        }
        let Some(checked) = &self.checked else { return Ok(()) };
        let context = self.record.request_context(&request);
        let (host, rules) = (&checked.host, &settings.destinations);
        let interfaces = shared.origins.interfaces.known()?;
        let checked =
            rules.check_request(&context, host, checked.port, interfaces).and_then(|decision| {
                let origin = self.record.origin.map(|origin| origin.ip());
                origin.map_or(Ok(None), |origin| {
                    rules.check_address(&decision, host, origin, interfaces)
                })
            });
        checked.map(drop).map_err(ExchangeError::Denied)
    }

    fn is_reset(&self, reactor: &Reactor<Mail>) -> bool {
        [self.client, self.origin].iter().any(|&io| reactor.ready(io).contains(Ready::ERROR))
    }

    const fn token(&self) -> Token {
        self.id.token()
    }

    /// Returns one line about the tunnel.
    pub(super) fn dump(&self) -> String {
        format!("tunnel {} to {}", self.record.client, self.record.url())
    }

    /// Aborts the tunnel for a `reason`.
    pub(super) fn abort(
        mut self,
        reason: Reason,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) {
        self.record.reason = Some(reason);
        self.broken = true;
        self.end(reactor, shared);
    }

    /// Ends a tunnel that has relayed no bytes for too long.
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

    /// Closes both connections and records the tunnel.
    pub(super) fn end(mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        for io in [self.client, self.origin] {
            // A reset shows the peer that the bytes are incomplete.
            if self.broken { reactor.reset(io) } else { reactor.close(io) }
        }
        shared.origins.groups.leave_place(self.place.as_ref(), reactor);
        shared.admission.leave(self.network);
        shared.memory.count(&mut self.held, 0);
        shared.record(&self.record, reactor.now());
    }

    /// Returns the bytes of memory that the tunnel holds: received and not sent yet.
    pub(super) fn holds(&self, reactor: &Reactor<Mail>) -> usize {
        let of_layers = reactor.held(self.client) + reactor.held(self.origin);
        self.up.bytes.capacity() + self.down.bytes.capacity() + of_layers
    }
}

impl Pipe {
    pub(super) const fn with(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0, total: 0, ended: false, closed: false }
    }

    const fn holds_bytes(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// Relays as many bytes as both connections, the budget and `granted` bytes allow.
    fn pump(
        &mut self,
        source: SocketId,
        sink: SocketId,
        budget: &mut Budget,
        granted: &mut u64,
        buffers: &mut BufferPool,
        reactor: &mut Reactor<Mail>,
    ) -> io::Result<()> {
        while !self.closed && !budget.is_spent() {
            if self.holds_bytes() {
                let most = usize::try_from(*granted).unwrap_or(usize::MAX);
                let end = self.sent.saturating_add(most).min(self.bytes.len());
                if end == self.sent {
                    return Ok(());
                }
                let slice = IoSlice::new(&self.bytes[self.sent..end]);
                let Poll::Ready(sent) = reactor.send(sink, &[slice])? else { return Ok(()) };
                self.sent += sent;
                *granted -= sent as u64;
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
                match reactor.recv(source, &mut self.bytes) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(0)) => self.ended = true,
                    Poll::Ready(Ok(n)) => budget.spend_in(n),
                    // Many peers end TLS without `close_notify`; what is inside has its own end.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        self.ended = true;
                    }
                    Poll::Ready(Err(error)) => return Err(error),
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
