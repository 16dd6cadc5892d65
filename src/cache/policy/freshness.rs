//! Freshness of stored responses, and what a request may do with them (RFC 9111 §4.2).

use std::time::{Duration, Instant};

use crate::http::{Name, Status, date};

use super::control::{RequestControl, ResponseControl, Scope, seconds};
use super::lifetime::LifetimeSource;
use super::response::Response;

/// Maximum heuristic freshness lifetime (RFC 9111 §4.2.2).
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// Freshness of a stored response. It is computed once, when the response is received, so that each
/// use costs one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Time at which the response was received.
    received: Instant,
    /// Age at that time (RFC 9111 §4.2.3, `corrected_initial_age`).
    initial_age: Duration,
    /// Freshness lifetime, counted from the origination of the response.
    lifetime: Duration,
    /// Source of the lifetime.
    said_by: LifetimeSource,
    /// True if the response may never be used without validation.
    always_validate: bool,
    /// True if the response may not be used stale, whatever the request and its other directives
    /// allow.
    never_stale: bool,
    /// Time for which the response may be served stale while it is revalidated.
    while_revalidating: Duration,
    /// Time for which the response may be served stale if the origin fails; `None` if the response
    /// gives none.
    on_error: Option<Duration>,
}

/// Failure of an origin to validate a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// The origin cannot be reached, or does not answer.
    Unreachable,
    /// The origin answers 500, 502, 503 or 504 (RFC 5861 §4).
    ServerError,
}

/// Decision about a stored response that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServeDecision {
    /// Serve the fresh response.
    Fresh,
    /// Serve the stale response, which the request accepts.
    Stale,
    /// Serve the stale response, and revalidate it in the background (RFC 5861 §3).
    WhileRevalidating,
    /// Validate first: the response is stale, or demands validation.
    Validate,
    /// Validate first, because the request demands it.
    ValidateForRequest,
}

impl Freshness {
    /// Computes the freshness of `response` from its directives and its `explicit` lifetime.
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

    /// Returns true if the response has no freshness lifetime.
    pub(super) const fn is_none(&self) -> bool {
        self.lifetime.is_zero()
    }

    /// Returns true if the response must be validated for every request.
    pub(crate) const fn is_never_fresh(&self) -> bool {
        self.always_validate || self.lifetime.is_zero()
    }

    /// Returns true if the origin or the operator has given the lifetime, which is not over.
    #[must_use]
    pub fn is_declared(&self, now: Instant) -> bool {
        self.said_by != LifetimeSource::LastModified
            && self.decide(&RequestControl::default(), now) == ServeDecision::Fresh
    }

    /// Returns true if the request's `min-fresh` exceeds the whole freshness lifetime.
    pub(crate) fn is_too_short_for(&self, control: &RequestControl) -> bool {
        control.min_fresh.is_some_and(|min| self.lifetime < min)
    }

    /// Returns the same freshness, but stale from `at` on.
    pub(crate) fn until(self, at: Instant) -> Self {
        let lifetime = self.lifetime.min(self.age(at));
        let cut = lifetime < self.lifetime;
        Self { lifetime, said_by: if cut { LifetimeSource::Purge } else { self.said_by }, ..self }
    }

    /// Returns the freshness lifetime, counted from origination, and its source.
    #[must_use]
    pub const fn lifetime(&self) -> (Duration, LifetimeSource) {
        (self.lifetime, self.said_by)
    }

    /// Returns the age of the response.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        self.initial_age + now.saturating_duration_since(self.received)
    }

    /// Returns the seconds for which the response remains fresh, negative if it is stale.
    #[must_use]
    pub fn time_to_live(&self, now: Instant) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime) - seconds(self.age(now))
    }

    /// Returns true if a request with `control` may be answered with a response that was fetched
    /// for another request. `unsent` is true if the origin was asked only after this request
    /// arrived; then a response that needs validation is as good as validated.
    #[must_use]
    pub fn allows(&self, control: &RequestControl, unsent: bool, now: Instant) -> bool {
        match self.decide(control, now) {
            ServeDecision::Fresh | ServeDecision::Stale | ServeDecision::WhileRevalidating => true,
            ServeDecision::Validate => unsent,
            ServeDecision::ValidateForRequest => unsent && control.asks_origin(),
        }
    }

    /// Decides what a request with `control` may do with the response.
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

    /// Returns true if the response may be served although the origin failed to validate it (RFC
    /// 9111 §4.2.4, RFC 5861 §4). It may be stale for as long as its `stale-if-error` allows.
    /// Without that directive it may be stale for `unsaid` if the origin is unreachable, and not at
    /// all after a server error.
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

/// Returns a tenth of the time since the last modification (§4.2.2).
fn heuristic_lifetime(response: &Response<'_>, control: &ResponseControl) -> Option<Duration> {
    if !(allows_heuristics(response.status) || control.public) {
        return None;
    }
    let modified = response.fields.only(Name::LastModified).and_then(date::parse_relaxed)?;
    let unmodified = response.date().duration_since(modified).unwrap_or_default();
    Some((unmodified / 10).min(MAX_HEURISTIC))
}

/// Returns true if the status code is heuristically cacheable (RFC 9110 §15.1).
pub(super) const fn allows_heuristics(status: Status) -> bool {
    matches!(status.code(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Returns the age at reception (RFC 9111 §4.2.3): the larger of the apparent age, by the clock,
/// and of the `Age` field plus the response delay. A lifetime that the operator gives begins at
/// reception.
fn initial_age(response: &Response<'_>) -> Duration {
    if response.forced.is_some() {
        return Duration::ZERO;
    }
    let apparent = response.now.wall.duration_since(response.date()).unwrap_or_default();
    let delay = response.now.mono.saturating_duration_since(response.sent);
    // The first of several values counts; a value that is not a number does not (§5.1).
    let age = response.fields.elements(Name::Age).next().and_then(seconds);
    apparent.max(age.unwrap_or_default() + delay)
}
