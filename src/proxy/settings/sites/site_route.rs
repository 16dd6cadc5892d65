//! Routes of a site: the requests that a route is for, and what is done with them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Cidr;
use crate::cache::KeyRules;
use crate::coding::CompressionRules;
use crate::http::{RequestHead, Status, cookie, list};
use crate::proxy::settings::group::OriginGroup;
use crate::proxy::settings::throttle::ClientLimits;

use super::application::Application;
use super::field_edit::FieldEdits;
use super::folder::Folder;
use super::host_policy::HostPolicy;
use super::path_pattern::PathPattern;
use super::template::Template;

/// A route of a site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteRoute {
    /// The paths that the route is for.
    pub path: PathPattern,
    /// The methods that the route is for; empty for all.
    pub methods: Vec<Box<str>>,
    /// A field that requests must have.
    pub field: Option<FieldMatch>,
    /// Action that answers the requests.
    pub action: RouteAction,
    /// Rules for the requests, and for the responses.
    pub policy: RoutePolicy,
}

/// Action of a route for a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteAction {
    /// Forwards the request to a group of origins, or answers it from the cache.
    Forward(Forward),
    /// The client is redirected.
    Redirect(Redirect),
    /// The same response is sent to all clients.
    Answer(Arc<FixedAnswer>),
    /// A file of the folder is served.
    Folder(Arc<Folder>),
    /// An application answers, unless the cache does.
    Application(Arc<Application>),
}

/// Origins of a route, and the requests that they get.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// The group.
    pub group: Arc<OriginGroup>,
    /// The `Host` that origins get.
    pub host: HostPolicy,
    /// Prefix of paths at the proxy, in place of which the origin has `origin_prefix`: empty, or
    /// beginning with `/` and not ending in `/`.
    pub public_prefix: Box<str>,
    /// Prefix of paths at the origin, of the same form.
    pub origin_prefix: Box<str>,
}

/// A redirection, written as `STATUS URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The status: 301, 302, 303, 307 or 308.
    pub status: Status,
    /// The URL, with variables.
    pub location: Template,
}

/// A response that a route always gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    /// The status.
    pub status: Status,
    /// Media type of the content; empty without content.
    pub media_type: Box<str>,
    /// The content.
    pub content: Box<[u8]>,
}

/// A field that requests must have: `Name`, or `Name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    name: Box<str>,
    value: Option<Box<str>>,
}

/// Rules of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutePolicy {
    /// Clients that may use the route; `None` for all that may use the listener.
    pub clients: Option<Vec<Cidr>>,
    /// Limits of clients by time, beside those of the process and of the listener. Routes of a site that
    /// share the limits count together.
    pub limits: Arc<ClientLimits>,
    /// Edits of requests to origins.
    pub request_fields: FieldEdits,
    /// Edits of responses, as clients get them.
    pub response_fields: FieldEdits,
    /// Use of the cache.
    pub cache: RouteCache,
    /// Compression on the fly.
    pub compression: CompressionRules,
    /// Content of error responses that the proxy generates, by status.
    pub error_pages: Vec<(Status, Arc<FixedAnswer>)>,
}

/// Use of the cache by a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCache {
    /// The responses that are stored.
    pub mode: CacheMode,
    /// Cookies whose requests are neither answered from the cache nor stored.
    pub bypass_cookies: Vec<Box<str>>,
    /// Rules for the parts of a URL that its cache key is made of, in place of those of the process.
    pub key_rules: Option<KeyRules>,
    /// True if fresh responses answer requests with `no-cache` too.
    pub ignore_no_cache: bool,
    /// True if `Set-Cookie` is removed from responses that could be stored without it.
    pub drop_set_cookie: bool,
}

/// Rule of a route that excludes a request from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass<'a> {
    /// The cache is off.
    Off,
    /// The request has this cookie.
    Cookie(&'a str),
}

/// Responses that a route stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Those that the origin permits to be stored.
    #[default]
    On,
    /// None.
    Off,
    /// Those to GET that are successful, for this time, whatever the origin says.
    Forced(Duration),
}

impl SiteRoute {
    /// Returns true if the route is for the method and fields of a request, whose path it matches.
    pub(super) fn takes(&self, request: &RequestHead) -> bool {
        let method = request.method_name();
        (self.methods.is_empty() || self.methods.iter().any(|taken| **taken == *method))
            && self.field.as_ref().is_none_or(|field| field.is_in(request))
    }

    /// Returns true if the route takes only some of the requests for its paths.
    pub(super) const fn has_conditions(&self) -> bool {
        !self.methods.is_empty() || self.field.is_some()
    }

    /// Returns the origins and the requests that they get, if the route forwards.
    pub(crate) const fn forward(&self) -> Option<&Forward> {
        match &self.action {
            RouteAction::Forward(forward) => Some(forward),
            RouteAction::Redirect(_)
            | RouteAction::Answer(_)
            | RouteAction::Folder(_)
            | RouteAction::Application(_) => None,
        }
    }
}

/// Writes the path and the conditions of the route.
impl fmt::Display for SiteRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if !self.methods.is_empty() {
            write!(f, " for {}", self.methods.join(" and "))?;
        }
        self.field.iter().try_for_each(|field| write!(f, " with '{field}'"))
    }
}

impl RouteCache {
    /// Returns the rule by which a request is neither answered from the cache nor stored, if one is for it.
    pub(crate) fn bypass(&self, request: &RequestHead) -> Option<Bypass<'_>> {
        if self.mode == CacheMode::Off {
            return Some(Bypass::Off);
        }
        let mut names = self.bypass_cookies.iter();
        names.find(|name| cookie(name, request).is_some()).map(|name| Bypass::Cookie(name))
    }
}

impl RoutePolicy {
    /// Returns the content of the proxy's own error responses with this status, if the route has one.
    pub(crate) fn error_page(&self, status: Status) -> Option<&Arc<FixedAnswer>> {
        self.error_pages.iter().find(|(of, _)| *of == status).map(|(_, page)| page)
    }
}

impl FieldMatch {
    fn is_in(&self, request: &RequestHead) -> bool {
        let mut lines = request.fields().all_named(self.name.as_bytes());
        match &self.value {
            None => lines.next().is_some(),
            Some(value) => lines.any(|line| line == value.as_bytes()),
        }
    }
}

impl FromStr for FieldMatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim().into())),
            None => (text, None),
        };
        if !list::is_token(name.as_bytes()) {
            return Err(format!("'{}' is neither 'Name' nor 'Name: value'", text.escape_debug()));
        }
        Ok(Self { name: name.into(), value })
    }
}

impl fmt::Display for FieldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => f.write_str(&self.name),
            Some(value) => write!(f, "{}: {value}", self.name),
        }
    }
}

impl FromStr for Redirect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is not 'STATUS URL', such as '301 https://www.example{{uri}}'");
        let (status, location) = text.split_once(' ').ok_or_else(wrong)?;
        let status = status.parse().ok().and_then(Status::new);
        let status = status.filter(|status| matches!(status.code(), 301 | 302 | 303 | 307 | 308));
        let status = status
            .ok_or_else(|| format!("'{text}': the status is none of 301, 302, 303, 307, 308"))?;
        let location = location.trim();
        if location.is_empty() || !location.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        let mut dollars = location.match_indices('$').map(|(at, _)| &location[at + 1..]);
        if dollars.any(|behind| behind.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(format!(
                "'{text}': there are no regular expressions whose parts '$1' could be; {{uri}} is path and \
                 query"
            ));
        }
        Ok(Self { status, location: location.parse()? })
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.code(), self.location)
    }
}
