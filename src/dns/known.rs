//! An answer that is kept, and how long it serves.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reasons why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The text is no host name.
    NotAName,
    /// The name does not exist.
    NoSuchName,
    /// The name exists, and has no address.
    NoAddress,
    /// No server could be asked, or none had an answer: the last one, and why.
    Unanswered(String),
    /// No server has answered in time: the last one.
    TimedOut(String),
    /// The words of the system's resolver, which tells none of these apart.
    System(String),
    /// Too many names are being looked up, by all clients together or by this one.
    Overloaded,
}

impl NameError {
    /// Returns true if no server could say anything of the name.
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

/// Addresses of a name in the order in which a source gives them, or why there are none.
pub type LookupResult = Result<Arc<[IpAddr]>, NameError>;

/// Bounds on answers that are kept, and on questions.
#[derive(Clone, Copy, Debug)]
pub struct NameLimits {
    /// Time for which addresses are kept if their source does not say.
    pub answer: Duration,
    /// Least and most time for which addresses are kept, whatever their source says.
    pub ttl: (Duration, Duration),
    /// Most time for which it is kept that a name has no address.
    pub negative: Duration,
    /// Time for which a failure is kept, or that a name has no address if its source gives no time.
    pub failure: Duration,
    /// Time for which expired addresses serve on while no server answers (RFC 8767).
    pub stale_ttl: Duration,
    /// Age of an open question from which on expired addresses serve (RFC 8767 §5).
    pub stale_after: Duration,
    /// Time for which they do before a server that failed is asked again (RFC 8767 §5).
    pub recheck: Duration,
    /// Most names that are kept.
    pub names: usize,
    /// Most questions that are open at a time.
    pub max_in_flight: usize,
}

impl NameLimits {
    /// Returns the time for which `answer` serves if its source says `ttl`.
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

/// An answer, and what decides how long it serves.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) answer: LookupResult,
    since: Instant,
    /// Time for which it holds, if its source says so.
    ttl: Option<Duration>,
    /// Time from which on the servers are asked again that could not say anything.
    recheck: Option<Instant>,
}

impl Kept {
    pub(super) const fn new(answer: LookupResult, ttl: Option<Duration>, now: Instant) -> Self {
        Self { answer, since: now, ttl, recheck: None }
    }

    /// Returns the time until which it serves without a question.
    pub(super) fn until(&self, limits: &NameLimits) -> Instant {
        self.recheck.map_or_else(|| self.expires(limits), |at| at.min(self.stale_until(limits)))
    }

    /// Returns the time until which it serves while no server answers. The system's resolver, which
    /// gives no time to live, decides that itself.
    pub(super) fn stale_until(&self, limits: &NameLimits) -> Instant {
        if self.ttl.is_some() { self.last_resort(limits) } else { self.expires(limits) }
    }

    /// Returns the time until which it serves where no question may be asked at all.
    pub(super) fn last_resort(&self, limits: &NameLimits) -> Instant {
        let stale = if self.answer.is_ok() { limits.stale_ttl } else { Duration::ZERO };
        self.expires(limits) + stale
    }

    fn expires(&self, limits: &NameLimits) -> Instant {
        self.since + limits.lifetime(&self.answer, self.ttl)
    }

    /// Returns true if it serves on in the place of `error`, which says nothing of the name: for a
    /// while without another question then.
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
