//! The peer of a request.

use std::net::IpAddr;

/// The peer that has sent a request: a client, or a proxy in front of this one. If the connection began
/// with a PROXY header, the peer is the one that the header names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// True if the peer speaks TLS.
    pub(crate) is_secure: bool,
}
