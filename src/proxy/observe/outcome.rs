//! Outcomes of exchanges, and reasons for which requests are forwarded.

use crate::cache::MissReason;

/// The outcome of an exchange: the result word in the log and the label in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cache.
    Hit,
    /// Fetched from the origin: the cache had no response that could be used.
    Miss,
    /// Answered from the cache after the origin has validated the stored response.
    Revalidated,
    /// Answered from the cache with a stale response.
    Stale,
    /// Fetched past the cache: responses to such a request are not stored, or the cache is off.
    Pass,
    /// Refused by a rule of this proxy.
    Denied,
    /// A CONNECT tunnel, or a connection that switched to another protocol.
    Tunnel,
    /// Answered by the proxy itself, as requested.
    Own,
    /// Failed: the request is invalid, or the client, the origin or the network failed.
    Error,
}

impl Outcome {
    /// All outcomes, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Hit,
        Self::Miss,
        Self::Revalidated,
        Self::Stale,
        Self::Pass,
        Self::Denied,
        Self::Tunnel,
        Self::Own,
        Self::Error,
    ];

    /// Returns the word for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::Revalidated => "REVALIDATED",
            Self::Stale => "STALE",
            Self::Pass => "PASS",
            Self::Denied => "DENIED",
            Self::Tunnel => "TUNNEL",
            Self::Own => "OWN",
            Self::Error => "ERROR",
        }
    }
}

/// Reason for which a request was forwarded to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    Missing(MissReason),
    Stale,
    /// The request demanded it, by its cache directives.
    Request,
}

impl Forwarded {
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Missing(MissReason::Uri) => "uri-miss",
            Self::Missing(MissReason::Vary) => "vary-miss",
            Self::Missing(MissReason::Part) => "partial",
            Self::Missing(MissReason::Method) => "method",
            Self::Missing(MissReason::Request) | Self::Request => "request",
            Self::Missing(MissReason::Bypass) => "bypass",
            Self::Stale => "stale",
        }
    }
}
