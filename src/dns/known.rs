//! Stored answers and their lifetimes.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reasons why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The text is not a host name.
    NotAName,
    /// The name does not exist.
    NoSuchName,
    /// The name exists but has no address.
    NoAddress,
    /// No server could be queried, or none had an answer. The text names the last server and the
    /// reason.
    Unanswered(String),
    /// No server answered in time. The text names the last server.
    TimedOut(String),
    /// Message of the system's resolver, which does not distinguish these cases.
    System(String),
    /// Too many names are being looked up, by all clients together or by this client.
    Overloaded,
}

impl NameError {
    /// Returns true if no server gave any information about the name.
    const fn says_nothing(&self) -> bool {
        matches!(self, Self::Unanswered(_) | Self::TimedOut(_))
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAName => "not a host name",
            Self::NoSuchName => "no such name",
            Self::NoAddress => "no address",
            Self::Unanswered(text) | Self::TimedOut(text) | Self::System(text) => text,
            Self::Overloaded => "too many names are being looked up",
        })
    }
}

impl std::error::Error for NameError {}

/// Addresses of a name, in the order of their source, or the reason why there are none.
pub type LookupResult = Result<Arc<[IpAddr]>, NameError>;

/// Bounds of stored answers and of questions.
#[derive(Clone, Copy, Debug)]
pub struct NameLimits {
    /// Time for which addresses are kept if their source gives no lifetime.
    pub answer: Duration,
    /// Least and most time for which addresses are kept, whatever lifetime their source gives.
    pub ttl: (Duration, Duration),
    /// Most time for which the absence of a name or of its addresses is kept.
    pub negative: Duration,
    /// Time for which a failure is kept, or the absence of addresses if its source gives no
    /// lifetime.
    pub failure: Duration,
    /// Time for which expired addresses may still be used while no server answers (RFC 8767).
    pub stale_ttl: Duration,
    /// Age of an open question at which expired addresses are used (RFC 8767 §5).
    pub stale_after: Duration,
    /// Time for which expired addresses are used before failed servers are queried again (RFC 8767
    /// §5).
    pub recheck: Duration,
    /// Most names in the cache.
    pub names: usize,
    /// Most questions that are open at a time.
    pub max_in_flight: usize,
}

impl NameLimits {
    /// Returns the lifetime of `answer` if its source gives `ttl`.
    fn lifetime(&self, answer: &LookupResult, ttl: Option<Duration>) -> Duration {
        let (least, most) = self.ttl;
        match (answer, ttl) {
            (Ok(_), None) => self.answer,
            (Ok(_), Some(ttl)) => ttl.max(least).min(most),
            (Err(NameError::NoSuchName | NameError::NoAddress), Some(ttl)) => {
                ttl.max(least).min(self.negative)
            }
            (Err(_), _) => self.failure,
        }
    }
}

/// Answer with the facts that determine its lifetime.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) answer: LookupResult,
    since: Instant,
    /// Lifetime that the source gives.
    ttl: Option<Duration>,
    /// Time at which the failed servers are queried again, while the expired answer is used.
    recheck: Option<Instant>,
}

impl Kept {
    pub(super) const fn new(answer: LookupResult, ttl: Option<Duration>, now: Instant) -> Self {
        Self { answer, since: now, ttl, recheck: None }
    }

    /// Returns the time until which the answer is used without a question.
    pub(super) fn until(&self, limits: &NameLimits) -> Instant {
        self.recheck.map_or_else(|| self.expires(limits), |at| at.min(self.stale_until(limits)))
    }

    /// Returns the time until which the answer is used while no server answers. Without a time to
    /// live, there is no stale use: the system's resolver, which gives none, handles that itself.
    pub(super) fn stale_until(&self, limits: &NameLimits) -> Instant {
        if self.ttl.is_some() { self.last_resort(limits) } else { self.expires(limits) }
    }

    /// Returns the time until which the answer is used if no question may be asked at all.
    pub(super) fn last_resort(&self, limits: &NameLimits) -> Instant {
        let stale = if self.answer.is_ok() { limits.stale_ttl } else { Duration::ZERO };
        self.expires(limits) + stale
    }

    fn expires(&self, limits: &NameLimits) -> Instant {
        self.since + limits.lifetime(&self.answer, self.ttl)
    }

    /// Returns true if the answer stays in use despite `error`, which gives no information about
    /// the name. No other question is asked then for the time of [`NameLimits::recheck`].
    pub(super) fn outlasts(
        &mut self,
        error: &NameError,
        limits: &NameLimits,
        now: Instant,
    ) -> bool {
        let outlasts = error.says_nothing() && now < self.stale_until(limits);
        if outlasts {
            self.recheck = Some(now + limits.recheck);
        }
        outlasts
    }
}
