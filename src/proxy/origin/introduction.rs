//! PROXY headers to origins.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::time::Instant;

use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy_protocol::{Version, write};
use crate::reactor::Reactor;

use super::pool::OriginConnection;

/// Place of a connection without a client, or without an address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Address that sockets in the file system count as: they are on this machine.
const THIS_MACHINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The addresses that a header states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    source: SocketAddr,
    destination: SocketAddr,
}

impl Ends {
    /// Returns the ends of a connection of the proxy itself: the header states no addresses.
    pub(super) const OWN: Self = Self { source: NOWHERE, destination: NOWHERE };

    /// Returns the ends of the connection of a client to a listener; `destination` is unspecified for a
    /// socket in the file system.
    pub(super) const fn of(source: SocketAddr, destination: SocketAddr) -> Self {
        let destination =
            if destination.ip().is_unspecified() { THIS_MACHINE } else { destination };
        Self { source, destination }
    }
}

/// A connection on which a header is sent.
#[derive(Debug)]
pub(super) struct Introduction {
    connection: OriginConnection,
    header: Vec<u8>,
    sent: usize,
    until: Instant,
}

impl Introduction {
    /// Begins to send the header, which has to leave by `until`. Without a version, there is none.
    pub(super) fn begin(
        connection: OriginConnection,
        version: Option<Version>,
        ends: Ends,
        until: Instant,
    ) -> Self {
        let mut header = Vec::new();
        if let Some(version) = version {
            write(&mut header, version, ends.source, ends.destination);
        }
        Self { connection, header, sent: 0, until }
    }

    /// Continues as far as possible. Returns the connection once the header was sent. A connection that
    /// does not take the header is closed.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        let OriginConnection { io, address: to, .. } = self.connection;
        while self.sent < self.header.len() {
            let error = match reactor.send(io, &[IoSlice::new(&self.header[self.sent..])]) {
                Poll::Ready(Ok(sent)) => {
                    self.sent += sent;
                    continue;
                }
                Poll::Pending if reactor.now().mono < self.until => return Poll::Pending,
                Poll::Pending => ExchangeError::ConnectTimeout,
                Poll::Ready(Err(error)) => {
                    ExchangeError::Connect { to, disclosed: false, kind: error.kind() }
                }
            };
            reactor.close(io);
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(self.connection))
    }

    /// Returns the time until which the header has to leave.
    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }

    /// Closes the connection.
    pub(super) fn cancel(self, reactor: &mut Reactor<Mail>) {
        reactor.close(self.connection.io);
    }
}
