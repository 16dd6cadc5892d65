//! Results of looking a request up: a stored response, a fetch to join, or nothing.

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

/// What the cache has for a request.
#[derive(Debug)]
pub enum Lookup<F> {
    /// A response that may be served, and why.
    Hit(Arc<Object>, ServeDecision),
    /// A response that has to be validated first, and why.
    Stale(Arc<Object>, ServeDecision),
    /// Some of a response; what is wanted of it, from the first byte to one past the last, is not all
    /// here.
    Partial(Arc<Object>, (u64, u64)),
    /// The response is in flight.
    InFlight {
        /// The fetch that brings it, as its owner knows it.
        fetch: F,
        /// True if the origin has not been asked: the response is fetched for this request, too.
        unsent: bool,
    },
    /// Nothing.
    Miss(MissReason),
}

/// Why there is nothing for a request (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is stored for the URI.
    Uri,
    /// What is stored for the URI was selected by other requests.
    Vary,
    /// What is stored is not all that the request asks for.
    Part,
    /// The method's responses are not stored.
    Method,
    /// The request asks not to be answered from, or stored in, a cache.
    Request,
    /// There is no cache.
    Bypass,
}

/// Decides what a request does with what was `found` in the store, and with fetches in flight.
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

/// Returns the stage from which on fetches can answer a request. A fetch that was sent before the request
/// came brings nothing for a request that must have the origin asked (RFC 9111 §5.2.1.4), or accepts no
/// response as old as it will be, nor a response that has to be validated for each (§5.2.2.4).
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

/// Whether a request may be answered with the response to another one that is not there yet.
pub(super) fn may_join(request: &Presented) -> bool {
    let (head, control) = (request.head(), request.control());
    head.method() == Method::Get
        && !control.no_store
        && !head.framing().has_content()
        && !head.fields().has(Name::Authorization)
        && !cond::has_write_precondition(head.fields())
}
