//! Whether a response may be stored, how long it is fresh, and when it may be used (RFC 9111).

use std::time::{Duration, Instant};

use crate::http::cond::Validators;
use crate::http::{Fields, Framing, Method, Name, RequestHead, ResponseHead, Status, date};
use crate::time::Now;

use super::control::{RequestControl, ResponseControl, Scope};

/// No response is assumed fresh for longer than this without saying so (RFC 9111 §4.2.2).
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The request's method is not GET.
    Method,
    /// The request or the response says `no-store`.
    NoStore,
    /// It is for one user.
    Private,
    /// The request had credentials, and the response does not say that it may be shared.
    Authorization,
    /// Its status is not stored without explicit freshness, or not at all.
    Status,
    /// It has neither freshness nor a validator, so that it could never be used.
    Useless,
    /// It was selected by something no request shows (`Vary: *`).
    VaryAll,
    /// It sets a cookie, and does not say how long it is fresh.
    Cookie,
    /// It is a part, or its content is coded for this connection.
    Partial,
    /// It is larger than an object may be, or does not fit beside what is under way.
    TooLarge,
    /// There is no cache.
    Off,
}

impl NotStored {
    /// A word for `Cache-Status` and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Status => "status",
            Self::Useless => "no-freshness",
            Self::VaryAll => "vary-all",
            Self::Cookie => "set-cookie",
            Self::Partial => "partial",
            Self::TooLarge => "too-large",
            Self::Off => "off",
        }
    }
}

/// How fresh a stored response is: decided when it comes in, so that using it is one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the response came.
    received: Instant,
    /// How old it was then (RFC 9111 §4.2.3, corrected_initial_age).
    initial_age: Duration,
    /// How long it is fresh, counted from its origination.
    lifetime: Duration,
    /// It is never used without validation.
    always_validate: bool,
    /// It is not used stale, whatever the request says.
    never_stale: bool,
}

/// What to do with a stored response that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Serve it.
    Fresh,
    /// Serve it; it is stale, and the request says that it may be.
    Stale,
    /// It is to be validated first: it is stale, or it says so.
    Validate,
    /// It is to be validated first because the request says so.
    ValidateForRequest,
}

impl Freshness {
    /// Decides on a response that came at `now` to a request sent at `sent`.
    #[must_use]
    pub fn of(response: &Fields, status: Status, sent: Instant, now: Now) -> Self {
        let control = ResponseControl::of(response);
        let expired = Duration::ZERO;
        let lifetime = explicit_lifetime(response, &control, now)
            .unwrap_or_else(|| heuristic_lifetime(response, status, now).unwrap_or(expired));
        Self {
            received: now.mono,
            initial_age: initial_age(response, sent, now),
            lifetime,
            always_validate: control.no_cache == Scope::All,
            never_stale: control.must_revalidate
                || control.proxy_revalidate
                || control.s_maxage.is_some(),
        }
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

    /// Makes it stale from now on.
    pub fn expire(&mut self) {
        self.lifetime = Duration::ZERO;
    }

    /// What a request that says `control` may do with it.
    #[must_use]
    pub fn judge(&self, control: &RequestControl, now: Instant) -> Use {
        let age = self.age(now);
        if control.no_cache || control.max_age.is_some_and(|max| age > max) {
            return Use::ValidateForRequest;
        }
        let fresh_for = self.lifetime.checked_sub(age).filter(|left| !left.is_zero());
        match fresh_for {
            _ if self.always_validate => Use::Validate,
            Some(left) if control.min_fresh.is_some_and(|min| left < min) => {
                Use::ValidateForRequest
            }
            Some(_) => Use::Fresh,
            None if self.never_stale => Use::Validate,
            None if control.max_stale.is_some_and(|max| age - self.lifetime <= max) => Use::Stale,
            None => Use::Validate,
        }
    }
}

/// Whether the response to a request may be stored (RFC 9111 §3).
///
/// # Errors
/// Why not.
pub fn may_store(
    request: &RequestHead,
    response: &ResponseHead,
    now: Now,
) -> Result<(), NotStored> {
    let (fields, status) = (response.fields(), response.status());
    let control = ResponseControl::of(fields);
    if request.method() != Method::Get {
        return Err(NotStored::Method);
    }
    if RequestControl::of(request.fields()).no_store {
        return Err(NotStored::NoStore);
    }
    let understood = is_understood(status);
    if control.must_understand && !understood {
        return Err(NotStored::Status);
    }
    if control.no_store && !control.must_understand {
        return Err(NotStored::NoStore);
    }
    if control.private == Scope::All {
        return Err(NotStored::Private);
    }
    let shared = control.public || control.s_maxage.is_some() || control.must_revalidate;
    if request.fields().has(Name::Authorization) && !shared {
        return Err(NotStored::Authorization);
    }
    if status == Status::NOT_MODIFIED {
        return Err(NotStored::Status);
    }
    if status == Status::PARTIAL_CONTENT
        || fields.has(Name::ContentRange)
        || (fields.has(Name::TransferEncoding) && response.framing() == Framing::Close)
    {
        return Err(NotStored::Partial);
    }
    let explicit = explicit_lifetime(fields, &control, now);
    if explicit.is_none() {
        if !(allows_heuristics(status) || control.public) {
            return Err(NotStored::Status);
        }
        if fields.has(Name::SetCookie) && !control.public {
            return Err(NotStored::Cookie);
        }
    }
    let validators = Validators::of(fields);
    let lifetime = explicit.or_else(|| heuristic_lifetime(fields, status, now));
    let can_be_fresh = lifetime.is_some_and(|lifetime| !lifetime.is_zero());
    if !can_be_fresh && validators.tag.is_none() && validators.modified.is_none() {
        return Err(NotStored::Useless);
    }
    if fields.elements(Name::Vary).any(|name| name == b"*") {
        return Err(NotStored::VaryAll);
    }
    Ok(())
}

/// The lifetime that the response gives itself (§4.2.1). A date that cannot be read is past.
fn explicit_lifetime(fields: &Fields, control: &ResponseControl, now: Now) -> Option<Duration> {
    control.s_maxage.or(control.max_age).or_else(|| {
        fields.has(Name::Expires).then(|| {
            let expires = fields.only(Name::Expires).and_then(date::parse);
            let sent = fields.only(Name::Date).and_then(date::parse).unwrap_or(now.wall);
            expires.and_then(|at| at.duration_since(sent).ok()).unwrap_or_default()
        })
    })
}

/// A tenth of the time since it was last modified (§4.2.2).
fn heuristic_lifetime(fields: &Fields, status: Status, now: Now) -> Option<Duration> {
    let modified = fields.only(Name::LastModified).and_then(date::parse)?;
    let control = ResponseControl::of(fields);
    if !(allows_heuristics(status) || control.public) || fields.has(Name::Expires) {
        return None;
    }
    let sent = fields.only(Name::Date).and_then(date::parse).unwrap_or(now.wall);
    Some((sent.duration_since(modified).unwrap_or_default() / 10).min(MAX_HEURISTIC))
}

/// RFC 9110 §15.1: the status codes that are heuristically cacheable.
const fn allows_heuristics(status: Status) -> bool {
    matches!(status.code(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The status codes whose caching is known here, for `must-understand`.
const fn is_understood(status: Status) -> bool {
    allows_heuristics(status) || matches!(status.code(), 302 | 303 | 307 | 400 | 403 | 500..=505)
}

/// RFC 9111 §4.2.3: by the clock, and by what the hops before us counted plus the time it took.
fn initial_age(fields: &Fields, sent: Instant, now: Now) -> Duration {
    let date = fields.only(Name::Date).and_then(date::parse);
    let apparent = date.and_then(|date| now.wall.duration_since(date).ok()).unwrap_or_default();
    let age = fields.get(Name::Age).and_then(|value| {
        std::str::from_utf8(value).ok()?.parse::<u64>().ok().filter(|_| value[0] != b'+')
    });
    let delay = now.mono.saturating_duration_since(sent);
    let counted = Duration::from_secs(age.unwrap_or(0).min(1 << 31)) + delay;
    apparent.max(counted)
}
