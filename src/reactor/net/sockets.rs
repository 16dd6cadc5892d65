//! State of each open socket, as the reactor knows it.

use std::time::Instant;

use crate::reactor::arena::Token;
use crate::reactor::ready::Ready;

use super::closing::Closing;
use super::layer::{Layer, Wire};
use super::transport::{SocketId, Transport};

/// Steps of handshakes in one turn. Each may cost as much as fifty requests, and the requests of other
/// connections are not to wait for thousands of steps.
const HANDSHAKES: u32 = 16;

/// Readiness and owner of each socket, by its place in the transport.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    places: Vec<Option<SocketState>>,
    open: usize,
    /// Room for received bytes that all layers share.
    chunk: Vec<u8>,
    /// Steps of handshakes that this turn has taken.
    handshakes: u32,
    closing: Closing,
}

#[derive(Debug)]
pub(super) struct SocketState {
    io: SocketId,
    pub(super) ready: Ready,
    pub(super) owner: Option<Token>,
    pub(super) layer: Option<Box<dyn Layer>>,
}

impl SocketState {
    /// Returns the readiness of the socket as its owner sees it, through the layer if there is one.
    pub(super) fn ready(&self) -> Ready {
        match &self.layer {
            Some(layer) if layer.has_input() => self.ready.union(Ready::READABLE),
            _ => self.ready,
        }
    }

    /// Returns true if the layer waits for bytes of a handshake that have arrived.
    pub(super) fn is_handshaking(&self) -> bool {
        let handshaking = self.layer.as_ref().is_some_and(|layer| layer.is_handshaking());
        handshaking && self.ready().contains(Ready::READABLE)
    }
}

/// A connection, taken apart for an operation.
pub(super) struct Parts<'a> {
    pub(super) wire: Wire<'a>,
    pub(super) layer: Option<&'a mut dyn Layer>,
    pub(super) owner: Option<Token>,
}

impl Sockets {
    pub(super) fn insert(&mut self, io: SocketId, ready: Ready, owner: Option<Token>) {
        if self.places.len() <= io.index() {
            self.places.resize_with(io.index() + 1, || None);
        }
        self.places[io.index()] = Some(SocketState { io, ready, owner, layer: None });
        self.open += 1;
    }

    pub(super) fn remove(&mut self, io: SocketId) -> Option<SocketState> {
        self.get(io)?;
        self.open -= 1;
        self.places[io.index()].take()
    }

    /// Closes a socket, or keeps it until its layer has sent what is left.
    pub(super) fn close(&mut self, io: SocketId, now: Instant, transport: &mut dyn Transport) {
        let Some(SocketState { mut ready, layer, .. }) = self.remove(io) else { return };
        if let Some(mut layer) = layer {
            let mut wire = Wire { io, ready: &mut ready, transport, chunk: &mut self.chunk };
            if !layer.close(&mut wire) && self.closing.keep((io, ready), layer, now) {
                return;
            }
        }
        transport.close(io);
    }

    /// Applies a report of a socket that has no owner any more.
    pub(super) fn note_closing(
        &mut self,
        io: SocketId,
        ready: Ready,
        transport: &mut dyn Transport,
    ) {
        self.closing.note_ready((io, ready), transport, &mut self.chunk);
    }

    /// Returns the time at which [`begin_turn`](Self::begin_turn) has something to close.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.closing.next_deadline()
    }

    pub(super) fn get(&self, io: SocketId) -> Option<&SocketState> {
        self.places.get(io.index())?.as_ref().filter(|state| state.io == io)
    }

    pub(super) fn get_mut(&mut self, io: SocketId) -> Option<&mut SocketState> {
        self.places.get_mut(io.index())?.as_mut().filter(|state| state.io == io)
    }

    /// Begins a turn, which has its own number of steps of handshakes.
    pub(crate) fn begin_turn(&mut self, now: Instant, transport: &mut dyn Transport) {
        self.handshakes = 0;
        self.closing.expire(now, transport);
    }

    /// Counts a step of a handshake. Returns false if the turn has taken all of its steps.
    pub(super) const fn take_handshake(&mut self) -> bool {
        let is_left = self.handshakes < HANDSHAKES;
        self.handshakes += is_left as u32;
        is_left
    }

    /// Takes the socket apart for an operation on `transport`.
    pub(super) fn parts<'a>(
        &'a mut self,
        io: SocketId,
        transport: &'a mut dyn Transport,
    ) -> Option<Parts<'a>> {
        let state = self.places.get_mut(io.index())?.as_mut().filter(|state| state.io == io)?;
        let SocketState { ready, owner, layer, .. } = state;
        let wire = Wire { io, ready, transport, chunk: &mut self.chunk };
        Some(Parts { wire, layer: layer.as_deref_mut(), owner: *owner })
    }

    pub(super) const fn open(&self) -> usize {
        self.open
    }
}
