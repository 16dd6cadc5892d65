//! State of one side of a simulated connection.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::reactor::net::transport::SocketId;
use crate::reactor::ready::Ready;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) host: usize,
    pub(super) local: SocketAddr,
    pub(super) state: State,
    pub(super) peer: Option<SocketId>,
    /// Bytes that have arrived and were not read.
    pub(super) inbox: VecDeque<u8>,
    /// Bytes between the peer's `send` and our `recv`, limited by `window`.
    pub(super) held: usize,
    pub(super) window: usize,
    pub(super) end_arrived: bool,
    pub(super) end_sent: bool,
    /// True if a write fell short, so that room is to be reported.
    pub(super) wants_room: bool,
    /// Arrival of the latest packet, before which no later one is delivered.
    pub(super) last_arrival: Option<Instant>,
    /// Readiness that the next poll reports.
    pub(super) owed: Ready,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Open,
    Failed(io::ErrorKind),
}
