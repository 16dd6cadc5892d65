//! Requests as clients hand them to a fetch.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cache::{CacheKey, Object, Presented};
use crate::http::{BodyLength, RequestHead};
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::{Origin, Route};
use crate::proxy::transfer::body::Body;
use crate::reactor::{Id, Token};

use super::RangeFill;

/// A request to be fetched.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(crate) head: Arc<RequestHead>,
    pub(crate) facts: RequestFacts,
    /// The request as the cache compares it.
    pub(crate) presented: Presented,
    pub(crate) route: Arc<Route>,
    /// The origin, once it is known: before the request is sent.
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) key: CacheKey,
    pub(crate) client: SocketAddr,
    /// The client's address behind trusted proxies.
    pub(crate) behind: IpAddr,
    /// The authenticated user.
    pub(crate) user: Option<Arc<str>>,
    /// Stored responses to be validated: the origin may confirm one of them (304).
    pub(crate) validate: Vec<Arc<Object>>,
    /// A stale response to be served if the origin fails.
    pub(crate) fallback: Option<Arc<Object>>,
    /// The range that completes a stored response.
    pub(crate) fill: Option<RangeFill>,
    /// True if the response is for the cache, while clients are served a stale one.
    pub(crate) background: bool,
    /// The body into which the client writes the request's content.
    pub(crate) upload: Option<Id<Body>>,
    /// Set once the origin is known to speak HTTP/1.0.
    pub(crate) old_origin: bool,
    /// Length of an upload that was received completely, so that it is sent without chunks.
    pub(crate) gathered: Option<u64>,
    /// The only client that may use the connection, which this request or an earlier one of the
    /// same client authenticates (RFC 4559).
    pub(crate) bound_to: Option<Token>,
}

impl FetchRequest {
    /// Returns true if a site of a reverse proxy forwards the request.
    pub(super) fn is_reverse(&self) -> bool {
        self.route.site().is_some()
    }

    /// Returns the `Host` that the origin gets.
    pub(super) fn host_field(&self) -> &str {
        let origin = self.origin.as_ref();
        origin.map_or(self.route.authority(), |origin| self.route.host_field(origin))
    }

    /// Returns true if the request's content is received completely before it is sent, because the
    /// origin does not understand chunks (RFC 9112 §6.1).
    pub(super) fn needs_gathering(&self) -> bool {
        self.old_origin
            && self.upload.is_some()
            && self.gathered.is_none()
            && self.head.body_length() == BodyLength::Unknown
    }
}
