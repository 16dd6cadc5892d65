//! Whether a response may be stored, how long it is fresh, and when it may be used (RFC 9111).

use std::time::{Duration, Instant, SystemTime};

use crate::http::cond::{self, Validators};
use crate::http::range::Part;
use crate::http::{Fields, Method, Name, RequestHead, Status, date, reference};
use crate::time::Now;

use super::control::{RequestControl, ResponseControl, Scope, seconds};
use super::freshness_rules::FreshnessRule;
use super::targeted;
use super::vary::Selection;

/// No response is assumed fresh for longer than this without saying so (RFC 9111 §4.2.2).
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The request is no GET, or one with content, and the response does not stand for its URI.
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
    /// It was selected by something no request shows (`Vary: *`), or by too much.
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
    /// It is not used stale, whatever the request says and whatever else it says itself.
    never_stale: bool,
    /// For how long it may be served stale while it is validated.
    while_revalidating: Duration,
    /// For how long it may be served stale if the origin fails, if it says so.
    on_error: Option<Duration>,
}

/// How an origin fails to say whether a stored response still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be reached, or does not answer.
    Unreachable,
    /// It answers 500, 502, 503 or 504 (RFC 5861 §4).
    ServerError,
}

/// What to do with a stored response that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
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
    fn of(response: &Response<'_>, control: &ResponseControl, explicit: Option<Duration>) -> Self {
        let guessed = || {
            let guessed = heuristic_lifetime(response, control)?;
            Some(response.rule().map_or(guessed, |rule| rule.bounded(guessed)))
        };
        let lifetime = explicit.or_else(guessed);
        Self {
            received: response.now.mono,
            initial_age: initial_age(response),
            lifetime: lifetime.unwrap_or_default(),
            always_validate: control.no_cache == Scope::All,
            never_stale: control.must_revalidate
                || control.proxy_revalidate
                || control.s_maxage.is_some(),
            while_revalidating: control.stale_while_revalidate,
            on_error: control.stale_if_error,
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

    /// Whether `request` may be answered without asking the origin.
    #[must_use]
    pub fn allows(&self, request: &RequestHead, now: Instant) -> bool {
        let control = RequestControl::of(request.fields());
        matches!(self.judge(&control, now), Use::Fresh | Use::Stale | Use::WhileRevalidating)
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
            None if control.max_age.is_some() || control.min_fresh.is_some() => Use::Validate,
            None if age - self.lifetime < self.while_revalidating => Use::WhileRevalidating,
            None => Use::Validate,
        }
    }

    /// Whether it may be served though the origin has failed to validate it (RFC 9111 §4.2.4,
    /// RFC 5861 §4): for as long as it says, or, if it cannot be validated at all, for `unsaid`.
    #[must_use]
    pub fn survives(&self, failure: Failure, unsaid: Duration, now: Instant) -> bool {
        let limit = match (self.on_error, failure) {
            (Some(said), _) => said,
            (None, Failure::Unreachable) => unsaid,
            (None, Failure::ServerError) => return false,
        };
        !self.always_validate
            && !self.never_stale
            && self.age(now).saturating_sub(self.lifetime) <= limit
    }
}

/// A response as it came, or as it is after a 304.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The target URI, normalised.
    pub uri: &'a str,
    /// The status.
    pub status: Status,
    /// The fields.
    pub fields: &'a Fields,
    /// Whether its content has a transfer coding that cannot be undone here.
    pub is_coded: bool,
    /// The fields that speak to this cache instead of `Cache-Control` (RFC 9213), most specific
    /// first.
    pub targets: &'a [Name],
    /// The operator's rules, of which the first that is for it counts.
    pub rules: &'a [FreshnessRule],
    /// When the request was sent.
    pub sent: Instant,
    /// When the response came.
    pub now: Now,
}

/// How a response may be stored.
#[derive(Clone, Debug)]
pub struct Storable {
    /// How fresh it is.
    pub freshness: Freshness,
    /// Which requests it answers.
    pub selection: Selection,
    /// Whether some of its fields are for the one who asked for it only.
    pub withholds: bool,
    /// Of a 206, which part of the representation it brings.
    pub part: Option<Part>,
}

impl Storable {
    /// Whether there can be requests that the response, as it comes, may answer.
    #[must_use]
    pub fn answers_some(&self, now: Instant) -> bool {
        let use_of_it = self.freshness.judge(&RequestControl::default(), now);
        !self.withholds && use_of_it == Use::Fresh
    }

    /// Whether the response, as it comes, may answer another request that waits for it.
    #[must_use]
    pub fn answers(&self, request: &RequestHead, now: Instant) -> bool {
        !self.withholds && self.freshness.allows(request, now) && self.selection.fits(request)
    }
}

/// Whether and how the response to a request may be stored (RFC 9111 §3).
///
/// # Errors
/// Why not.
pub fn storable(request: &RequestHead, response: &Response<'_>) -> Result<Storable, NotStored> {
    match request.method() {
        // What content of a GET means is not part of the key.
        Method::Get if !request.framing().has_content() => still_storable(request, response),
        Method::Post if is_what_a_get_brings(response) => still_storable(request, response),
        _ => Err(NotStored::Method),
    }
}

/// Whether the response to a POST is what a GET would have brought (RFC 9110 §9.3.3): it says that
/// it is of the same URI, and how long it is fresh.
fn is_what_a_get_brings(response: &Response<'_>) -> bool {
    let fields = response.fields;
    let control =
        targeted::control(fields, response.targets).unwrap_or_else(|| ResponseControl::of(fields));
    let named = fields.only(Name::ContentLocation);
    let named = named.and_then(|value| std::str::from_utf8(value).ok());
    response.status == Status::OK
        && (control.max_age.is_some() || control.s_maxage.is_some() || fields.has(Name::Expires))
        && named.and_then(|named| reference::resolve(response.uri, named)).as_deref()
            == Some(response.uri)
}

/// The same for a stored response as a 304 has updated it, in answer to a GET or HEAD.
///
/// # Errors
/// Why not.
pub fn still_storable(
    request: &RequestHead,
    response: &Response<'_>,
) -> Result<Storable, NotStored> {
    let (fields, status) = (response.fields, response.status);
    let targeted = targeted::control(fields, response.targets);
    let control = targeted.unwrap_or_else(|| ResponseControl::of(fields));
    if RequestControl::of(request.fields()).no_store {
        return Err(NotStored::NoStore);
    }
    if control.must_understand && !is_understood(status) {
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
    if status == Status::NOT_MODIFIED || depends_on_conditions(request.fields(), status) {
        return Err(NotStored::Status);
    }
    let part = part_of(request, response);
    if (status == Status::PARTIAL_CONTENT && part.is_none()) || response.is_coded {
        return Err(NotStored::Partial);
    }
    let expires = if targeted.is_none() { explicit_expiry(response) } else { None };
    let said = control.s_maxage.or(control.max_age).or(expires);
    let rule = response.rule();
    let explicit = rule.map_or(said, |rule| rule.lifetime(said));
    if explicit.is_none() {
        if !(allows_heuristics(status) || control.public) {
            return Err(NotStored::Status);
        }
        if fields.has(Name::SetCookie) && !control.public {
            return Err(NotStored::Cookie);
        }
    }
    let freshness = Freshness::of(response, &control, explicit);
    if freshness.lifetime.is_zero() && !Validators::of(fields).is_some() {
        return Err(NotStored::Useless);
    }
    let selection = Selection::of(fields, request).ok_or(NotStored::VaryAll)?;
    Ok(Storable { freshness, selection, withholds: control.withholds(), part })
}

/// The part that a 206 brings, if it is known to be one of a representation that others of its parts
/// can be told to be of, and is as long as it says.
fn part_of(request: &RequestHead, response: &Response<'_>) -> Option<Part> {
    let fields = response.fields;
    if response.status != Status::PARTIAL_CONTENT || !request.fields().has(Name::Range) {
        return None;
    }
    let strong = Validators::of(fields).are_strong();
    Part::of(fields).filter(|part| strong && part.is_all_of(fields))
}

/// Whether a request has got `status` for a precondition, range or expectation of its own, which
/// others do not have.
fn depends_on_conditions(request: &Fields, status: Status) -> bool {
    match status.code() {
        412 => cond::guards_a_change(request) || cond::is_conditional(request),
        416 => request.has(Name::Range),
        417 => request.has(Name::Expect),
        _ => false,
    }
}

/// The lifetime that `Expires` gives (§4.2.1). A date that cannot be read is past.
fn explicit_expiry(response: &Response<'_>) -> Option<Duration> {
    let fields = response.fields;
    fields.has(Name::Expires).then(|| {
        let expires = fields.only(Name::Expires).and_then(date::parse);
        expires.and_then(|at| at.duration_since(response.date()).ok()).unwrap_or_default()
    })
}

/// A tenth of the time since it was last modified (§4.2.2).
fn heuristic_lifetime(response: &Response<'_>, control: &ResponseControl) -> Option<Duration> {
    if !(allows_heuristics(response.status) || control.public) {
        return None;
    }
    let modified = response.fields.only(Name::LastModified).and_then(date::parse)?;
    let unmodified = response.date().duration_since(modified).unwrap_or_default();
    Some((unmodified / 10).min(MAX_HEURISTIC))
}

impl Response<'_> {
    fn rule(&self) -> Option<&FreshnessRule> {
        self.rules.iter().find(|rule| rule.is_for(self.uri, self.status.code()))
    }

    /// When it was sent, as far as is known.
    fn date(&self) -> SystemTime {
        self.fields.only(Name::Date).and_then(date::parse).unwrap_or(self.now.wall)
    }
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
fn initial_age(response: &Response<'_>) -> Duration {
    let apparent = response.now.wall.duration_since(response.date()).unwrap_or_default();
    let delay = response.now.mono.saturating_duration_since(response.sent);
    // Of several values the first counts, and one that is no number does not (§5.1).
    let age = response.fields.elements(Name::Age).next().and_then(seconds);
    apparent.max(age.unwrap_or_default() + delay)
}
