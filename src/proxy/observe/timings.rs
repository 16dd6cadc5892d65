//! Durations of the steps of requests to origins.

use std::time::Duration;

/// Durations of the steps of a request to an origin, as far as it has taken them. Those of a connection are
/// missing if one was reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    /// Time until a member of a group had a place, its addresses being known.
    pub(crate) queue: Option<Duration>,
    /// Time until the first allowed address was known.
    pub(crate) lookup: Option<Duration>,
    /// Time from then until a connection was established.
    pub(crate) connect: Option<Duration>,
    /// Time from then until the TLS handshake was complete, with a PROXY header before it.
    pub(crate) handshake: Option<Duration>,
    /// Time from the start of the request until the head of the response was received.
    pub(crate) first_byte: Option<Duration>,
}
