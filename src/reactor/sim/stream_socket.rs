//! State of one simulated connection, as one side has it.

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
    /// What has arrived and was not read.
    pub(super) inbox: VecDeque<u8>,
    /// Bytes between the peer's `send` and our `recv`, against `window`.
    pub(super) held: usize,
    pub(super) window: usize,
    pub(super) end_arrived: bool,
    pub(super) end_sent: bool,
    /// Whether a write came up short, so that room is to be reported.
    pub(super) wants_room: bool,
    /// Nothing is delivered before what was sent earlier.
    pub(super) last_arrival: Option<Instant>,
    /// What the next poll reports.
    pub(super) owed: Ready,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Open,
    Failed(io::ErrorKind),
}
