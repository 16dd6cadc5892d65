//! Result of a cache look-up: a stored response, a fetch to join, or a miss.

use std::sync::Arc;
use std::time::Instant;

use crate::cache::in_flight::InFlightTable;
use crate::cache::in_flight::offers::Stage;
use crate::cache::policy::control::RequestControl;
use crate::cache::policy::freshness::ServeDecision;
use crate::cache::policy::presented::Presented;
use crate::cache::store::Found;
use crate::cache::store::object::Object;
use crate::http::{Method, Name, cond};

use super::key::CacheKey;

/// Result of looking up a request.
#[derive(Debug)]
pub enum Lookup<F> {
    /// A stored response that may be served, and how.
    Hit(Arc<Object>, ServeDecision),
    /// A stored response that must be validated first, and why.
    Stale(Arc<Object>, ServeDecision),
    /// A stored response of which some wanted bytes are missing. The range of wanted bytes goes
    /// from the first byte to one past the last.
    Partial(Arc<Object>, (u64, u64)),
    /// A fetch in flight that the request may join.
    InFlight {
        /// The fetch, as the value that its owner passed to `begin`.
        fetch: F,
        /// True if the fetch's request has not been sent yet, so that the origin chooses its
        /// response after this request arrived.
        unsent: bool,
    },
    /// No stored response and no fetch to join.
    Miss(MissReason),
}

/// Reason of a miss (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is stored for the URI.
    Uri,
    /// Stored responses of the URI were selected by requests with other values in the selecting
    /// fields.
    Vary,
    /// The stored response lacks bytes that the request asks for.
    Part,
    /// Responses to the method are not stored.
    Method,
    /// The request forbids a stored response (`no-cache`), or storing one (`no-store`).
    Request,
    /// The cache is off.
    Bypass,
}

/// Decides how a request is served from the object `found` in the store and from the fetches in
/// flight.
pub(super) fn decide<F: Copy>(
    found: Found,
    busy: &InFlightTable<F>,
    key: &CacheKey,
    request: &mut Presented,
    now: Instant,
) -> Lookup<F> {
    let control = *request.control();
    let missing = if found.names.is_none() { MissReason::Uri } else { MissReason::Vary };
    let selected = found.selected.map(|object| {
        let usable = object.freshness().decide(&control, now);
        (object, usable)
    });
    let incomplete = selected.as_ref().is_some_and(|(object, _)| !object.covers(request.head()));
    if let Some((object, usable)) = &selected
        && !incomplete
        && let Some(usable) = busy.usable(key, request.head().method(), *usable)
    {
        return Lookup::Hit(Arc::clone(object), usable);
    }
    if may_join(request)
        && let Some((fetch, stage)) = busy.fetch_for(key, request, joined_from(&selected, &control))
    {
        return Lookup::InFlight { fetch, unsent: stage != Stage::Sent };
    }
    match selected {
        Some((object, usable)) if !incomplete => Lookup::Stale(object, usable),
        _ if control.no_cache || control.no_store => Lookup::Miss(MissReason::Request),
        Some((object, _)) => match object.wanted_by(request.head()) {
            Some(wanted) => Lookup::Partial(object, wanted),
            None => Lookup::Miss(MissReason::Part),
        },
        None => Lookup::Miss(missing),
    }
}

/// Returns the earliest stage at which a fetch in flight can answer the request. A request that
/// demands the origin's own answer (RFC 9111 §5.2.1.4), or whose `min-fresh` exceeds the lifetime
/// of the stored response, joins only a fetch that demands the same and has not been sent. If the
/// stored response must be validated for each request (§5.2.2.4), a request joins only a fetch that
/// has not been sent.
fn joined_from(selected: &Option<(Arc<Object>, ServeDecision)>, control: &RequestControl) -> Stage {
    match selected {
        _ if control.asks_origin() => Stage::WaitingForOrigin,
        Some((object, _)) if object.freshness().is_too_short_for(control) => {
            Stage::WaitingForOrigin
        }
        Some((object, _)) if object.freshness().is_never_fresh() => Stage::Waiting,
        _ => Stage::Sent,
    }
}

/// Returns true if the request may be answered with the response to another request that is in
/// flight.
pub(super) fn may_join(request: &Presented) -> bool {
    let (head, control) = (request.head(), request.control());
    head.method() == Method::Get
        && !control.no_store
        && !head.framing().has_content()
        && !head.fields().has(Name::Authorization)
        && !cond::has_write_precondition(head.fields())
}
