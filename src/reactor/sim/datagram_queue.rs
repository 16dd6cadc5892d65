//! Datagrams of a simulated network, and the sockets that queue them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::reactor::ready::Ready;

/// A UDP socket.
#[derive(Debug)]
pub(super) struct Datagrams {
    pub(super) host: usize,
    pub(super) local: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    /// True if the peer's port was found closed and the socket has not been told yet.
    pub(super) refused: bool,
    pub(super) owed: Ready,
}

/// A datagram in flight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}
