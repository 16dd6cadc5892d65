//! Routes of sites: the keys of `[[site.route]]`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Cidr;
use crate::auth::Realm;
use crate::cache::KeyRules;
use crate::config::protect::Protect;
use crate::config::schemes::Schemes;
use crate::config::section::{Key, SectionView, key_values, many, one};
use crate::config::table::value::{on_or_off, push_range, switch, texts};
use crate::config::throttle::{add_bandwidth, add_rate, bandwidth, rates};
use crate::http::list;
use crate::proxy::{
    CacheMode, ClientLimits, FieldMatch, HostPolicy, OriginGroup, OriginUrl, PathPattern, Redirect,
    RouteAction, RoutePolicy, SiteRoute,
};
use crate::units::Unit;

use super::answer;
use super::folder::{FolderSection, check_name};
use super::groups::Groups;

/// A route in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSection {
    paths: Vec<PathPattern>,
    methods: Vec<Box<str>>,
    field: Option<FieldMatch>,
    /// URL or name of a group.
    pub(crate) to: Option<String>,
    redirect: Option<Redirect>,
    answer: Option<String>,
    pub(super) folder: FolderSection,
    /// Path that replaces the prefix.
    prefix: Option<String>,
    host: Option<HostPolicy>,
    clients: Vec<Cidr>,
    limits: ClientLimits,
    policy: RoutePolicy,
    cache: Option<CacheMode>,
    sorts_query: Option<bool>,
    ignores_no_cache: Option<bool>,
    drops_set_cookie: Option<bool>,
    /// Users of the paths of the route.
    users: Vec<String>,
    realm: Option<Realm>,
    schemes: Option<Schemes>,
    /// Statuses and files of error pages, as they were written.
    error_pages: Vec<String>,
}

impl RouteSection {
    /// Returns the route from a path to a URL or a group.
    pub(super) fn to(path: PathPattern, to: &str) -> Self {
        Self { paths: vec![path], to: Some(to.to_owned()), ..Self::default() }
    }

    /// Returns the section as it is written or compared.
    pub(super) fn view(&self) -> SectionView {
        let field = self.field.as_ref().map(|field| format!("'{field}'"));
        let conditions = [self.methods.join(","), field.unwrap_or_default()];
        let conditions = conditions.iter().map(String::as_str).filter(|text| !text.is_empty());
        let paths = self.to_string();
        let name: Vec<&str> = std::iter::once(&*paths).chain(conditions).collect();
        SectionView {
            name: name.join(" "),
            keys: key_values(ROUTE, self, &Self::default()),
            routes: Vec::new(),
        }
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
    fn key_rules(&mut self) -> &mut KeyRules {
        self.policy.cache.key_rules.get_or_insert_default()
    }

    fn key_rule(&self, get: impl Fn(&KeyRules) -> Option<String>) -> Vec<String> {
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

    /// Returns the section with the keys of its site that it lacks.
    ///
    /// # Errors
    /// A message that names the route, if it cannot have the clients of the site.
    pub(super) fn inheriting(&self, site: &Self) -> Result<Self, String> {
        let mut route = self.clone();
        let is_prefix = |path: &PathPattern| path.prefix().is_some();
        for key in ROUTE.iter().filter(|key| INHERITED.contains(&key.name)) {
            if !(key.get)(&route).is_empty() || (key.name == "host" && route.to.is_none()) {
                continue;
            }
            if key.name == "allow-client" && !self.paths.iter().all(is_prefix) {
                // The paths have the clients of the prefix around them.
                match site.clients.is_empty() || (site.has_action() && site.is_for_all()) {
                    true => continue,
                    false => {
                        return Err(format!(
                            "the route '{self}': allow-client of the site needs a route for all paths; \
                             give the site to, redirect or answer"
                        ));
                    }
                }
            }
            (key.get)(site).iter().try_for_each(|value| (key.set)(&mut route, value))?;
        }
        Ok(route)
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

/// Parses what a route does with the cache.
fn cache_mode(text: &str) -> Result<CacheMode, String> {
    let forced = |text: &str| Duration::read(text).filter(|time| !time.is_zero());
    match text {
        "on" | "true" => Ok(CacheMode::On),
        "off" | "false" => Ok(CacheMode::Off),
        text => forced(text).map(CacheMode::Forced).ok_or_else(|| {
            format!("'{text}' is neither on nor off nor a time for which all responses are fresh")
        }),
    }
}

/// Keys that a route has from its site, unless it has the key itself. Users are those of the longest
/// prefix with users anyway.
const INHERITED: &[&str] = &[
    "host",
    "allow-client",
    "request-rate",
    "bandwidth",
    "set-request",
    "add-request",
    "remove-request",
    "set-response",
    "add-response",
    "remove-response",
    "cache",
    "bypass-cookie",
    "key-drop-query",
    "key-keep-query",
    "key-sort-query",
    "error-page",
    "ignore-client-no-cache",
    "drop-set-cookie",
];

/// Keys of `[[site.route]]`.
pub const ROUTE: &[Key<RouteSection>] = &[
    many(
        "path",
        "PATTERN",
        "Paths of the route: /PREFIX, =/EXACT, or patterns with * (within a segment) and ** (across \
         segments), such as *.php [default: /]",
        |o, text| text.parse().map(|path| o.paths.push(path)),
        |o| texts(&o.paths),
    ),
    many(
        "methods",
        "METHOD",
        "Methods of the route [default: all]",
        |o, text| match list::is_token(text.as_bytes()) {
            true => {
                o.methods.push(text.into());
                Ok(())
            }
            false => Err(format!("'{text}' is not a method")),
        },
        |o| texts(&o.methods),
    ),
    one(
        "header",
        "NAME[: VALUE]",
        "Field that requests must have [default: none]",
        |o, text| text.parse().map(|field| o.field = Some(field)),
        |o| texts(o.field.as_slice()),
    ),
    one(
        "to",
        "URL|NAME",
        "URL of an origin, or name of an [[origin]]. A path in the URL replaces the prefix of the route",
        |o, text| check_target(text).map(|()| o.to = Some(text.to_owned())),
        |o| texts(o.to.as_slice()),
    ),
    one(
        "redirect",
        "STATUS URL",
        "Redirection in place of an origin, such as '301 https://www.example{uri}'",
        |o, text| text.parse().map(|redirect| o.redirect = Some(redirect)),
        |o| texts(o.redirect.as_slice()),
    ),
    one(
        "answer",
        "STATUS [TEXT|@FILE]",
        "Response in place of an origin, such as '503 @/etc/tidegate/maintenance.html'",
        |o, text| answer::check(text).map(|()| o.answer = Some(text.to_owned())),
        |o| texts(o.answer.as_slice()),
    ),
    one(
        "folder",
        "DIR",
        "Folder whose files are served, by the path behind the prefix of the route",
        |o, text| match text {
            "" => Err("expected a folder".to_owned()),
            path => {
                o.folder.path = Some(path.into());
                Ok(())
            }
        },
        |o| o.folder.path.iter().map(|path| path.display().to_string()).collect(),
    ),
    many(
        "index",
        "NAME",
        "Files that stand for their folder, the first that exists [default: index.html]",
        |o, text| check_name(text).map(|()| o.folder.indexes.push(text.to_owned())),
        |o| o.folder.indexes.clone(),
    ),
    one(
        "listing",
        "on|off",
        "List the files of folders without such a file [default: off]",
        |o, text| switch(text).map(|on| o.folder.lists = Some(on)),
        |o| o.folder.lists.map(on_or_off).unwrap_or_default(),
    ),
    one(
        "hidden-files",
        "on|off",
        "Serve files whose names begin with a dot, beside those in /.well-known [default: off]",
        |o, text| switch(text).map(|on| o.folder.shows_hidden = Some(on)),
        |o| o.folder.shows_hidden.map(on_or_off).unwrap_or_default(),
    ),
    one(
        "symlinks",
        "off|beneath|anywhere",
        "Symbolic links to follow: none, those that stay beneath the folder, or all [default: beneath]",
        |o, text| text.parse().map(|links| o.folder.links = Some(links)),
        |o| o.folder.links.iter().map(|links| links.name().to_owned()).collect(),
    ),
    one(
        "precompressed",
        "on|off",
        "Serve FILE.br, FILE.zst or FILE.gz in place of FILE to clients that accept the coding [default: off]",
        |o, text| switch(text).map(|on| o.folder.precompressed = Some(on)),
        |o| o.folder.precompressed.map(on_or_off).unwrap_or_default(),
    ),
    one(
        "fallback",
        "FILE",
        "File of the folder for paths that name none, with status 200, such as index.html for an application \
         in the browser [default: 404]",
        |o, text| check_name(text).map(|()| o.folder.fallback = Some(text.to_owned())),
        |o| texts(o.folder.fallback.as_slice()),
    ),
    one(
        "not-found",
        "FILE",
        "File of the folder for paths that name none, with status 404 [default: a line of text]",
        |o, text| check_name(text).map(|()| o.folder.not_found = Some(text.to_owned())),
        |o| texts(o.folder.not_found.as_slice()),
    ),
    one(
        "prefix",
        "PATH",
        "Path that replaces the prefix of the route at the origin; / removes the prefix [default: \
         the prefix is kept]",
        |o, text| match format!("http://h{text}").parse::<OriginUrl>() {
            Ok(_) if text.starts_with('/') => {
                o.prefix = Some(text.to_owned());
                Ok(())
            }
            _ => Err(format!("'{text}' is not a path that begins with '/'")),
        },
        |o| texts(o.prefix.as_slice()),
    ),
    one(
        "host",
        "preserve|origin|NAME",
        "Host that the origin gets [default: as [[origin]] says, else preserve]",
        |o, text| text.parse().map(|host| o.host = Some(host)),
        |o| texts(o.host.as_slice()),
    ),
    many(
        "allow-client",
        "CIDR",
        "Clients that may use the route, of an exact path also the paths below it [default: all that may \
         use the listener]",
        |o, text| push_range(&mut o.clients, text),
        |o| texts(&o.clients),
    ),
    many(
        "request-rate",
        "LIMIT",
        "Requests of one client of the route by time, such as '100/s' or '600/m burst=50 by=network', beside \
         the limits of the process and the listener [default: none]",
        |o, text| add_rate(&mut o.limits, text),
        |o| rates(&o.limits),
    ),
    many(
        "bandwidth",
        "LIMIT",
        "Content sent to one client of the route by time, such as '1MiB/s burst=4MiB', beside the limits of the process and the listener \
         [default: none]",
        |o, text| add_bandwidth(&mut o.limits, text),
        |o| bandwidth(&o.limits),
    ),
    many(
        "users",
        "FILE",
        "Files of users who may request the paths of the route, in place of those of the listener \
         [default: as the listener]",
        |o, text| match text {
            "" => Err("expected a file".to_owned()),
            file => {
                o.users.push(file.to_owned());
                Ok(())
            }
        },
        |o| o.users.clone(),
    ),
    one(
        "auth",
        "SCHEMES",
        "Schemes to offer to users of the route: basic, digest or both [default: as the option of this \
         name]",
        |o, text| text.parse().map(|schemes| o.schemes = Some(schemes)),
        |o| texts(o.schemes.as_slice()),
    ),
    one(
        "realm",
        "NAME",
        "Realm that users of the route are shown [default: as the option of this name]",
        |o, text| text.parse().map(|realm| o.realm = Some(realm)),
        |o| texts(o.realm.as_slice()),
    ),
    many(
        "set-request",
        "NAME: VALUE",
        "Fields of requests to the origin, in place of those of the client. Values may have {client}, \
         {host}, {method}, {path}, {scheme}, {uri} and {user}",
        |o, text| text.parse().map(|line| o.policy.request_fields.set.push(line)),
        |o| texts(&o.policy.request_fields.set),
    ),
    many(
        "add-request",
        "NAME: VALUE",
        "Fields of requests to the origin, beside those of the client",
        |o, text| text.parse().map(|line| o.policy.request_fields.add.push(line)),
        |o| texts(&o.policy.request_fields.add),
    ),
    many(
        "remove-request",
        "NAME",
        "Fields that the origin does not get",
        |o, text| text.parse().map(|name| o.policy.request_fields.remove.push(name)),
        |o| texts(&o.policy.request_fields.remove),
    ),
    many(
        "set-response",
        "NAME: VALUE",
        "Fields of responses, in place of those of the origin",
        |o, text| text.parse().map(|line| o.policy.response_fields.set.push(line)),
        |o| texts(&o.policy.response_fields.set),
    ),
    many(
        "add-response",
        "NAME: VALUE",
        "Fields of responses, beside those of the origin",
        |o, text| text.parse().map(|line| o.policy.response_fields.add.push(line)),
        |o| texts(&o.policy.response_fields.add),
    ),
    many(
        "remove-response",
        "NAME",
        "Fields of the origin that clients do not get",
        |o, text| text.parse().map(|name| o.policy.response_fields.remove.push(name)),
        |o| texts(&o.policy.response_fields.remove),
    ),
    one(
        "cache",
        "on|off|TIME",
        "Use of the cache: by the rules of HTTP, not at all, or for all successful responses to GET without \
         Set-Cookie, which are fresh for this time whatever the origin says, private and no-store included \
         [default: on]",
        |o, text| cache_mode(text).map(|mode| o.cache = Some(mode)),
        |o| match o.cache {
            None => Vec::new(),
            Some(CacheMode::On) => on_or_off(true),
            Some(CacheMode::Off) => on_or_off(false),
            Some(CacheMode::Forced(time)) => vec![time.write()],
        },
    ),
    many(
        "bypass-cookie",
        "NAME",
        "Cookies whose requests are not answered from the cache, and whose responses are not stored \
         [default: none]",
        |o, text| match list::is_token(text.as_bytes()) {
            true => {
                o.policy.cache.bypass_cookies.push(text.into());
                Ok(())
            }
            false => Err(format!("'{text}' is not the name of a cookie")),
        },
        |o| texts(&o.policy.cache.bypass_cookies),
    ),
    one(
        "key-drop-query",
        "NAMES",
        "Query parameters to ignore in the cache key, in place of the option of this name",
        |o, text| text.parse().map(|names| o.key_rules().drop = Some(names)),
        |o| o.key_rule(|rules| rules.drop.as_ref().map(ToString::to_string)),
    ),
    one(
        "key-keep-query",
        "NAMES",
        "Query parameters to keep in the cache key, in place of the option of this name",
        |o, text| text.parse().map(|names| o.key_rules().keep = Some(names)),
        |o| o.key_rule(|rules| rules.keep.as_ref().map(ToString::to_string)),
    ),
    one(
        "key-sort-query",
        "on|off",
        "Ignore the order of query parameters in the cache key, in place of the option of this name",
        |o, text| switch(text).map(|on| o.sorts_query = Some(on)),
        |o| o.sorts_query.map(on_or_off).unwrap_or_default(),
    ),
    many(
        "error-page",
        "STATUSES @FILE",
        "Content of error responses of the proxy itself, such as '502,503,504 @/etc/tidegate/busy.html' \
         [default: a line of text]",
        |o, text| answer::check_pages(text).map(|()| o.error_pages.push(text.to_owned())),
        |o| o.error_pages.clone(),
    ),
    one(
        "ignore-client-no-cache",
        "on|off",
        "Serve fresh responses also to requests with no-cache, max-age or min-fresh [default: as the \
         option of this name]",
        |o, text| switch(text).map(|on| o.ignores_no_cache = Some(on)),
        |o| o.ignores_no_cache.map(on_or_off).unwrap_or_default(),
    ),
    one(
        "drop-set-cookie",
        "on|off",
        "Remove Set-Cookie from responses to GET and HEAD, so that they can be stored [default: off]",
        |o, text| switch(text).map(|on| o.drops_set_cookie = Some(on)),
        |o| o.drops_set_cookie.map(on_or_off).unwrap_or_default(),
    ),
];
