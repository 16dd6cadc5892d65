//! State of each open socket, as the reactor knows it.

use crate::reactor::arena::Token;
use crate::reactor::ready::Ready;

use super::transport::SocketId;

/// Readiness and owner of each socket, by its place in the transport.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    places: Vec<Option<SocketState>>,
    open: usize,
}

#[derive(Debug)]
pub(super) struct SocketState {
    io: SocketId,
    pub(super) ready: Ready,
    pub(super) owner: Option<Token>,
}

impl Sockets {
    pub(super) fn insert(&mut self, io: SocketId, ready: Ready, owner: Option<Token>) {
        if self.places.len() <= io.index() {
            self.places.resize_with(io.index() + 1, || None);
        }
        self.places[io.index()] = Some(SocketState { io, ready, owner });
        self.open += 1;
    }

    pub(super) fn remove(&mut self, io: SocketId) {
        if self.get(io).is_some() {
            self.places[io.index()] = None;
            self.open -= 1;
        }
    }

    pub(super) fn get(&self, io: SocketId) -> Option<&SocketState> {
        self.places.get(io.index())?.as_ref().filter(|state| state.io == io)
    }

    pub(super) fn get_mut(&mut self, io: SocketId) -> Option<&mut SocketState> {
        self.places.get_mut(io.index())?.as_mut().filter(|state| state.io == io)
    }

    pub(super) const fn open(&self) -> usize {
        self.open
    }
}
