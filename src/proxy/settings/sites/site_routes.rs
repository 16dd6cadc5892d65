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
    /// Prefixes of routes with the clients that may use them, if any route is not for all clients. Of
    /// those with the same path, the last one that takes a request decides.
    locks: Vec<Lock>,
}

/// A prefix, and who may request the paths below it.
#[derive(Clone, Debug, PartialEq)]
struct Lock {
    prefix: PathPrefix,
    /// Clients that may use the route; `None` for all.
    clients: Option<Vec<Cidr>>,
    /// Position of the route in the list.
    route: usize,
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
        }
        routes.locks = locks(&list)?;
        let conditions_first = |at: &usize| !list[*at].has_conditions();
        let lists = routes.exact.values_mut().chain(routes.prefixes.values_mut());
        lists.for_each(|list| list.sort_by_key(conditions_first));
        routes.globs.sort_by_key(|(_, at)| conditions_first(at));
        routes.list = list.into_iter().map(Arc::new).collect();
        Ok(routes)
    }

    /// Returns all routes, in the order in which they were given.
    #[must_use]
    pub fn list(&self) -> &[Arc<SiteRoute>] {
        &self.list
    }

    /// Returns true if the clients that may send a request depend on its path.
    pub(crate) fn has_locks(&self) -> bool {
        !self.locks.is_empty()
    }

    /// Returns true if all requests take the same route and have the same clients.
    pub(crate) fn is_uniform(&self) -> bool {
        matches!(&self.list[..], [only] if only.path.prefix() == Some(""))
    }

    /// Returns the route of a request for a `path`, without the query, which is asked for only if it
    /// matters.
    pub(crate) fn find<'a>(
        &self,
        path: impl FnOnce() -> &'a str,
        request: &RequestHead,
    ) -> Option<&Arc<SiteRoute>> {
        if self.is_uniform() {
            return self.list.first().filter(|route| route.takes(request));
        }
        let path = match path() {
            path if path.starts_with('/') => normalized(path),
            _ => "/".into(), // an empty path, or the whole server
        };
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

    /// Returns the clients that may send `request` for a `path`, in whatever way an origin reads the path.
    pub(crate) fn permitted<'a>(
        &self,
        path: impl FnOnce() -> &'a str,
        request: &RequestHead,
    ) -> Permitted<'_> {
        if self.locks.is_empty() {
            return Permitted::All;
        }
        let path = path();
        let taking = |lock: &&Lock| self.list[lock.route].takes(request);
        let locks: Vec<&Lock> = self.locks.iter().filter(taking).collect();
        let matched = |locks: &[&Lock]| {
            let prefixes: Vec<_> = locks.iter().map(|lock| lock.prefix.clone()).collect();
            auth::match_path(path, &prefixes)
        };
        let restricted = locks.iter().copied().filter(|lock| lock.clients.is_some());
        if matched(&restricted.collect::<Vec<_>>()) == PathMatch::Nowhere {
            return Permitted::All;
        }
        match matched(&locks) {
            PathMatch::Nowhere => Permitted::All,
            PathMatch::Below(at) => {
                locks[at].clients.as_deref().map_or(Permitted::All, Permitted::Only)
            }
            PathMatch::Ambiguous => Permitted::Unclear,
        }
    }
}

/// Returns the locks of routes; none if all clients may use all of them.
///
/// # Errors
/// Returns the reason if a route cannot have clients of its own.
fn locks(list: &[SiteRoute]) -> Result<Vec<Lock>, String> {
    let mut locks = Vec::new();
    if list.iter().all(|route| route.policy.clients.is_none()) {
        return Ok(locks);
    }
    for (at, route) in list.iter().enumerate().rev() {
        let clients = &route.policy.clients;
        let path = match (&route.path.kind, clients) {
            (PatternKind::Prefix(path), _) => path,
            (PatternKind::Exact(path), Some(_)) if **path != *"/" => path,
            (PatternKind::Exact(_) | PatternKind::Glob(_), None) => continue,
            (PatternKind::Exact(_) | PatternKind::Glob(_), Some(_)) => {
                return Err(format!(
                    "the route '{}' has clients of its own, which a route with '*' or for '=/' \
                     cannot have; give them to a route with a prefix",
                    route.path
                ));
            }
        };
        // The path itself and those below it, not all that begin with the same letters.
        match format!("{}/", path.trim_end_matches('/')).parse() {
            Ok(prefix) => locks.push(Lock { prefix, clients: clients.clone(), route: at }),
            // Paths below have the clients of a shorter prefix then.
            Err(_) if clients.is_none() => {}
            Err(why) => return Err(why),
        }
    }
    locks.sort_by_key(|lock| list[lock.route].has_conditions());
    Ok(locks)
}

/// Returns the prefixes that match a path, the longest first: with and without a slash at the end of
/// each segment.
fn candidates(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.rmatch_indices('/').flat_map(|(at, _)| [&path[..=at], &path[..at]]);
    let below = slashes.filter(|prefix| !prefix.is_empty());
    std::iter::once(path).filter(|path| !path.ends_with('/')).chain(below)
}
