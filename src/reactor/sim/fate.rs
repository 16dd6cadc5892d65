//! Fates of connects and datagrams in a simulated network.

use std::time::Duration;

/// Outcome of connects and datagrams to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered to the socket at the address, or refused if there is none, after this time in
    /// addition to the latency.
    Answer(Duration),
    /// Refused, even if a socket is bound to the address.
    Refuse,
    /// Lost, without any answer.
    Silence,
}

impl Default for Fate {
    fn default() -> Self {
        Self::Answer(Duration::ZERO)
    }
}
