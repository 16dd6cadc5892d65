//! Requests that a client wants fetched.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{CacheKey, Object, Presented};
use crate::http::{Framing, RequestHead};
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::body::Body;
use crate::reactor::{Id, Token};

use super::RangeFill;

/// What a client wants fetched.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(crate) head: Rc<RequestHead>,
    /// The request as the cache compares it.
    pub(crate) presented: Presented,
    pub(crate) route: Rc<Route>,
    pub(crate) key: CacheKey,
    pub(crate) client: SocketAddr,
    /// Stored responses to be validated, of which the origin may say that one still holds.
    pub(crate) validate: Vec<Arc<Object>>,
    /// A stale response to be served if the origin fails.
    pub(crate) fallback: Option<Arc<Object>>,
    /// What is missing of a stored response.
    pub(crate) fill: Option<RangeFill>,
    /// Whether it is for the cache, while clients are served a stale response.
    pub(crate) background: bool,
    /// The body in which the request's content comes.
    pub(crate) upload: Option<Id<Body>>,
    /// Set once the origin is known to speak HTTP/1.0.
    pub(crate) old_origin: bool,
    /// Length of an upload that was received whole, so that it goes without chunks.
    pub(crate) gathered: Option<u64>,
    /// The client for whom alone the connection is used that this request authenticates, or that an
    /// earlier one of the same client has (RFC 4559).
    pub(crate) bound_to: Option<Token>,
}

impl FetchRequest {
    /// Returns true if the request's content has to be received whole before it is sent: the origin has
    /// no chunks (RFC 9112 §6.1).
    pub(super) fn needs_gathering(&self) -> bool {
        self.old_origin
            && self.upload.is_some()
            && self.gathered.is_none()
            && self.head.framing() == Framing::Chunked
    }
}
