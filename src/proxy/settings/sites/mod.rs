//! Sites of a reverse proxy: the hosts that it serves, and the routes of each.

pub(crate) mod application;
pub(crate) mod field_edit;
pub(crate) mod folder;
pub(crate) mod host_pattern;
pub(crate) mod host_policy;
pub(crate) mod path_pattern;
pub(crate) mod site_route;
pub(crate) mod site_routes;
pub(crate) mod template;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::access::NameReach;
use crate::cache::{KeyRules, Space};
use crate::proxy::settings::group::OriginGroup;
use crate::proxy::settings::origin::OriginUrl;
use crate::work::{LOOK_UP, count};

use application::Application;
use host_pattern::HostPattern;
use path_pattern::PathPattern;
use site_route::{CacheMode, Forward, RouteAction, RoutePolicy, SiteRoute};
use site_routes::SiteRoutes;

/// All sites of a reverse proxy. The time to find one does not depend on their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sites {
    list: Vec<Site>,
    /// Sites by the hosts that they name.
    by_host: HashMap<Box<str>, usize>,
    /// Sites by the domains whose hosts they serve.
    by_domain: HashMap<Box<str>, usize>,
    /// The site for all other hosts.
    default: Option<usize>,
    /// True if it depends on the path of a request at some site which clients may send the request.
    has_locks: bool,
}

/// A site: hosts that are served alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The hosts; empty for the default site.
    pub hosts: Vec<HostPattern>,
    /// The routes.
    pub routes: SiteRoutes,
    /// Number that keeps the responses of the site apart from all others in the cache. It is another one
    /// once the routes lead to other origins.
    pub(crate) space: Space,
    /// All parts of the cache that responses of the site are stored in.
    pub(crate) parts: Arc<[CachePart]>,
}

/// A part of the cache that responses of a site are stored in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CachePart {
    pub(crate) space: Space,
    /// Key rules of the routes that store there; `None` for those of all requests.
    pub(crate) key_rules: Option<KeyRules>,
}

impl Site {
    /// Creates a site.
    ///
    /// # Errors
    /// Returns the reason if a route can never be used.
    pub fn new(hosts: Vec<HostPattern>, routes: Vec<SiteRoute>) -> Result<Self, String> {
        let mut hasher = DefaultHasher::new();
        hosts.iter().for_each(|host| host.to_string().hash(&mut hasher));
        routes.iter().for_each(|route| identify(route, &mut hasher));
        let space = space(&hasher);
        let mut parts: Vec<CachePart> = Vec::new();
        for route in &routes {
            let key_rules = route.policy.cache.key_rules.clone();
            let part = CachePart { space: space_of(route, space), key_rules };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        Ok(Self { hosts, routes: SiteRoutes::new(routes)?, space, parts: parts.into() })
    }
}

impl Site {
    /// Returns the part of the cache for a route: one of its own if a field selects the route, because
    /// another request for the same URI may take another route.
    pub(crate) fn space_of(&self, route: &SiteRoute) -> Space {
        space_of(route, self.space)
    }
}

fn space_of(route: &SiteRoute, of_site: Space) -> Space {
    let Some(field) = &route.field else { return of_site };
    let mut hasher = DefaultHasher::new();
    (of_site.0, field.to_string()).hash(&mut hasher);
    space(&hasher)
}

/// Returns the space for what was hashed: not that of forward proxies.
fn space(hasher: &DefaultHasher) -> Space {
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    Space(u32::from_le_bytes([a, b, c, d]).max(1))
}

/// Writes what responses to the requests of a route depend on: not the members of a group with a name.
fn identify(route: &SiteRoute, hasher: &mut DefaultHasher) {
    route.path.as_str().hash(hasher);
    route.methods.hash(hasher);
    route.field.as_ref().map(ToString::to_string).hash(hasher);
    // Responses that were stored against the will of the origin are not served once that has ended.
    let cache = &route.policy.cache;
    (matches!(cache.mode, CacheMode::Forced(_)), cache.drop_set_cookie).hash(hasher);
    if let RouteAction::Application(application) = &route.action {
        application.name.hash(hasher);
    }
    let Some(forward) = route.forward() else { return };
    forward.group.identity.hash(hasher);
    (&forward.public_prefix, &forward.origin_prefix).hash(hasher);
    forward.host.to_string().hash(hasher);
}

/// Writes the hosts of the site.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        match hosts.as_slice() {
            [] => f.write_str("all others"),
            hosts => f.write_str(&hosts.join(", ")),
        }
    }
}

impl Sites {
    /// Creates the sites. At most one has no hosts: it serves all hosts that no other serves.
    ///
    /// # Errors
    /// Returns the number of a site that has a host of an earlier one, and the reason.
    pub fn new(list: Vec<Site>) -> Result<Self, (usize, String)> {
        let mut sites = Self::default();
        for (at, site) in list.iter().enumerate() {
            if site.hosts.is_empty() && sites.default.replace(at).is_some() {
                let reason = "two sites have no hosts; one can serve all other hosts";
                return Err((at, reason.to_owned()));
            }
            for host in &site.hosts {
                sites.add(host, at).map_err(|reason| (at, reason))?;
            }
        }
        sites.has_locks = list.iter().any(|site| site.routes.has_locks());
        sites.list = list;
        Ok(sites)
    }

    fn add(&mut self, host: &HostPattern, at: usize) -> Result<(), String> {
        let reach = host.reach();
        let tables = [
            (matches!(reach, NameReach::Itself | NameReach::Both), &mut self.by_host),
            (matches!(reach, NameReach::Below | NameReach::Both), &mut self.by_domain),
        ];
        for (_, table) in tables.into_iter().filter(|(is_in, _)| *is_in) {
            if table.insert(host.host().into(), at).is_some() {
                return Err(format!("the host '{host}' is given twice"));
            }
        }
        Ok(())
    }

    /// Returns the site of one origin that serves all hosts: `--to URL`.
    #[must_use]
    pub fn of_origin(origin: OriginUrl) -> Self {
        let group = OriginGroup::of(vec![origin]);
        let route = SiteRoute::to(PathPattern::everything(), group.into());
        Self::of_routes(vec![route]).expect("one route hides no other")
    }

    /// Returns the site of an application that answers all requests for all hosts.
    #[must_use]
    pub fn of_application(application: Application) -> Self {
        let action = RouteAction::Application(application.into());
        let route = SiteRoute::new(PathPattern::everything(), action);
        Self::of_routes(vec![route]).expect("one route hides no other")
    }

    /// Returns the site of these routes that serves all hosts.
    ///
    /// # Errors
    /// Returns the reason if a route can never be used.
    pub fn of_routes(routes: Vec<SiteRoute>) -> Result<Self, String> {
        let site = Site::new(Vec::new(), routes)?;
        Ok(Self::new(vec![site]).expect("one site without hosts is no conflict"))
    }

    /// Returns all sites.
    #[must_use]
    pub fn list(&self) -> &[Site] {
        &self.list
    }

    /// Returns the site of `host`, which is in lower case and has no port. The most specific name
    /// decides.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Site> {
        self.list.get(self.number_of(host)?)
    }

    /// Returns the number of the site of `host` in the list of all sites.
    #[must_use]
    pub fn number_of(&self, host: &str) -> Option<usize> {
        self.by_name(host.strip_suffix('.').unwrap_or(host)).or(self.default)
    }

    /// Returns true if it depends on the path of a request at some site which clients may send the request.
    pub(crate) const fn has_locks(&self) -> bool {
        self.has_locks
    }

    fn by_name(&self, host: &str) -> Option<usize> {
        if self.list.len() == 1 && self.default.is_some() {
            return None;
        }
        count(LOOK_UP);
        if let Some(at) = self.by_host.get(host) {
            return Some(*at);
        }
        let dots = host.match_indices('.').filter(|_| !self.by_domain.is_empty());
        dots.map(|(dot, _)| &host[dot + 1..]).find_map(|domain| {
            count(LOOK_UP);
            self.by_domain.get(domain).copied()
        })
    }

    /// Returns the groups that the routes of all sites lead to, each once.
    pub fn groups(&self) -> Vec<Arc<OriginGroup>> {
        let mut groups: Vec<Arc<OriginGroup>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for route in self.list.iter().flat_map(|site| site.routes.list()) {
            if let Some(forward) = route.forward()
                && seen.insert(Arc::clone(&forward.group.name))
            {
                groups.push(Arc::clone(&forward.group));
            }
        }
        groups
    }
}

impl SiteRoute {
    /// Returns the route of all requests for `path` to a group. A path in the URLs of the group's members
    /// replaces the prefix of `path`.
    #[must_use]
    pub fn to(path: PathPattern, group: Arc<OriginGroup>) -> Self {
        let replaces = group.path().zip(path.prefix());
        let (origin_prefix, public_prefix) = replaces.unwrap_or_default();
        let forward = Forward {
            host: group.host.clone(),
            public_prefix: public_prefix.into(),
            origin_prefix: origin_prefix.into(),
            group,
        };
        Self::new(path, RouteAction::Forward(forward))
    }

    /// Returns the route of all requests for `path` to an action.
    #[must_use]
    pub fn new(path: PathPattern, action: RouteAction) -> Self {
        Self { path, methods: Vec::new(), field: None, action, policy: RoutePolicy::default() }
    }
}
