//! Timeouts as errors.

/// Timeouts that end exchanges, named after their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Header,
    Upload,
    Send,
    Name,
    Connect,
    Origin,
    Tunnel,
    Drain,
    Queue,
}

impl Timeout {
    /// Returns the name in metrics.
    pub(in crate::proxy) const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Upload => "upload",
            Self::Send => "send",
            Self::Name => "name",
            Self::Connect => "connect",
            Self::Origin => "origin",
            Self::Tunnel => "tunnel",
            Self::Drain => "drain",
            Self::Queue => "queue",
        }
    }

    /// Returns the word for the log: the name of the limit.
    pub(in crate::proxy) fn word(self) -> String {
        format!("{}-timeout", self.name())
    }
}
