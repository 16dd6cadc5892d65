//! Datagrams on their way through a simulated network.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::reactor::ready::Ready;

/// A socket for datagrams.
#[derive(Debug)]
pub(super) struct Datagrams {
    pub(super) host: usize,
    pub(super) local: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Whether there turned out to be nobody at the peer's port.
    pub(super) refused: bool,
    pub(super) owed: Ready,
}

/// A datagram under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}
