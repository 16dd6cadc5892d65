//! Keys of `[[site.route]]`: one table, and what follows from it.

use std::time::Duration;

use crate::config::compression::{codings, codings_text};
use crate::config::section::{Key, SectionView, key_values, many, one};
use crate::config::table::value::{on_or_off, push_range, switch, texts, unit};
use crate::config::throttle::{add_bandwidth, add_rate, bandwidth, rates};
use crate::http::list;
use crate::proxy::{CacheMode, OriginUrl, PathPattern};
use crate::units::{Bytes, Unit};

use super::answer;
use super::folder::check_name;
use super::route::{RouteSection, check_target};

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
    "compress",
    "compress-min-length",
    "compress-types",
    "compress-private",
];

impl RouteSection {
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
    one(
        "compress",
        "on|off|CODINGS",
        "Compress content for clients that accept it, by zstd, br or gzip, or by these codings, in this order \
         of preference [default: as the option of this name]",
        |o, text| codings(text).map(|codings| o.policy.compression.codings = Some(codings)),
        |o| o.policy.compression.codings.as_deref().map(codings_text).unwrap_or_default(),
    ),
    one(
        "compress-min-length",
        "SIZE",
        "Length of the shortest content to compress [default: as the option of this name]",
        |o, text| unit(text).map(|size: Bytes| o.policy.compression.min_length = Some(size.0)),
        |o| o.policy.compression.min_length.iter().map(|size| Bytes(*size).write()).collect(),
    ),
    many(
        "compress-types",
        "TYPE",
        "Media types to compress [default: as the option of this name]",
        |o, text| text.parse().map(|range| o.policy.compression.types.push(range)),
        |o| texts(&o.policy.compression.types),
    ),
    one(
        "compress-private",
        "on|off",
        "Compress also responses that may be for one user [default: as the option of this name]",
        |o, text| switch(text).map(|on| o.policy.compression.private = Some(on)),
        |o| o.policy.compression.private.map(on_or_off).unwrap_or_default(),
    ),
];
