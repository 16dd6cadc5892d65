//! Whether a response may be stored, and for which requests (RFC 9111 §3).

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
    /// The response sets a cookie, and does not say that it is for other clients.
    Cookie,
    /// It is a part, or its content is coded for this connection.
    Partial,
    /// It is larger than an object may be, or does not fit beside what is under way.
    TooLarge,
    /// It has too many tags, or too long ones, to be found by all of them.
    Tags,
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
            Self::Tags => "tags",
            Self::Off => "off",
        }
    }
}

/// How a response may be stored.
#[derive(Clone, Debug)]
pub struct Storable {
    /// How fresh it is.
    pub freshness: Freshness,
    /// Which requests it answers.
    pub selection: Selection,
    /// What it can be purged by.
    pub tags: Tags,
    /// Whether some of its fields are for the one who asked for it only.
    pub withholds: bool,
    /// Of a 206, which part of the representation it brings.
    pub part: Option<Part>,
}

impl Storable {
    /// Whether there can be requests that the response, as it comes, may answer.
    #[must_use]
    pub fn answers_some(&self, now: Instant) -> bool {
        let use_of_it = self.freshness.decide(&RequestControl::default(), now);
        !self.withholds && use_of_it == ServeDecision::Fresh
    }

    /// Returns true if the response, as it comes, may answer another request that waits for it, since
    /// before the origin was asked if that was `unsent` then.
    #[must_use]
    pub fn answers(&self, request: &mut Presented, unsent: bool, now: Instant) -> bool {
        !self.withholds
            && self.freshness.allows(request.control(), unsent, now)
            && self.selection.fits(request)
    }
}

/// Whether and how the response to a request may be stored (RFC 9111 §3).
///
/// # Errors
/// Why not.
pub fn storable(request: &mut Presented, response: &Response<'_>) -> Result<Storable, NotStored> {
    match request.head().method() {
        // What content of a GET means is not part of the key.
        Method::Get if !request.head().framing().has_content() => still_storable(request, response),
        Method::Post if response.is_what_a_get_brings() => still_storable(request, response),
        _ => Err(NotStored::Method),
    }
}

/// The same for a stored response as a 304 has updated it, in answer to a GET or HEAD.
///
/// # Errors
/// Why not.
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
    if response.fields.has(Name::SetCookie)
        && !(response.store_cookies && explicit.is_some())
        && !response.shares_cookies(&control)
    {
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

/// What forbids that a response is stored, however fresh it may be.
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
    let shared = control.public || control.s_maxage.is_some() || control.must_revalidate;
    if fields.has(Name::Authorization) && !shared {
        return Some(NotStored::Authorization);
    }
    let of_conditions = depends_on_conditions(fields, status);
    (status == Status::NOT_MODIFIED || of_conditions).then_some(NotStored::Status)
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
        412 => cond::has_write_precondition(request) || cond::is_conditional(request),
        416 => request.has(Name::Range),
        417 => request.has(Name::Expect),
        _ => false,
    }
}

/// The status codes whose caching is known here, for `must-understand`.
const fn is_understood(status: Status) -> bool {
    allows_heuristics(status) || matches!(status.code(), 302 | 303 | 307 | 400 | 403 | 500..=505)
}
