//! The routes of one site, and the choice of one for a request.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::Cidr;
use crate::auth::{self, PathMatch, PathPrefix};
use crate::http::RequestHead;
use crate::work::{LOOK_UP, count};

use super::path_pattern::{GlobPart, PatternKind, glob_matches, normalized};
use super::site_route::SiteRoute;

/// The routes of a site. The most specific one takes a request: an exact path before patterns with `*`,
/// these in their order, and before prefixes, of which the longest. Among routes with the same path,
/// those with methods or fields come before those without, and otherwise in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteRoutes {
    list: Vec<Arc<SiteRoute>>,
    exact: HashMap<Box<str>, Vec<usize>>,
    globs: Vec<(Box<[GlobPart]>, usize)>,
    prefixes: HashMap<Box<str>, Vec<usize>>,
    /// Prefixes of routes that only some clients may use, with these clients.
    restricted: (Vec<PathPrefix>, Vec<Vec<Cidr>>),
}

/// Clients that may request a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permitted<'a> {
    /// All that may use the listener.
    All,
    /// Those in the ranges.
    Only(&'a [Cidr]),
    /// None: the path can be read in several ways that are permitted to different clients.
    Unclear,
}

impl SiteRoutes {
    /// Creates the routes.
    ///
    /// # Errors
    /// Returns the reason if a route can never take a request, or cannot have its clients.
    pub(super) fn new(list: Vec<SiteRoute>) -> Result<Self, String> {
        let mut routes = Self::default();
        for (at, route) in list.iter().enumerate() {
            let same = |other: &&SiteRoute| {
                other.path.kind == route.path.kind
                    && other.methods == route.methods
                    && other.field == route.field
            };
            if list[..at].iter().any(|other| same(&other)) {
                return Err(format!("the route '{}' is given twice", route.path));
            }
            match &route.path.kind {
                PatternKind::Exact(path) => {
                    routes.exact.entry(path.clone()).or_default().push(at);
                }
                PatternKind::Prefix(path) => {
                    routes.prefixes.entry(path.clone()).or_default().push(at);
                }
                PatternKind::Glob(parts) => routes.globs.push((parts.clone(), at)),
            }
            routes.restrict(route)?;
        }
        let conditions_first = |at: &usize| !list[*at].has_conditions();
        let lists = routes.exact.values_mut().chain(routes.prefixes.values_mut());
        lists.for_each(|list| list.sort_by_key(conditions_first));
        routes.globs.sort_by_key(|(_, at)| conditions_first(at));
        routes.list = list.into_iter().map(Arc::new).collect();
        Ok(routes)
    }

    fn restrict(&mut self, route: &SiteRoute) -> Result<(), String> {
        let Some(clients) = &route.policy.clients else { return Ok(()) };
        let path = match &route.path.kind {
            PatternKind::Exact(path) | PatternKind::Prefix(path) => path.parse::<PathPrefix>()?,
            PatternKind::Glob(_) => {
                return Err(format!(
                    "the route '{}' has '*' and clients of its own; give those to a route with a \
                     prefix",
                    route.path
                ));
            }
        };
        self.restricted.0.push(path);
        self.restricted.1.push(clients.clone());
        Ok(())
    }

    /// Returns all routes, in the order in which they were given.
    #[must_use]
    pub fn list(&self) -> &[Arc<SiteRoute>] {
        &self.list
    }

    /// Returns true if all requests take the same route and have the same clients.
    pub(crate) fn is_uniform(&self) -> bool {
        matches!(&self.list[..], [only] if only.path.prefix() == Some(""))
    }

    /// Returns the route of a request for `path`, without the query.
    pub(crate) fn find(&self, path: &str, request: &RequestHead) -> Option<&Arc<SiteRoute>> {
        if self.is_uniform() {
            return self.list.first().filter(|route| route.takes(request));
        }
        let path = normalized(path);
        let first =
            |list: &Vec<usize>| list.iter().copied().find(|&at| self.list[at].takes(request));
        let exact = || {
            count(LOOK_UP);
            self.exact.get(&*path).and_then(first)
        };
        let glob = || {
            let mut taking = self.globs.iter().filter(|(_, at)| self.list[*at].takes(request));
            taking.find(|(parts, _)| glob_matches(parts, &path)).map(|(_, at)| *at)
        };
        let prefix = || {
            candidates(&path).find_map(|prefix| {
                count(LOOK_UP);
                self.prefixes.get(prefix).and_then(first)
            })
        };
        let at = exact().or_else(glob).or_else(prefix)?;
        self.list.get(at)
    }

    /// Returns the clients that may request `path`, in whatever way an origin reads it.
    pub(crate) fn permitted(&self, path: &str) -> Permitted<'_> {
        let (prefixes, clients) = &self.restricted;
        if prefixes.is_empty() {
            return Permitted::All;
        }
        match auth::match_path(path, prefixes) {
            PathMatch::Nowhere => Permitted::All,
            PathMatch::Below(at) => Permitted::Only(&clients[at]),
            PathMatch::Ambiguous => Permitted::Unclear,
        }
    }
}

/// Returns the prefixes that match a path, the longest first: with and without a slash at the end of
/// each segment.
fn candidates(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.rmatch_indices('/').flat_map(|(at, _)| [&path[..=at], &path[..at]]);
    let below = slashes.filter(|prefix| !prefix.is_empty());
    std::iter::once(path).filter(|path| !path.ends_with('/')).chain(below)
}
