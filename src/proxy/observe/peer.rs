//! The peer of a request.

use std::net::IpAddr;

/// The peer that has sent a request: a client, or a proxy in front of this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// True if the connection uses TLS.
    pub(crate) is_secure: bool,
}
