//! TLS handshakes with origins.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::observe::handshakes::Handshakes;
use crate::proxy::routing::route::Origin;
use crate::reactor::Reactor;
use crate::tls::{Problem, Session};

use super::pool::OriginConnection;

/// A connection on which the handshake is under way.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) connection: OriginConnection,
    began: Instant,
    until: Instant,
}

/// A handshake that has failed.
#[derive(Debug)]
pub(super) struct HandshakeFailure {
    pub(super) error: ExchangeError,
    /// True if another address of the origin may do better: this one has closed the connection.
    pub(super) is_of_address: bool,
}

impl Handshake {
    /// Begins the handshake that `origin` wants on a new connection; `None` if it wants none.
    ///
    /// # Errors
    /// Returns the problem if the host is no name that a certificate can have.
    pub(super) fn begin(
        connection: OriginConnection,
        origin: &Origin,
        until: Instant,
        reactor: &mut Reactor<Mail>,
    ) -> Result<Option<Self>, ExchangeError> {
        let Some(tls) = &origin.tls else { return Ok(None) };
        match tls.layer(&origin.host.to_string()) {
            Ok(layer) => reactor.secure(connection.io, Box::new(layer)),
            Err(error) => {
                reactor.close(connection.io);
                return Err(ExchangeError::Tls(Arc::new(Problem::of_name(&error))));
            }
        }
        Ok(Some(Self { connection, began: reactor.now().mono, until }))
    }

    /// Continues as far as possible, and counts the handshake once it is complete or has failed. The
    /// connection of a handshake that has failed is closed.
    pub(super) fn drive(
        &self,
        reactor: &mut Reactor<Mail>,
        counted: &mut Handshakes,
    ) -> Poll<Result<OriginConnection, HandshakeFailure>> {
        let now = reactor.now().mono;
        let error = match reactor.handshake(self.connection.io) {
            Poll::Ready(Ok(())) => {
                if let Some(session) = reactor.layer::<Session>(self.connection.io) {
                    counted.complete(&session.facts(), now.saturating_duration_since(self.began));
                }
                return Poll::Ready(Ok(self.connection));
            }
            Poll::Pending if now < self.until => return Poll::Pending,
            Poll::Pending => None,
            Poll::Ready(Err(error)) => Some(error),
        };
        reactor.close(self.connection.io);
        let Some(error) = error else {
            counted.fail("timeout");
            let error = ExchangeError::ConnectTimeout;
            return Poll::Ready(Err(HandshakeFailure { error, is_of_address: false }));
        };
        let problem = Problem::of(&error);
        counted.fail(problem.word);
        Poll::Ready(Err(HandshakeFailure {
            is_of_address: error.kind() != io::ErrorKind::InvalidData,
            error: ExchangeError::Tls(Arc::new(problem)),
        }))
    }

    /// Returns the time at which the handshake is given up.
    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }
}
