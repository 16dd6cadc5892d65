//! Plans of fetches: stored responses to validate, one to serve if the origin fails, or one to
//! complete.

use std::sync::Arc;

use crate::cache::Object;
use crate::http::cond::{self, Validators};
use crate::http::{Method, Name, RequestHead};
use crate::proxy::fetch::RangeFill;
use crate::proxy::fetch::request::FetchRequest;
use crate::proxy::observe::exchange_record::ExchangeRecord;

use super::context::ClientCx;
use super::query::Query;

/// Stored responses that a fetch can use.
#[derive(Default)]
pub(super) struct FetchPlan {
    validate: Vec<Arc<Object>>,
    fallback: Option<Arc<Object>>,
    fill: Option<RangeFill>,
}

impl FetchPlan {
    /// Returns the plan for a stale response: the origin validates it, and clients get it if the origin
    /// fails, unless the request `asks` for validation. Other stored variants are validated too,
    /// because the origin may select one of them.
    pub(super) fn stale(
        object: Arc<Object>,
        asks: bool,
        query: &Query,
        cx: &mut ClientCx<'_>,
    ) -> Self {
        let mut validate = validated(&object);
        if object.content.is_whole() && object.head.has(Name::ETag) {
            let others = candidates(query, cx).into_iter();
            validate.extend(others.filter(|other| !Arc::ptr_eq(other, &object)));
        }
        Self { validate, fallback: (!asks).then_some(object), fill: None }
    }

    /// Returns the plan to validate a response while clients are served it.
    pub(super) fn served(object: &Arc<Object>) -> Self {
        Self { validate: validated(object), ..Self::default() }
    }

    /// Returns the plan to complete a partial response by the bytes that are `wanted`.
    pub(super) fn part(object: Arc<Object>, wanted: (u64, u64), cx: &ClientCx<'_>) -> Self {
        let slice = cx.shared.settings.limits.range_slice.map(|slice| slice.0);
        Self { fill: RangeFill::of(object, wanted, slice), ..Self::default() }
    }

    /// Returns the plan for a request that selects no stored response: the origin may select a stored
    /// variant, or slices are fetched.
    pub(super) fn none(query: &Query, cx: &mut ClientCx<'_>) -> Self {
        Self { validate: candidates(query, cx), fallback: None, fill: slices(query, cx) }
    }

    /// Returns the fetch request for the query of a client with the request `head`.
    pub(super) fn fetch_request(
        self,
        query: Query,
        head: Arc<RequestHead>,
        record: &ExchangeRecord,
    ) -> FetchRequest {
        FetchRequest {
            head,
            facts: query.facts,
            bypasses_cache: query.bypasses_cache,
            presented: query.presented,
            route: query.route,
            origin: None,
            key: query.key,
            client: record.client,
            behind: record.behind,
            id: record.id.clone(),
            destination: record.destination,
            is_secure: record.is_secure(),
            user: record.user.clone(),
            validate: self.validate,
            fallback: self.fallback,
            fill: self.fill,
            background: false,
            upload: None,
            old_origin: false,
            answered: None,
            gathered: None,
            bound_to: None,
        }
    }
}

/// Returns the response if it has validators. Without validators, the client's own conditions are
/// forwarded.
fn validated(object: &Arc<Object>) -> Vec<Arc<Object>> {
    let validated = Validators::of(&object.head).is_some();
    validated.then(|| Arc::clone(object)).into_iter().collect()
}

/// Returns stored responses of which the origin may select one, if the request asks for a whole
/// representation.
fn candidates(query: &Query, cx: &mut ClientCx<'_>) -> Vec<Arc<Object>> {
    if is_unconditional(query) && !query.presented.head().fields().has(Name::Range) {
        cx.shared.cache.validation_candidates(&query.key)
    } else {
        Vec::new()
    }
}

/// Returns the slices to fetch for a request for one range of which nothing is stored.
fn slices(query: &Query, cx: &ClientCx<'_>) -> Option<RangeFill> {
    let slice = cx.shared.settings.limits.range_slice?.0;
    if !is_unconditional(query) {
        return None;
    }
    RangeFill::of_slices(query.presented.head().fields(), slice)
}

/// Returns true if the request asks for the current representation, which any client may get.
fn is_unconditional(query: &Query) -> bool {
    let head = query.presented.head();
    let fields = head.fields();
    head.method() == Method::Get
        && !head.body_length().has_content()
        && !cond::is_conditional(fields)
        && !cond::has_write_precondition(fields)
        && ![Name::IfRange, Name::Authorization].into_iter().any(|name| fields.has(name))
        && !query.presented.control().no_store
}
