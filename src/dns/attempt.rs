//! Queries to a server, and the ways to repeat one.

use std::net::SocketAddr;

use super::servers::Server;

/// Transport of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsTransport {
    /// Datagram, from a socket that was never used before.
    Udp,
    /// Connection, on which each message follows its length in two octets (RFC 7766 §8).
    Tcp,
}

/// Query to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Server to send it to.
    pub server: SocketAddr,
    /// Transport to use.
    pub over: DnsTransport,
    /// Message, without the length that TCP adds.
    pub message: Vec<u8>,
}

/// Query that may be sent, with the facts that this question has learned about the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) server: SocketAddr,
    pub(super) over: DnsTransport,
    pub(super) edns: bool,
    pub(super) random_case: bool,
    /// Reason to use TCP, if the first query was sent over UDP.
    pub(super) tcp_for: Option<TcpFor>,
    /// True if TCP does not work.
    pub(super) no_tcp: bool,
    /// True if the server failed to answer a query with EDNS.
    pub(super) edns_failed: bool,
    /// Number of answers that spelled the name in another case.
    pub(super) other_case: u8,
}

/// Reasons to repeat a query over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TcpFor {
    /// The answer was truncated.
    Cut,
    /// The answer spells the name in another case.
    Case,
    /// Too many messages did not match the query.
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

    /// Returns the same attempt over TCP.
    pub(super) const fn over_tcp(self, reason: TcpFor) -> Self {
        Self { over: DnsTransport::Tcp, tcp_for: Some(reason), ..self }
    }

    /// Returns the same attempt over UDP, because TCP does not work.
    pub(super) const fn without_tcp(self) -> Self {
        Self { over: DnsTransport::Udp, tcp_for: None, no_tcp: true, ..self }
    }

    /// Returns the same attempt without EDNS, because the server failed to answer with it.
    pub(super) const fn without_edns(self) -> Self {
        Self { edns: false, edns_failed: true, ..self }
    }
}
