//! Outcomes of exchanges, and reasons for which requests were forwarded.

use crate::cache::MissReason;

/// What became of a request: one word in the log, in `Cache-Status` and in the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cache.
    Hit,
    /// Fetched, as far as the cache is concerned stored or storable.
    Miss,
    /// Answered from the cache after the origin said that it still holds.
    Revalidated,
    /// Answered from the cache though stale.
    Stale,
    /// Fetched past the cache.
    Pass,
    /// Refused by a rule of this proxy.
    Denied,
    /// A CONNECT tunnel, or a connection that switched to another protocol.
    Tunnel,
    /// Answered by the proxy itself, as asked.
    Own,
    /// Not answered as asked: the request, the origin or the network failed.
    Error,
}

impl Outcome {
    /// All of them, in their order.
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

    /// The word for it.
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

/// Why a request went to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    Missing(MissReason),
    Stale,
    /// The request asked for it.
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
