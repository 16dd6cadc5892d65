//! Phases of a client connection.

use std::time::Instant;

use crate::proxy::observe::listener::ListenerKind;

use super::exchange::Exchange;

/// Phase of a client connection. Exchanges follow each other, with a [`Receive`](Phase::Receive)
/// before each.
#[derive(Debug)]
pub(super) enum Phase {
    /// The PROXY header is received.
    Introduce(Introduce),
    /// The TLS handshake is under way.
    Greet(Greet),
    /// The next request is received.
    Receive(Receive),
    /// A request is served.
    Exchange(Box<Exchange>),
    /// The connection is closed (RFC 9112 §9.6).
    Close(Close),
}

/// Waiting for the PROXY header of a connection, or for the rest of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduce {
    /// Time at which the connection was accepted.
    pub(super) began: Instant,
    /// Time until which the header, then the handshake and the first request, may take.
    pub(super) until: Instant,
}

/// A TLS handshake with a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greet {
    /// Time at which the connection was accepted.
    pub(super) began: Instant,
    /// Time until which the handshake, and then the first request, may take.
    pub(super) until: Instant,
}

/// Waiting for a request, or for the rest of its head.
#[derive(Debug)]
pub(super) struct Receive {
    /// Time at which the first byte of the head arrived.
    pub(super) head_began: Option<Instant>,
    /// Time at which the connection was accepted, or the last exchange ended.
    pub(super) idle_since: Instant,
    /// Time until which the client may send nothing, once that is known.
    pub(super) idle_until: Option<Instant>,
}

/// A connection that is being closed.
#[derive(Debug)]
pub(super) struct Close {
    /// True if the client may still send bytes, which are read and dropped: closing with unread bytes
    /// would reset the connection.
    pub(super) lingers: bool,
    /// End of the lingering close, once the connection was shut down for writing.
    pub(super) until: Option<Instant>,
}

impl Phase {
    /// Returns the first phase after a PROXY header, if there is one, of a connection to a listener of a
    /// `kind` that was accepted at `began`. The client has time `until` then to send a request.
    pub(super) const fn first(kind: ListenerKind, (began, until): (Instant, Instant)) -> Self {
        match kind {
            ListenerKind::Tls => Self::Greet(Greet { began, until }),
            ListenerKind::Plain | ListenerKind::Redirect => {
                let idle_until = Some(until);
                Self::Receive(Receive { head_began: None, idle_since: began, idle_until })
            }
        }
    }
}

impl Close {
    /// Returns a lingering close that has not begun.
    pub(super) const fn lingering() -> Self {
        Self { lingers: true, until: None }
    }
}

/// Result of driving a phase.
#[derive(Debug)]
pub(super) enum Flow {
    /// The phase is driven again at once.
    Go,
    /// The next phase follows at once.
    Enter(Phase),
    /// The phase waits to be driven again.
    Park,
    /// The connection is over.
    Gone,
    /// A tunnel has taken the connection.
    HandedOver,
}
