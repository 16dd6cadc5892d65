//! A query to a server, and the ways in which it can be asked again.

use std::net::SocketAddr;

use super::servers::Server;

/// Transport of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsTransport {
    /// A datagram from a socket that was never used before.
    Udp,
    /// A connection, each message behind its length in two octets (RFC 7766 §8).
    Tcp,
}

/// A query to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The server that is asked.
    pub server: SocketAddr,
    /// The transport.
    pub over: DnsTransport,
    /// The message, without its length.
    pub message: Vec<u8>,
}

/// A query that may be sent, and what this question has learned of its server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) server: SocketAddr,
    pub(super) over: DnsTransport,
    pub(super) edns: bool,
    pub(super) random_case: bool,
    /// Reason for TCP, if the first query went over UDP.
    pub(super) tcp_for: Option<TcpFor>,
    /// True if there is no TCP.
    pub(super) no_tcp: bool,
    /// True if the server had no use for EDNS.
    pub(super) edns_failed: bool,
    /// Number of answers in another case.
    pub(super) other_case: u8,
}

/// Reasons to ask over TCP what was asked in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TcpFor {
    /// The answer was cut short.
    Cut,
    /// The answer has the name in another case.
    Case,
    /// Too much came that was not the answer.
    Forged,
}

impl Attempt {
    pub(super) const fn new(server: &Server, over: DnsTransport, random_case: bool) -> Self {
        Self {
            server: server.address,
            over,
            edns: server.edns,
            random_case: server.random_case && random_case,
            tcp_for: None,
            no_tcp: false,
            edns_failed: false,
            other_case: 0,
        }
    }

    /// The same over TCP.
    pub(super) const fn over_tcp(self, reason: TcpFor) -> Self {
        Self { over: DnsTransport::Tcp, tcp_for: Some(reason), ..self }
    }

    /// The same as a datagram, as there is no TCP.
    pub(super) const fn without_tcp(self) -> Self {
        Self { over: DnsTransport::Udp, tcp_for: None, no_tcp: true, ..self }
    }

    pub(super) const fn without_edns(self) -> Self {
        Self { edns: false, edns_failed: true, ..self }
    }
}
