//! Queries to the cache.

use std::sync::Arc;

use crate::cache::{CacheKey, Presented};
use crate::http::RequestHead;
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::Route;
use crate::tls::Facts;

use super::context::ClientCx;

/// Joined fetches that may fail to answer a request before it gets a fetch of its own.
pub(super) const MAX_FAILED_JOINS: u32 = 2;

/// A request as the cache is asked about it.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) route: Arc<Route>,
    pub(super) facts: RequestFacts,
    pub(super) key: CacheKey,
    /// True if the cache neither answers nor stores, by a rule of the operator.
    pub(super) bypasses_cache: bool,
    pub(super) presented: Presented,
    /// Number of joined fetches that could not answer the request.
    pub(super) failed_joins: u32,
}

impl Query {
    /// Returns the first query for a request that has a `route`, of a client with the session `tls`.
    pub(super) fn new(
        route: Arc<Route>,
        request: &Arc<RequestHead>,
        tls: Option<&Arc<Facts>>,
        cx: &ClientCx<'_>,
    ) -> Self {
        let policy = route.site().map(|site| &site.route.policy.cache);
        Self {
            facts: RequestFacts::of(request, tls, &cx.shared.settings),
            key: route.key(cx.shared.cache.keys()),
            bypasses_cache: policy.is_some_and(|policy| policy.bypass(request).is_some()),
            presented: match policy.is_some_and(|policy| policy.ignore_no_cache) {
                true => cx.shared.cache.keys().present_without_demands(request),
                false => cx.shared.present(request),
            },
            route,
            failed_joins: 0,
        }
    }
}
