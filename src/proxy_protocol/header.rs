//! Content of a header.

use std::net::SocketAddr;

/// Length of the longest header that is accepted, in bytes. Version 1 has up to 107 bytes. Version 2
/// allows 64 KiB; real headers have less than 536 bytes, so that they fit in one segment (§2).
pub const MAX_HEADER: usize = 4096;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A line of text (§2.1).
    V1,
    /// Binary fields (§2.2).
    V2,
}

/// Addresses of a connection as the sender of the header saw it.
///
/// Both addresses are `None` in a header without addresses of TCP: UNKNOWN in version 1; LOCAL, an
/// unspecified family or protocol, or Unix sockets in version 2. The addresses of the connection
/// itself count then. IPv4-mapped IPv6 addresses are returned as IPv4 addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Address of the client.
    pub source: Option<SocketAddr>,
    /// Address that the client connected to.
    pub destination: Option<SocketAddr>,
    /// TLS between the client and the sender; `None` if the header says nothing about it.
    pub tls: Option<ClientTls>,
}

/// TLS between the client and the sender of the header (§2.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// True if the client connected over TLS.
    pub is_used: bool,
    /// True if the client presented a certificate, on this connection or earlier in the session of
    /// TLS, and the sender has verified it.
    pub is_verified: bool,
}

/// Result of [`parse`](super::parse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The bytes are the beginning of a header. More have to be received.
    Incomplete,
    /// The bytes begin with a header.
    Header {
        /// Content of the header.
        header: Header,
        /// Bytes of the header. The content of the connection begins behind them.
        length: usize,
    },
}
