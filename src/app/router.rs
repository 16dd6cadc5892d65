//! Routers: views by path and method.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::http::percent::normal_escapes;
use crate::http::{Method, Status};

use super::failure::Failure;
use super::handler::Handler;
use super::reject::Reject;
use super::reply::Reply;
use super::request::Request;
use super::response::Response;

/// Handler that gives a request to the view of its path and method.
///
/// A pattern is a path in which `{name}` stands for one segment and `{*name}`, at the end, for the rest;
/// literal paths come before patterns. A segment may hold any characters once it is decoded, `/` from `%2F`
/// among them. Requests for paths without a view get a 404, those with another
/// method a 405 with `Allow`. HEAD is answered by the view of GET, OPTIONS with `Allow`.
pub struct Router {
    views: matchit::Router<Views>,
    fallback: Option<Box<dyn Handler>>,
}

/// Views of a path by method.
type Views = BTreeMap<Box<str>, Box<dyn Handler>>;

/// A router that is being built.
#[derive(Default)]
pub struct RouterBuilder {
    /// Views by pattern.
    views: BTreeMap<String, Views>,
    fallback: Option<Box<dyn Handler>>,
    twice: Option<RouterError>,
}

/// Error in the views of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterError {
    /// Two views have the same method and pattern.
    Twice {
        /// Method of the views.
        method: String,
        /// Pattern of the views.
        pattern: String,
    },
    /// A pattern is malformed, or matches the same paths as another one.
    Pattern {
        /// The pattern.
        pattern: String,
        /// Reason against the pattern.
        reason: String,
    },
}

impl RouterBuilder {
    /// Adds a view for GET and HEAD.
    #[must_use]
    pub fn get(self, pattern: &str, view: impl Handler + 'static) -> Self {
        self.view("GET", pattern, view)
    }

    /// Adds a view for POST.
    #[must_use]
    pub fn post(self, pattern: &str, view: impl Handler + 'static) -> Self {
        self.view("POST", pattern, view)
    }

    /// Adds a view for a method, spelled as in requests.
    #[must_use]
    pub fn view(mut self, method: &str, pattern: &str, view: impl Handler + 'static) -> Self {
        let views = self.views.entry(pattern.to_owned()).or_default();
        if views.insert(method.into(), Box::new(view)).is_some() {
            let (method, pattern) = (method.to_owned(), pattern.to_owned());
            self.twice.get_or_insert(RouterError::Twice { method, pattern });
        }
        self
    }

    /// Sets the handler of requests for paths without a view, in place of a 404.
    #[must_use]
    pub fn fallback(mut self, handler: impl Handler + 'static) -> Self {
        self.fallback = Some(Box::new(handler));
        self
    }

    /// Returns the router.
    ///
    /// # Errors
    /// [`RouterError`] if two views are for the same requests, or if a pattern is malformed.
    pub fn build(self) -> Result<Router, RouterError> {
        self.twice.map_or(Ok(()), Err)?;
        let mut views = matchit::Router::new();
        for (pattern, by_method) in self.views {
            let refused = |error: matchit::InsertError| error.to_string();
            let inserted = match pattern.starts_with('/') {
                true => views.insert(normal(&pattern), by_method).map_err(refused),
                false => Err("a pattern begins with '/'".to_owned()),
            };
            inserted.map_err(|reason| RouterError::Pattern { pattern, reason })?;
        }
        Ok(Router { views, fallback: self.fallback })
    }
}

impl Handler for Router {
    fn handle(&self, request: &Request) -> Result<Reply, Failure> {
        Reject::settle(self.dispatch(request))
    }
}

impl Router {
    /// Begins a router.
    #[must_use]
    pub fn builder() -> RouterBuilder {
        RouterBuilder::default()
    }

    /// Gives the request to its view.
    fn dispatch(&self, request: &Request) -> Result<Reply, Failure> {
        if request.path() == "*" && request.method() == Method::Options && self.fallback.is_none() {
            return Ok(Response::new(Status::NO_CONTENT)?.into());
        }
        let path = normal(request.path());
        let Ok(found) = self.views.at(&path) else {
            let fallback = self.fallback.as_ref().ok_or(Reject::with(Status::NOT_FOUND))?;
            return fallback.handle(request);
        };
        let method = match request.method() {
            Method::Head if !found.value.contains_key("HEAD") => "GET",
            _ => request.head().method_name(),
        };
        match found.value.get(method) {
            Some(view) => view.handle(&request.with_parameters(found.params.iter())?),
            None => other_method(request, found.value),
        }
    }
}

/// Returns a path or pattern in the spelling by which they are compared: what is not ASCII is encoded.
fn normal(path: &str) -> Cow<'_, str> {
    match utf8_percent_encode(path, &AsciiSet::EMPTY).into() {
        Cow::Borrowed(ascii) => normal_escapes(ascii),
        Cow::Owned(encoded) => normal_escapes(&encoded).into_owned().into(),
    }
}

/// Answers a request whose method has no view.
fn other_method(request: &Request, views: &Views) -> Result<Reply, Failure> {
    let mut allowed: Vec<&str> = views.keys().map(|method| &**method).collect();
    if views.contains_key("GET") && !views.contains_key("HEAD") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    let response = match request.method() {
        Method::Options => Response::new(Status::NO_CONTENT)?,
        _ => Response::of_status(Status::METHOD_NOT_ALLOWED)?,
    };
    Ok(response.with_field("Allow", allowed.join(", "))?.into())
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

impl fmt::Debug for RouterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterBuilder")
            .field("patterns", &self.views.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { method, pattern } => {
                write!(f, "two views are for {method} '{}'; remove one", pattern.escape_debug())
            }
            Self::Pattern { pattern, reason } => {
                write!(f, "'{}' is no pattern for views: {reason}", pattern.escape_debug())
            }
        }
    }
}

impl Error for RouterError {}
