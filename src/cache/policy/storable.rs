//! Decides if a response may be stored, and for which requests (RFC 9111 §3).

use std::time::Instant;

use crate::http::cond::{self, Validators};
use crate::http::range::Part;
use crate::http::{Fields, Method, Name, RequestHead, Status};

use super::control::{RequestControl, ResponseControl, Scope};
use super::freshness::{Freshness, ServeDecision, allows_heuristics};
use super::presented::Presented;
use super::response::Response;
use super::tags::Tags;
use super::vary::Selection;

/// Reason for not storing a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The method is not GET, or the request has content; and the response does not stand for a GET
    /// of its URI.
    Method,
    /// The request or the response has `no-store`.
    NoStore,
    /// The response is for one user.
    Private,
    /// The request has credentials, and the response does not say that it may be shared.
    Authorization,
    /// The status code is not cacheable, or only with an explicit lifetime.
    Status,
    /// The response has neither a lifetime nor a validator, so that it could never be used.
    Useless,
    /// The response has `Vary: *` or too many names in `Vary`.
    VaryAll,
    /// The response has `Set-Cookie`, and does not say that other clients may receive it.
    Cookie,
    /// The response is a part that cannot be combined with others, or its content has an unknown
    /// transfer coding.
    Partial,
    /// The response exceeds the limit for objects, or does not fit beside the responses in flight.
    TooLarge,
    /// The response has too many tags, or one that is too long, so that not every purge could find
    /// it.
    Tags,
    /// The cache is off.
    Off,
    /// The operator has excluded the request or its route from the cache.
    Bypass,
}

impl NotStored {
    /// Returns the word for `Cache-Status` and logs.
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
            Self::Tags => "tags",
            Self::Off => "off",
            Self::Bypass => "bypass",
        }
    }
}

/// Properties under which a response may be stored.
#[derive(Clone, Debug)]
pub struct Storable {
    /// Freshness of the response.
    pub freshness: Freshness,
    /// Requests that the response answers.
    pub selection: Selection,
    /// Tags by which the response can be purged.
    pub tags: Tags,
    /// True if some fields are withheld from clients other than the requesting one.
    pub withholds: bool,
    /// Part of the representation that a 206 carries.
    pub part: Option<Part>,
}

impl Storable {
    /// Returns true if the response, as received, can answer any other request.
    #[must_use]
    pub fn answers_some(&self, now: Instant) -> bool {
        let use_of_it = self.freshness.decide(&RequestControl::default(), now);
        !self.withholds && use_of_it == ServeDecision::Fresh
    }

    /// Returns true if the response, as received, may answer another `request` that waits for it.
    /// `unsent` is true if that request arrived before the origin was asked.
    #[must_use]
    pub fn answers(&self, request: &mut Presented, unsent: bool, now: Instant) -> bool {
        !self.withholds
            && self.freshness.allows(request.control(), unsent, now)
            && self.selection.fits(request)
    }
}

/// Decides how the response to a request may be stored (RFC 9111 §3).
///
/// # Errors
/// The reason for not storing the response.
pub fn storable(request: &mut Presented, response: &Response<'_>) -> Result<Storable, NotStored> {
    match request.head().method() {
        // Content of a GET may have a meaning, and is not part of the key.
        Method::Get if !request.head().body_length().has_content() => {
            still_storable(request, response)
        }
        Method::Post if response.represents_target() => still_storable(request, response),
        _ => Err(NotStored::Method),
    }
}

/// Decides how a response may be stored that answers a GET or HEAD: also a stored response that a
/// 304 has updated.
///
/// # Errors
/// The reason for not storing the response.
pub fn still_storable(
    request: &mut Presented,
    response: &Response<'_>,
) -> Result<Storable, NotStored> {
    let control = response.control();
    if let Some(reason) = forbidden(request, response, &control) {
        return Err(reason);
    }
    let part = part_of(request.head(), response);
    if (response.status == Status::PARTIAL_CONTENT && part.is_none()) || response.is_coded {
        return Err(NotStored::Partial);
    }
    let explicit = response.explicit_lifetime(&control);
    if explicit.is_none() && !control.public && !allows_heuristics(response.status) {
        return Err(NotStored::Status);
    }
    let may_store_cookies = response.drops_cookies
        || (response.store_cookies && explicit.is_some())
        || response.shares_cookies(&control);
    if response.fields.has(Name::SetCookie) && !may_store_cookies {
        return Err(NotStored::Cookie);
    }
    let freshness = Freshness::of(response, &control, explicit);
    if freshness.is_none() && !Validators::of(response.fields).is_some() {
        return Err(NotStored::Useless);
    }
    let selection = Selection::of(response.fields, request).ok_or(NotStored::VaryAll)?;
    let tags = Tags::of(response.fields).ok_or(NotStored::Tags)?;
    Ok(Storable { freshness, selection, tags, withholds: control.withholds(), part })
}

/// Returns the reason that forbids storing a response, whatever its freshness.
fn forbidden(
    request: &Presented,
    response: &Response<'_>,
    control: &ResponseControl,
) -> Option<NotStored> {
    let status = response.status;
    let fields = request.head().fields();
    if request.control().no_store {
        return Some(NotStored::NoStore);
    }
    if control.must_understand && !is_understood(status) {
        return Some(NotStored::Status);
    }
    if control.no_store && !control.must_understand {
        return Some(NotStored::NoStore);
    }
    if control.private == Scope::All {
        return Some(NotStored::Private);
    }
    if fields.has(Name::Authorization) && !control.permits_credentials() {
        return Some(NotStored::Authorization);
    }
    let of_conditions = depends_on_conditions(fields, status);
    (status == Status::NOT_MODIFIED || of_conditions).then_some(NotStored::Status)
}

/// Returns the part that a 206 carries. `None` unless the part has a strong validator, by which
/// other parts of the same representation are recognised, and the length that it claims.
fn part_of(request: &RequestHead, response: &Response<'_>) -> Option<Part> {
    let fields = response.fields;
    if response.status != Status::PARTIAL_CONTENT || !request.fields().has(Name::Range) {
        return None;
    }
    let strong = Validators::of(fields).are_strong();
    Part::of(fields).filter(|part| strong && part.is_all_of(fields))
}

/// Returns true if `status` depends on a precondition, range or expectation of this request, which
/// other requests do not have.
fn depends_on_conditions(request: &Fields, status: Status) -> bool {
    match status.code() {
        412 => cond::has_write_precondition(request) || cond::is_conditional(request),
        416 => request.has(Name::Range),
        417 => request.has(Name::Expect),
        _ => false,
    }
}

/// Returns true if this cache knows the caching rules of the status code, for `must-understand`.
const fn is_understood(status: Status) -> bool {
    allows_heuristics(status) || matches!(status.code(), 302 | 303 | 307 | 400 | 403 | 500..=505)
}
