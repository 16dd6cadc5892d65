//! What a fetch begins with: stored responses to ask about, one to serve if nobody answers, or one to
//! complete.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{Object, Presented, RequestControl};
use crate::http::cond::{self, Validators};
use crate::http::{Method, Name, RequestHead};
use crate::proxy::fetch::RangeFill;
use crate::proxy::fetch::request::FetchRequest;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::Exchange;

/// What is known of a response before it is asked for.
#[derive(Default)]
pub(super) struct FetchPlan {
    validate: Vec<Arc<Object>>,
    fallback: Option<Arc<Object>>,
    fill: Option<RangeFill>,
}

impl FetchPlan {
    /// A stale response, to be asked about, and to be served if nobody answers, unless the request
    /// `asks` for validation. Where others are stored, what holds now may be one of them.
    pub(super) fn stale(
        object: Arc<Object>,
        asks: bool,
        client: &Client,
        cx: &mut ClientCx<'_>,
    ) -> Self {
        let mut validate = validated(&object);
        if object.content.is_whole() && object.head.has(Name::ETag) {
            validate.extend(others(client, cx).into_iter().filter(|o| !Arc::ptr_eq(o, &object)));
        }
        Self { validate, fallback: (!asks).then_some(object), fill: None }
    }

    /// A response that is asked about while it is served.
    pub(super) fn served(object: &Arc<Object>) -> Self {
        Self { validate: validated(object), ..Self::default() }
    }

    /// A response of which something is missing that is `wanted`.
    pub(super) fn part(object: Arc<Object>, wanted: (u64, u64), cx: &mut ClientCx<'_>) -> Self {
        let slice = cx.shared.settings.limits.range_slice.map(|slice| slice.0);
        Self { fill: RangeFill::of(object, wanted, slice), ..Self::default() }
    }

    /// Nothing that this request selects: it may turn out to be what another one has selected, or a
    /// slice may be fetched.
    pub(super) fn none(client: &Client, cx: &mut ClientCx<'_>) -> Self {
        Self { validate: others(client, cx), fallback: None, fill: slices(client, cx) }
    }

    /// What is to be fetched for an exchange that has a route.
    pub(super) fn fetch_request(
        self,
        exchange: &Exchange,
        presented: Presented,
        client: SocketAddr,
    ) -> Option<FetchRequest> {
        Some(FetchRequest {
            head: Rc::clone(&exchange.request),
            presented,
            route: exchange.route.clone()?,
            key: exchange.key.clone()?,
            client,
            validate: self.validate,
            fallback: self.fallback,
            fill: self.fill,
            background: false,
            upload: None,
            old_origin: false,
            gathered: None,
            bound_to: None,
        })
    }
}

/// A response, if the origin can be asked whether it still holds. If not, the client's own conditions
/// are what it is asked.
fn validated(object: &Arc<Object>) -> Vec<Arc<Object>> {
    let validated = Validators::of(&object.head).is_some();
    validated.then(|| Arc::clone(object)).into_iter().collect()
}

/// Stored responses of which the origin may say that one is what it would send, to a request that asks
/// for the whole.
fn others(client: &Client, cx: &mut ClientCx<'_>) -> Vec<Arc<Object>> {
    let exchange = client.exchange.as_ref().filter(|exchange| {
        is_unconditional(&exchange.request) && !exchange.request.fields().has(Name::Range)
    });
    let key = exchange.and_then(|exchange| exchange.key.as_ref());
    key.map(|key| cx.shared.cache.validation_candidates(key)).unwrap_or_default()
}

/// The slices to fetch for a request of which nothing is stored, if it asks for one range.
fn slices(client: &Client, cx: &mut ClientCx<'_>) -> Option<RangeFill> {
    let slice = cx.shared.settings.limits.range_slice?.0;
    let request = &client.exchange.as_ref()?.request;
    if !is_unconditional(request) {
        return None;
    }
    RangeFill::of_slices(request.fields(), slice)
}

/// Whether a request is for whatever the origin has now, and the answer for everybody.
fn is_unconditional(request: &RequestHead) -> bool {
    let fields = request.fields();
    request.method() == Method::Get
        && !request.framing().has_content()
        && !cond::is_conditional(fields)
        && !cond::has_write_precondition(fields)
        && ![Name::IfRange, Name::Authorization].into_iter().any(|name| fields.has(name))
        && !RequestControl::of(fields).no_store
}
