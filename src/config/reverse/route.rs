//! Routes of sites, as a file has them.

use std::fmt;
use std::sync::Arc;

use crate::access::Cidr;
use crate::auth::Realm;
use crate::cache::KeyRules;
use crate::config::protect::Protect;
use crate::config::schemes::Schemes;
use crate::proxy::{
    CacheMode, ClientLimits, FieldMatch, HostPolicy, OriginGroup, OriginUrl, PathPattern, Redirect,
    RouteAction, RoutePolicy, SiteRoute,
};

use super::answer;
use super::folder::FolderSection;
use super::groups::Groups;

/// A route in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSection {
    pub(super) paths: Vec<PathPattern>,
    pub(super) methods: Vec<Box<str>>,
    pub(super) field: Option<FieldMatch>,
    /// URL or name of a group.
    pub(crate) to: Option<String>,
    pub(super) redirect: Option<Redirect>,
    pub(super) answer: Option<String>,
    pub(super) folder: FolderSection,
    /// Path that replaces the prefix.
    pub(super) prefix: Option<String>,
    pub(super) host: Option<HostPolicy>,
    pub(super) clients: Vec<Cidr>,
    pub(super) limits: ClientLimits,
    pub(super) policy: RoutePolicy,
    pub(super) cache: Option<CacheMode>,
    pub(super) sorts_query: Option<bool>,
    pub(super) ignores_no_cache: Option<bool>,
    pub(super) drops_set_cookie: Option<bool>,
    /// Users of the paths of the route.
    pub(super) users: Vec<String>,
    pub(super) realm: Option<Realm>,
    pub(super) schemes: Option<Schemes>,
    /// Statuses and files of error pages, as they were written.
    pub(super) error_pages: Vec<String>,
}

impl RouteSection {
    /// Returns the route from a path to a URL or a group.
    pub(super) fn to(path: PathPattern, to: &str) -> Self {
        Self { paths: vec![path], to: Some(to.to_owned()), ..Self::default() }
    }

    /// Returns the paths that need a user of the route's own.
    ///
    /// # Errors
    /// A message that names the route, if its requests cannot be told by a path.
    pub(super) fn protect(&self) -> Result<Vec<Protect>, String> {
        if self.users.is_empty() {
            return match self.realm.is_some() || self.schemes.is_some() {
                true => Err(format!("the route '{self}': realm and auth need users")),
                false => Ok(Vec::new()),
            };
        }
        self.shown_paths().map(|path| self.protect_path(path)).collect()
    }

    fn protect_path(&self, path: &str) -> Result<Protect, String> {
        if !self.methods.is_empty()
            || self.field.is_some()
            || !path.starts_with('/')
            || path.contains('*')
        {
            return Err(format!(
                "the route '{path}': users are for a prefix of paths, without methods, header, '=' and \
                 '*'"
            ));
        }
        Ok(Protect {
            path: path.parse()?,
            realm: self.realm.clone(),
            files: self.users.clone(),
            schemes: self.schemes,
        })
    }

    /// Returns the key rules of the route, which take the place of all of the process.
    pub(super) fn key_rules(&mut self) -> &mut KeyRules {
        self.policy.cache.key_rules.get_or_insert_default()
    }

    pub(super) fn key_rule(&self, get: impl Fn(&KeyRules) -> Option<String>) -> Vec<String> {
        self.policy.cache.key_rules.as_ref().and_then(get).into_iter().collect()
    }

    fn shown_paths(&self) -> impl Iterator<Item = &str> {
        let all = self.paths.is_empty().then_some("/");
        self.paths.iter().map(PathPattern::as_str).chain(all)
    }

    /// Returns the limits of clients.
    pub(super) const fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    /// Returns true if the section says how requests are answered.
    pub(super) const fn has_action(&self) -> bool {
        let is_folder = self.folder.path.is_some();
        self.to.is_some() || self.redirect.is_some() || self.answer.is_some() || is_folder
    }

    /// Returns true if the section is for all requests.
    pub(super) fn is_for_all(&self) -> bool {
        let mut paths = self.shown_paths();
        self.methods.is_empty() && self.field.is_none() && paths.any(|path| path == "/")
    }

    /// Returns true if the section says for which requests it is.
    pub(super) fn has_conditions(&self) -> bool {
        !self.paths.is_empty() || !self.methods.is_empty() || self.field.is_some()
    }

    /// Returns the routes, one for each path, for which `groups` are known by name. Limits that are those
    /// of the site count for all of its routes together.
    ///
    /// # Errors
    /// A message that names the route and the reason.
    pub(super) fn routes(
        &self,
        groups: &Groups,
        of_site: &Arc<ClientLimits>,
    ) -> Result<Vec<SiteRoute>, String> {
        let wrong = |why: String| format!("the route '{self}': {why}");
        let mut policy = self.policy.clone();
        for text in &self.error_pages {
            policy.error_pages.extend(answer::pages(text).map_err(wrong)?);
        }
        policy.clients = (!self.clients.is_empty()).then(|| self.clients.clone());
        policy.limits = match self.limits == **of_site {
            true => Arc::clone(of_site),
            false => Arc::new(self.limits.clone()),
        };
        policy.cache.mode = self.cache.unwrap_or_default();
        policy.cache.ignore_no_cache = self.ignores_no_cache.unwrap_or_default();
        policy.cache.drop_set_cookie = self.drops_set_cookie.unwrap_or_default();
        if let Some(sorts) = self.sorts_query {
            policy.cache.key_rules.get_or_insert_default().sort = sorts;
        }
        policy.request_fields.check_request().map_err(wrong)?;
        policy.response_fields.check_response().map_err(wrong)?;
        let all = self.paths.is_empty().then(PathPattern::everything);
        let routes = self.paths.iter().cloned().chain(all).map(|path| {
            let mut route = self.action(path, groups)?;
            route.methods.clone_from(&self.methods);
            route.field.clone_from(&self.field);
            route.policy = policy.clone();
            Ok(route)
        });
        routes.collect::<Result<_, String>>().map_err(wrong)
    }

    fn action(&self, path: PathPattern, groups: &Groups) -> Result<SiteRoute, String> {
        let action = match (&self.to, &self.redirect, &self.answer, &self.folder.path) {
            (Some(to), None, None, None) => return self.forward(path, group_of(to, groups)?),
            (None, Some(redirect), None, None) => {
                if redirect.location.has_rest() && path.prefix().is_none() {
                    return Err("{rest} needs a prefix, not '=' or '*'".to_owned());
                }
                RouteAction::Redirect(redirect.clone())
            }
            (None, None, None, Some(path)) => RouteAction::Folder(self.folder.open(path)?),
            (None, None, Some(text), None) => RouteAction::Answer(Arc::new(answer::read(text)?)),
            _ => return Err("give one of to, redirect, answer and folder".to_owned()),
        };
        if self.host.is_some() || self.prefix.is_some() {
            return Err("host and prefix work with to only".to_owned());
        }
        let policy = RoutePolicy::default();
        Ok(SiteRoute { path, methods: Vec::new(), field: None, action, policy })
    }

    /// Returns the route to a group.
    fn forward(&self, path: PathPattern, group: Arc<OriginGroup>) -> Result<SiteRoute, String> {
        let needs_prefix =
            group.path().is_some_and(|path| !path.is_empty()) || self.prefix.is_some();
        if needs_prefix && path.prefix().is_none() {
            return Err("a path can replace only a prefix, not '=' or '*'".to_owned());
        }
        let mut route = SiteRoute::to(path, group);
        let public_prefix = route.path.prefix().unwrap_or_default().into();
        if let RouteAction::Forward(forward) = &mut route.action {
            forward.host = self.host.clone().unwrap_or_else(|| forward.host.clone());
            if let Some(prefix) = &self.prefix {
                forward.public_prefix = public_prefix;
                forward.origin_prefix = prefix.trim_end_matches('/').into();
            }
        }
        Ok(route)
    }
}

/// Writes the paths of the route.
impl fmt::Display for RouteSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&str> = self.shown_paths().collect();
        f.write_str(&paths.join(", "))
    }
}

/// Returns the group that a route names, or that of its URL alone.
fn group_of(to: &str, groups: &Groups) -> Result<Arc<OriginGroup>, String> {
    if is_url(to) {
        let group = OriginGroup::of(vec![to.parse()?]);
        return Ok(Arc::new(group));
    }
    let known = groups.get(to).cloned();
    known.ok_or_else(|| format!("there is no origin '{to}'; add [[origin]] with name = '{to}'"))
}

/// Returns true if `to` is a URL, not the name of a group.
pub(in crate::config) fn is_url(to: &str) -> bool {
    to.contains([':', '/'])
}

/// Checks that `to` is a URL or may be a name.
pub(super) fn check_target(to: &str) -> Result<(), String> {
    match is_url(to) {
        true => to.parse::<OriginUrl>().map(drop),
        false if to.is_empty() => Err("expected a URL or the name of an [[origin]]".to_owned()),
        false => Ok(()),
    }
}
