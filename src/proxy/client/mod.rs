//! The client side: a connection, and the exchanges on it.
//!
//! A [`Client`] is a connection in one of its phases. Requests are received one after the other, and
//! each becomes an exchange, which owns its state. Each state has a step, one function in a file of its
//! own, which takes the state and returns the next:
//!
//! ```text
//! [introduce]
//!    │
//! [greet]
//!    │
//! receive ── [admit] ── auth ── route ──┬── [resolve] ── lookup ──┬── wait ──┬── deliver ── transmit ── finish
//!    ↑                       │                  ↑      └──────────┘                            │
//!    │                       │                  └─ a joined fetch does not answer the request  │
//!    │                       ├── connect ── a tunnel takes the connection                      │
//!    │                       └── a response of the proxy's own ── finish                       │
//!    └──────────────────────────────────────────── the connection is kept ────────────────────┤
//!                                                             the connection is closed ── close
//! ```
//!
//! An exchange knows a fetch only by passive objects: the pending response that the fetch publishes, and
//! the body that the request's content goes into.

mod admit;
mod auth;
mod close;
mod compression;
mod connect;
mod connection;
pub(super) mod context;
mod deliver;
mod drive;
mod exchange;
mod fetch_plan;
mod file;
mod finish;
mod greet;
mod hook;
mod http1;
mod introduce;
mod lookup;
mod own_response;
mod persistence;
mod phase;
mod query;
mod receive;
mod redirect;
mod resolve;
mod respond;
mod route;
mod shape;
mod source;
mod state;
pub(super) mod status_fields;
mod transmit;
mod upgrade;
mod upload;
mod wait;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::proxy::mail::Mail;
use crate::proxy::observe::listener::ListenerInfo;
use crate::proxy::shared::Shared;
use crate::proxy::timers::ClientTimer;
use crate::reactor::{Driven, Id, Reactor, SocketId};

use connection::Connection;
use exchange::Exchange;
use phase::{Introduce, Phase};
use state::{Auth, State};

pub(super) use drive::Drive;

/// A client connection and its present phase.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    phase: Phase,
    /// Bytes accounted as memory of connections.
    pub(crate) held: usize,
}

impl Driven for Client {
    const KIND: u8 = 1;
}

impl Client {
    /// Returns a connection from an address to a listener that was accepted at `began`. The client has time `until` then to send a request.
    pub(crate) fn new(
        id: Id<Self>,
        io: SocketId,
        address: SocketAddr,
        listener: ListenerInfo,
        (began, until): (Instant, Instant),
    ) -> Self {
        let phase = match listener.settings.proxy_protocol {
            true => Phase::Introduce(Introduce { began, until }),
            false => Phase::first(listener.kind(), (began, until)),
        };
        Self { connection: Connection::new(id.token(), io, address, listener), phase, held: 0 }
    }

    /// Returns the peer's address, or the network that stands for it.
    pub(crate) const fn network(&self) -> IpAddr {
        self.connection.network
    }

    /// Returns the time since which the connection is idle: all requests have got their responses.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let Phase::Receive(receive) = &self.phase else { return None };
        let is_idle = receive.head_began.is_none()
            && self.connection.output.is_empty()
            && self.connection.timers.get(ClientTimer::Request).is_some();
        is_idle.then_some(receive.idle_since)
    }

    /// Returns the time at which an incomplete head began, if all earlier requests have got their
    /// responses.
    pub(crate) fn half_head_since(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Introduce(introduce) => Some(introduce.began),
            Phase::Greet(greet) => Some(greet.began),
            Phase::Receive(receive) => {
                receive.head_began.filter(|_| self.connection.output.is_empty())
            }
            Phase::Exchange(_) | Phase::Close(_) => None,
        }
    }

    /// Returns true if no bytes have arrived since the last drive. Wakes the client if some have.
    pub(crate) fn is_quiet(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        self.connection.is_quiet(reactor, shared)
    }

    /// Returns one line about the connection and its exchange.
    pub(crate) fn dump(&self) -> String {
        let (phase, url) = match &self.phase {
            Phase::Introduce(_) => ("Introduce", ""),
            Phase::Greet(_) => ("Greet", ""),
            Phase::Receive(_) => ("Receive", ""),
            Phase::Exchange(exchange) => (exchange.state.name(), exchange.record.url()),
            Phase::Close(_) => ("Close", ""),
        };
        format!("client {} in {phase} {url}", self.connection.address)
    }

    /// Returns true if the client waits for a password to be verified, for a limited time.
    pub(crate) fn awaits_password(&self) -> bool {
        let state = self.exchange().map(|exchange| &exchange.state);
        matches!(state, Some(State::Auth(Auth::Verifying(_))))
            && self.connection.timers.get(ClientTimer::Auth).is_some()
    }

    /// Returns true if the client may wait for the addresses of `name`.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        let dial = self.exchange().and_then(|exchange| exchange.state.dial());
        dial.is_some_and(|dial| dial.looks_up(name))
    }

    /// Returns the bytes of memory that the client holds: buffers, its request, and content of it.
    pub(crate) fn holds(&self, reactor: &Reactor<Mail>, shared: &Shared) -> usize {
        let exchange = self
            .exchange()
            .map_or(0, |exchange| exchange.request.wire_length() + exchange.upload.held(shared));
        let Connection { input, output, io, .. } = &self.connection;
        input.held() + output.held() + reactor.held(*io) + exchange
    }

    /// Returns the bytes of the client's pending response that count as memory of connections.
    pub(crate) fn passing(&self, shared: &Shared) -> usize {
        let reading = self.exchange().and_then(|exchange| exchange.state.reading());
        reading.map_or(0, |reading| shared.responses[reading.response].passing)
    }

    /// Returns the deadline by which the client has to read its response, or send the rest of its
    /// request, if it holds memory meanwhile.
    pub(crate) fn stalls_until(&self) -> Option<Instant> {
        let timers = &self.connection.timers;
        let head_began = match &self.phase {
            Phase::Introduce(_) => true,
            Phase::Receive(receive) => receive.head_began.is_some(),
            Phase::Greet(_) | Phase::Exchange(_) | Phase::Close(_) => false,
        };
        let head = timers.get(ClientTimer::Request).filter(|_| head_began);
        let peer = [timers.get(ClientTimer::Send), timers.get(ClientTimer::Upload), head];
        peer.into_iter().flatten().min().filter(|_| self.held > 0)
    }

    const fn exchange(&self) -> Option<&Exchange> {
        match &self.phase {
            Phase::Exchange(exchange) => Some(exchange),
            Phase::Introduce(_) | Phase::Greet(_) | Phase::Receive(_) | Phase::Close(_) => None,
        }
    }
}
