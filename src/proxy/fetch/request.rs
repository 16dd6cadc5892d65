//! Requests as clients hand them to a fetch.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::cache::{CacheKey, Object, Presented};
use crate::http::{BodyLength, Fields, Method, Name, RequestHead, Status};
use crate::proxy::observe::request_id::RequestId;
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::{Origin, Route};
use crate::proxy::settings::sites::site_route::CacheMode;
use crate::proxy::transfer::body::Body;
use crate::reactor::{Id, Token};

use super::RangeFill;
use super::application::Call;

/// A request to be fetched.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(crate) head: Arc<RequestHead>,
    pub(crate) facts: RequestFacts,
    /// True if the response is neither shared nor stored, by a rule of the operator.
    pub(crate) bypasses_cache: bool,
    /// The request as the cache compares it.
    pub(crate) presented: Presented,
    pub(crate) route: Arc<Route>,
    /// The origin, once it is known: before the request is sent.
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) key: CacheKey,
    pub(crate) client: SocketAddr,
    /// The client's address behind trusted proxies.
    pub(crate) behind: IpAddr,
    /// The address that the client has connected to; unspecified for a socket in the file system.
    pub(crate) destination: SocketAddr,
    /// True if the client speaks TLS, with this proxy or a trusted one in front.
    pub(crate) is_secure: bool,
    /// The identifier of the request.
    pub(crate) id: Option<RequestId>,
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
    /// The call of a handler that has answered before the fetch began.
    pub(crate) answered: Option<Box<Call>>,
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

    /// Returns true if the route of the site tells the origin who the user is.
    pub(super) fn tells_user(&self) -> bool {
        let site = self.route.site().filter(|_| self.user.is_some());
        site.is_some_and(|site| site.route.policy.request_fields.tell_user())
    }

    /// Returns the lifetime of a response, if the route of the site gives it one whatever the origin says.
    /// Responses to requests with credentials, and those that set a cookie which is not dropped, are the
    /// client's own.
    pub(super) fn forced_lifetime(&self, status: Status, fields: &Fields) -> Option<Duration> {
        let policy = &self.route.site()?.route.policy.cache;
        let CacheMode::Forced(lifetime) = policy.mode else { return None };
        let sets_cookie = fields.has(Name::SetCookie) && !policy.drop_set_cookie;
        let is_get = self.head.method() == Method::Get && !self.head.body_length().has_content();
        let is_own = self.head.fields().has(Name::Authorization) || self.tells_user();
        (is_get && !is_own && !sets_cookie && status.is_success()).then_some(lifetime)
    }

    /// Returns true if `Set-Cookie` is removed from the response, so that it can be stored.
    pub(super) fn drops_cookies(&self) -> bool {
        let asked = self.route.site().is_some_and(|site| site.route.policy.cache.drop_set_cookie);
        asked && !self.bypasses_cache && matches!(self.head.method(), Method::Get | Method::Head)
    }

    /// Returns the client's address behind trusted proxies. The port is 0 if only the address is known.
    pub(super) fn source(&self) -> SocketAddr {
        let port = if self.behind == self.client.ip() { self.client.port() } else { 0 };
        SocketAddr::new(self.behind, port)
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
