//! Filling: what is missing of a stored response is fetched, hole by hole, into one body in which
//! what is here already stands in its place.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::AddressClass;
use crate::cache::Object;
use crate::http::range::Part;
use crate::http::{Framing, ParseError, ResponseHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::pending_response::ResponseMeta;

use super::context::FetchCx;
use super::range_fill::{MAX_ASKED, is_gap_response, next_range};
use super::state::Fetch;
use super::step::{Next, Step};
use super::{publish, revalidate};

/// Takes the head of what was asked for to fill a hole. `None` if it is an answer of its own.
pub(super) fn take_head(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Option<Next> {
    let fill = fetch.request.fill.as_ref()?;
    let object = Arc::clone(fill.object.as_ref()?);
    let begun = fill.asked > 1;
    let here = fetch.connection.map(|connection| connection.address.ip());
    if let Some(part) = fill.brought_by(head, &object).filter(|_| fits_beside(&object, here)) {
        if begun {
            return Some(Next::Go(Step::Content));
        }
        if fill.is_feasible_with(part) {
            return Some(begin(fetch, &object, head, cx));
        }
    }
    if begun {
        cx.shared.cache.forget(&fetch.request.key);
        return Some(Next::Failed(ExchangeError::BadResponse(ParseError::Truncated)));
    }
    fetch.request.fill = None;
    is_gap_response(head.status()).then(|| revalidate::ask_for_the_whole(fetch, cx))
}

/// Whether bytes from an address may be put beside those that are stored.
fn fits_beside(object: &Object, here: Option<IpAddr>) -> bool {
    let apart =
        object.no_merge || here.is_some_and(|address| AddressClass::of(address).is_internal());
    object.origin_address.is_none() || object.origin_address == here || !apart
}

/// The first hole is being filled: that makes an answer of what is stored and what comes.
fn begin(fetch: &mut Fetch, object: &Object, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let Some(fill) = fetch.request.fill.clone() else { return Next::Go(Step::Acquire) };
    let (object, storable) = revalidate::updated(fetch, object, head, cx);
    if storable.is_err() {
        cx.shared.cache.forget(&fetch.request.key);
    }
    let length = object.length();
    let answer = ResponseMeta {
        status: Status::OK,
        head: object.head.clone(),
        framing: Framing::Length(length),
        storing: storable,
        part: Some(Part { first: fill.first, end: fill.end, length }),
        origin: fetch.connection.map(|connection| connection.address),
    };
    let next = publish::publish(fetch, answer, cx);
    if let Some(response) = cx.shared.responses.get_mut(fetch.response) {
        let before = object.content.part(fill.first, fill.gap.0);
        response.body.append(before, cx.reactor);
    }
    next
}

/// A hole is filled: what is stored behind it follows, and the next one is asked for. `None` if none
/// is left.
pub(super) fn next_gap_request(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Option<Next> {
    let fill = fetch.request.fill.as_mut()?;
    let body = &mut cx.shared.responses.get_mut(fetch.response)?.body;
    let object = fill.object.as_ref()?;
    let next = next_range(object, body.end(), fill.end);
    let here = next.map_or(fill.end, |(first, _)| first);
    body.append(object.content.part(body.end(), here), cx.reactor);
    fill.gap = next?;
    fill.asked += 1;
    if fill.asked > MAX_ASKED {
        cx.shared.cache.forget(&fetch.request.key);
        return Some(Next::Failed(ExchangeError::BadResponse(ParseError::Truncated)));
    }
    Some(revalidate::ask_again(fetch, cx))
}
