//! Connections that were closed while their layers had something left to send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::reactor::ready::Ready;

use super::layer::{Layer, Wire};
use super::transport::{SocketId, Transport};

/// Time that a peer has to take what is left.
const TIME: Duration = Duration::from_secs(5);
/// Most connections at a time; further ones are closed at once.
const MOST: usize = 1024;

/// Closed connections by the time until which they are kept.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    list: VecDeque<Leaving>,
}

#[derive(Debug)]
struct Leaving {
    io: SocketId,
    ready: Ready,
    layer: Box<dyn Layer>,
    until: Instant,
}

impl Closing {
    /// Keeps a connection, whose owner has forgotten it, until its layer has sent everything. Returns
    /// false if there are too many.
    pub(super) fn keep(
        &mut self,
        (io, ready): (SocketId, Ready),
        layer: Box<dyn Layer>,
        now: Instant,
    ) -> bool {
        let has_room = self.list.len() < MOST;
        if has_room {
            self.list.push_back(Leaving { io, ready, layer, until: now + TIME });
        }
        has_room
    }

    /// Applies a report of a connection, and closes the connection once everything was sent.
    pub(super) fn note_ready(
        &mut self,
        (io, ready): (SocketId, Ready),
        transport: &mut dyn Transport,
        chunk: &mut Vec<u8>,
    ) {
        let Some(place) = self.list.iter().position(|leaving| leaving.io == io) else { return };
        let Leaving { ready: known, layer, .. } = &mut self.list[place];
        *known = known.union(ready);
        let mut wire = Wire { io, ready: known, transport, chunk };
        if layer.flush(&mut wire) {
            self.list.remove(place);
            transport.close(io);
        }
    }

    /// Closes the connections whose time is up.
    pub(super) fn expire(&mut self, now: Instant, transport: &mut dyn Transport) {
        while let Some(leaving) = self.list.pop_front_if(|leaving| leaving.until <= now) {
            transport.close(leaving.io);
        }
    }

    /// Returns the time at which the next connection is closed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.list.front().map(|leaving| leaving.until)
    }
}
