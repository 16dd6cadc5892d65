//! How fresh a stored response is, and what a request may do with it (RFC 9111 §4.2).

use std::time::{Duration, Instant};

use crate::http::{Name, Status, date};

use super::control::{RequestControl, ResponseControl, Scope, seconds};
use super::lifetime::LifetimeSource;
use super::response::Response;

/// No response is assumed fresh for longer than this without saying so (RFC 9111 §4.2.2).
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// How fresh a stored response is: decided when it comes in, so that using it is one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the response came.
    received: Instant,
    /// How old it was then (RFC 9111 §4.2.3, corrected_initial_age).
    initial_age: Duration,
    /// How long it is fresh, counted from its origination.
    lifetime: Duration,
    /// What says so.
    said_by: LifetimeSource,
    /// It is never used without validation.
    always_validate: bool,
    /// It is not used stale, whatever the request says and whatever else it says itself.
    never_stale: bool,
    /// For how long it may be served stale while it is validated.
    while_revalidating: Duration,
    /// For how long it may be served stale if the origin fails, if it says so.
    on_error: Option<Duration>,
}

/// How an origin fails to say whether a stored response still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// It cannot be reached, or does not answer.
    Unreachable,
    /// It answers 500, 502, 503 or 504 (RFC 5861 §4).
    ServerError,
}

/// What to do with a stored response that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServeDecision {
    /// Serve it.
    Fresh,
    /// Serve it; it is stale, and the request says that it may be.
    Stale,
    /// Serve it stale, and validate it meanwhile (RFC 5861 §3).
    WhileRevalidating,
    /// It is to be validated first: it is stale, or it says so.
    Validate,
    /// It is to be validated first because the request says so.
    ValidateForRequest,
}

impl Freshness {
    /// Decides on a response that came at `now` to a request sent at `sent`.
    pub(super) fn of(
        response: &Response<'_>,
        control: &ResponseControl,
        explicit: Option<(Duration, LifetimeSource)>,
    ) -> Self {
        let guessed = || {
            let guessed = heuristic_lifetime(response, control)?;
            let bounded = response.rule().map_or(guessed, |rule| rule.bounded(guessed));
            let kept = bounded == guessed;
            let by = if kept { LifetimeSource::LastModified } else { LifetimeSource::Rule };
            Some((bounded, by))
        };
        let nothing = (Duration::ZERO, LifetimeSource::Nothing);
        let (lifetime, said_by) = explicit.or_else(guessed).unwrap_or(nothing);
        Self {
            received: response.now.mono,
            initial_age: initial_age(response),
            lifetime,
            said_by,
            always_validate: control.no_cache == Scope::All,
            never_stale: control.must_revalidate
                || control.proxy_revalidate
                || control.s_maxage.is_some(),
            while_revalidating: control.stale_while_revalidate,
            on_error: control.stale_if_error,
        }
    }

    /// Whether it was never fresh.
    pub(super) const fn is_none(&self) -> bool {
        self.lifetime.is_zero()
    }

    /// Returns true if every request has to have it validated.
    pub(crate) const fn is_never_fresh(&self) -> bool {
        self.always_validate || self.lifetime.is_zero()
    }

    /// Returns true if a request that says `control` wants it fresh for longer than it ever is.
    pub(crate) fn is_too_short_for(&self, control: &RequestControl) -> bool {
        control.min_fresh.is_some_and(|min| self.lifetime < min)
    }

    /// The same, but stale from `at` on.
    pub(crate) fn until(self, at: Instant) -> Self {
        let lifetime = self.lifetime.min(self.age(at));
        let cut = lifetime < self.lifetime;
        Self { lifetime, said_by: if cut { LifetimeSource::Purge } else { self.said_by }, ..self }
    }

    /// How long it is fresh, counted from its origination, and what says so.
    #[must_use]
    pub const fn lifetime(&self) -> (Duration, LifetimeSource) {
        (self.lifetime, self.said_by)
    }

    /// How old the response is.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        self.initial_age + now.saturating_duration_since(self.received)
    }

    /// How long it is fresh yet: seconds, negative if it is stale.
    #[must_use]
    pub fn time_to_live(&self, now: Instant) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime) - seconds(self.age(now))
    }

    /// Returns true if a request that says `control` may be answered with a response that was fetched
    /// for another: without asking the origin again, or because the origin was asked only after
    /// this request had come (`unsent`).
    #[must_use]
    pub fn allows(&self, control: &RequestControl, unsent: bool, now: Instant) -> bool {
        match self.decide(control, now) {
            ServeDecision::Fresh | ServeDecision::Stale | ServeDecision::WhileRevalidating => true,
            ServeDecision::Validate => unsent,
            ServeDecision::ValidateForRequest => unsent && control.asks_origin(),
        }
    }

    /// What a request that says `control` may do with it.
    #[must_use]
    pub fn decide(&self, control: &RequestControl, now: Instant) -> ServeDecision {
        let age = self.age(now);
        if control.no_cache || control.max_age.is_some_and(|max| age > max) {
            return ServeDecision::ValidateForRequest;
        }
        let fresh_for = self.lifetime.checked_sub(age).filter(|left| !left.is_zero());
        match fresh_for {
            _ if self.always_validate => ServeDecision::Validate,
            Some(left) if control.min_fresh.is_some_and(|min| left < min) => {
                ServeDecision::ValidateForRequest
            }
            Some(_) => ServeDecision::Fresh,
            None if self.never_stale => ServeDecision::Validate,
            None if control.max_stale.is_some_and(|max| age - self.lifetime <= max) => {
                ServeDecision::Stale
            }
            None if control.max_age.is_some() || control.min_fresh.is_some() => {
                ServeDecision::Validate
            }
            None if age - self.lifetime < self.while_revalidating => {
                ServeDecision::WhileRevalidating
            }
            None => ServeDecision::Validate,
        }
    }

    /// Whether it may be served though the origin has failed to validate it (RFC 9111 §4.2.4,
    /// RFC 5861 §4): for as long as it says, or, if it cannot be validated at all, for `unsaid`.
    #[must_use]
    pub fn survives(&self, failure: OriginFailure, unsaid: Duration, now: Instant) -> bool {
        let limit = match (self.on_error, failure) {
            (Some(said), _) => said,
            (None, OriginFailure::Unreachable) => unsaid,
            (None, OriginFailure::ServerError) => return false,
        };
        !self.always_validate
            && !self.never_stale
            && self.age(now).saturating_sub(self.lifetime) <= limit
    }
}

/// A tenth of the time since it was last modified (§4.2.2).
fn heuristic_lifetime(response: &Response<'_>, control: &ResponseControl) -> Option<Duration> {
    if !(allows_heuristics(response.status) || control.public) {
        return None;
    }
    let modified = response.fields.only(Name::LastModified).and_then(date::parse_relaxed)?;
    let unmodified = response.date().duration_since(modified).unwrap_or_default();
    Some((unmodified / 10).min(MAX_HEURISTIC))
}

/// RFC 9110 §15.1: the status codes that are heuristically cacheable.
pub(super) const fn allows_heuristics(status: Status) -> bool {
    matches!(status.code(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// RFC 9111 §4.2.3: by the clock, and by what the hops before us counted plus the time it took.
fn initial_age(response: &Response<'_>) -> Duration {
    let apparent = response.now.wall.duration_since(response.date()).unwrap_or_default();
    let delay = response.now.mono.saturating_duration_since(response.sent);
    // Of several values the first counts, and one that is no number does not (§5.1).
    let age = response.fields.elements(Name::Age).next().and_then(seconds);
    apparent.max(age.unwrap_or_default() + delay)
}
