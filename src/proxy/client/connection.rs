//! A client connection: what outlives each exchange on it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use crate::auth::client_network;
use crate::http::ServerCodec;
use crate::proxy::mail::Mail;
use crate::proxy::observe::listener::ListenerInfo;
use crate::proxy::shared::Shared;
use crate::proxy::timers::{ClientTimer, ClientTimers};
use crate::proxy::transfer::recv_buffer::RecvBuffer;
use crate::proxy::transfer::send_buffer::{ContentSource, SendBuffer};
use crate::reactor::{Reactor, Ready, SocketId, Token, Wake};
use crate::tls::Facts;

use super::context::ClientCx;

/// Socket of a client, with its codec, buffers and timers.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Token of the client, which owns the socket.
    pub(super) token: Token,
    pub(super) io: SocketId,
    /// The client's address: the peer's, unless a PROXY header of the peer states another.
    pub(super) address: SocketAddr,
    /// The peer's address, or the network that stands for it: it is charged for the connection.
    pub(super) network: IpAddr,
    /// The address that the client has connected to, once it is known: by a PROXY header, or from the
    /// socket.
    pub(super) destination: Option<SocketAddr>,
    /// True if the client speaks TLS with the proxy in front, as the PROXY header states.
    pub(super) tls_in_front: bool,
    /// The listener that accepted the connection.
    pub(super) listener: ListenerInfo,
    /// The TLS session, once its handshake is complete.
    pub(super) tls: Option<Arc<Facts>>,
    pub(super) codec: ServerCodec,
    pub(super) input: RecvBuffer,
    /// Bytes consumed for the exchanges that have ended.
    received_before: u64,
    pub(super) output: SendBuffer,
    pub(super) timers: ClientTimers,
    /// Set once the client has sent credentials that authenticate a connection: origin connections
    /// that have carried them serve this client alone (RFC 4559 §6).
    pub(super) binds_origins: bool,
    /// Set once an exchange has finished on the connection: the client counts as known from then on.
    pub(super) served: bool,
}

impl Connection {
    /// Returns a connection from the peer at `address` that `listener` has accepted.
    pub(super) fn new(
        token: Token,
        io: SocketId,
        address: SocketAddr,
        listener: ListenerInfo,
    ) -> Self {
        Self {
            token,
            io,
            address,
            network: client_network(address.ip()),
            destination: None,
            tls_in_front: false,
            listener,
            tls: None,
            codec: ServerCodec::new(),
            input: RecvBuffer::new(),
            received_before: 0,
            output: SendBuffer::new(),
            timers: ClientTimers::default(),
            binds_origins: false,
            served: false,
        }
    }

    /// Returns the address that the client has connected to; an unspecified one for a socket in the file
    /// system.
    pub(super) fn destination(&mut self, reactor: &Reactor<Mail>) -> SocketAddr {
        let (io, listener) = (self.io, self.listener.address);
        *self.destination.get_or_insert_with(|| match listener.ip().is_unspecified() {
            true => reactor.local_address(io).unwrap_or(listener),
            false => listener,
        })
    }

    /// Returns the bytes received for the exchange that ends: those since the last one.
    pub(super) const fn take_received(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.received_before, self.input.consumed());
        self.received_before - before
    }

    /// Returns true if the connection was reset: no response can reach the client.
    pub(super) fn is_reset(&self, cx: &ClientCx<'_>) -> bool {
        cx.reactor.ready(self.io).contains(Ready::ERROR)
    }

    /// Returns true if no bytes have arrived since the last drive. Wakes the client if some have.
    pub(super) fn is_quiet(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        if !reactor.ready(self.io).contains(Ready::READABLE) {
            return true;
        }
        let quiet = self.input.receive(reactor, self.io, &mut shared.buffers).is_pending();
        self.input.release(&mut shared.buffers);
        if !quiet {
            reactor.wake(self.token);
        }
        quiet
    }

    /// Sends the bytes that wait in the send buffer, without content.
    pub(super) fn flush(&mut self, cx: &mut ClientCx<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            match self.output.send(cx.reactor, self.io, ContentSource::Nothing)? {
                Poll::Ready(sent) => {
                    cx.budget.spend_out(sent.bytes);
                    self.timers.stop(ClientTimer::Send);
                }
                Poll::Pending => {
                    self.await_room(cx);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Starts the send timer, unless the client already takes nothing.
    pub(super) fn await_room(&mut self, cx: &ClientCx<'_>) {
        let timeout = cx.shared.settings.limits.send_timeout;
        self.timers.start(ClientTimer::Send, cx.now() + timeout);
    }

    /// Closes the connection, or resets it, for a client that holds `held` bytes of memory.
    pub(super) fn close(
        self,
        mut held: usize,
        reset: bool,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) {
        self.release_bound_origins(reactor, shared);
        shared.memory.count(&mut held, 0);
        shared.admission.leave(self.network);
        if reset {
            reactor.reset(self.io);
        } else {
            reactor.close(self.io);
        }
    }

    /// Closes the origin connections that serve this client alone: the client is gone, or a tunnel has
    /// taken its connection.
    pub(super) fn release_bound_origins(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if self.binds_origins {
            shared.origins.pool.release(self.token, reactor);
        }
    }
}
