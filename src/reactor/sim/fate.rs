//! Fates of simulated connections.

use std::time::Duration;

/// How connects and datagrams to an address end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// By who listens there (or refused, if nobody does), after this time beside the latency.
    Answer(Duration),
    /// Refused, whoever listens.
    Refuse,
    /// Never: the packets are lost.
    Silence,
}

impl Default for Fate {
    fn default() -> Self {
        Self::Answer(Duration::ZERO)
    }
}
