//! Filling: completes a stored response by fetching its gaps one by one. The stored parts are put in
//! their places in the body.

use std::net::IpAddr;

use crate::access::AddressClass;
use crate::balance::Outcome;
use crate::cache::Object;
use crate::http::range::Part;
use crate::http::{BodyLength, ParseError, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::pending_response::ResponseMeta;

use super::attempt::Received;
use super::context::FetchCx;
use super::publish::publish;
use super::range_fill::{MAX_REQUESTS, RangeFill, is_gap_response, next_range};
use super::revalidate;
use super::state::Fetch;
use super::step::AfterHead;

/// Takes the head of a response to the request for a gap. Returns `None` if there was no such
/// request, or if the origin answers the client's own request instead.
///
/// # Errors
/// A truncated response, if an earlier gap was filled and this one is not.
pub(super) fn take_head(
    fetch: &mut Fetch,
    received: Received<'_>,
    cx: &mut FetchCx<'_>,
) -> Result<Option<AfterHead>, ExchangeError> {
    let head = received.head;
    let Some(fill) = fetch.request.fill.clone() else { return Ok(None) };
    let Some(object) = &fill.object else { return Ok(None) };
    let is_published = fill.requests > 1;
    let address = received.origin.map(|address| address.ip());
    if let Some(part) = fill.part_of(head, object).filter(|_| may_merge(object, address)) {
        if is_published {
            return Ok(Some(AfterHead::Content));
        }
        if fill.is_feasible_with(part) {
            begin(fetch, received, &fill, object, cx);
            return Ok(Some(AfterHead::Content));
        }
    }
    if is_published {
        cx.shared.cache.forget(&fetch.request.key);
        fetch.outcome.get_or_insert(Outcome::Success); // the member has answered
        return Err(ExchangeError::BadResponse(ParseError::Truncated));
    }
    fetch.request.fill = None;
    if is_gap_response(head.status()) {
        cx.shared.cache.forget(&fetch.request.key);
        return Ok(Some(AfterHead::AskAgain));
    }
    Ok(None)
}

/// Returns true if bytes from `address` may be stored beside those of `object`.
fn may_merge(object: &Object, address: Option<IpAddr>) -> bool {
    let internal = address.is_some_and(|address| AddressClass::of(address).is_internal());
    let alone = object.no_merge || internal;
    object.origin_address.is_none() || object.origin_address == address || !alone
}

/// Publishes the response that the stored parts and the gaps make together. The first gap is being
/// received.
fn begin(
    fetch: &mut Fetch,
    received: Received<'_>,
    fill: &RangeFill,
    object: &Object,
    cx: &mut FetchCx<'_>,
) {
    let (object, storable) = revalidate::updated(fetch, received, object, cx);
    if storable.is_err() {
        cx.shared.cache.forget(&fetch.request.key);
    }
    let length = object.length();
    let meta = ResponseMeta {
        sticky: None,
        status: Status::OK,
        head: object.head.clone(),
        body_length: BodyLength::Known(length),
        storing: storable,
        part: Some(Part { first: fill.first, end: fill.end, length }),
        origin: received.origin,
    };
    publish(fetch, meta, cx);
    let stored = object.content.part(fill.first, fill.gap.0);
    fetch.response(&mut cx.shared.responses).body.append(stored, cx.reactor);
}

/// Appends the stored part that follows a filled gap. Returns true if another gap is to be requested.
///
/// # Errors
/// A truncated response, if the origin needs too many requests.
pub(super) fn next_gap(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Result<bool, ExchangeError> {
    let body = &mut fetch.response(&mut cx.shared.responses).body;
    let Some(fill) = &mut fetch.request.fill else { return Ok(false) };
    let Some(object) = &fill.object else { return Ok(false) };
    let next = next_range(object, body.end(), fill.end);
    let stored_to = next.map_or(fill.end, |(first, _)| first);
    body.append(object.content.part(body.end(), stored_to), cx.reactor);
    let Some(gap) = next else { return Ok(false) };
    fill.gap = gap;
    fill.requests += 1;
    if fill.requests > MAX_REQUESTS {
        cx.shared.cache.forget(&fetch.request.key);
        return Err(ExchangeError::BadResponse(ParseError::Truncated));
    }
    Ok(true)
}
