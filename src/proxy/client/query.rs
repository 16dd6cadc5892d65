//! Queries to the cache.

use std::sync::Arc;

use crate::cache::{CacheKey, Presented};
use crate::proxy::routing::route::Route;

use super::context::ClientCx;
use super::exchange::Exchange;
use super::state::{Join, Lookup};

/// Joined fetches that may fail to answer a request before it gets a fetch of its own.
pub(super) const MAX_FAILED_JOINS: u32 = 2;

/// A request as the cache is asked about it.
pub(super) struct Query {
    pub(super) route: Arc<Route>,
    pub(super) key: CacheKey,
    pub(super) presented: Presented,
    /// Number of joined fetches that could not answer the request.
    pub(super) failed_joins: u32,
}

impl Query {
    /// Returns the query for an exchange, with the work that an earlier lookup has done.
    pub(super) fn new(lookup: Lookup, exchange: &Exchange, cx: &ClientCx<'_>) -> Self {
        let Lookup { route, failed_join } = lookup;
        match failed_join {
            Some(join) => {
                let Join { key, presented, failed, .. } = *join;
                Self { route, key, presented, failed_joins: failed }
            }
            None => {
                let key = cx.shared.cache.keys().key(&route.uri);
                let presented = cx.shared.present(&exchange.request);
                Self { route, key, presented, failed_joins: 0 }
            }
        }
    }
}
