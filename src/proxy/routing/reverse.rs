//! Routes through a reverse proxy.

use std::borrow::Cow;
use std::sync::Arc;

use crate::auth;
use crate::files::FilePath;
use crate::http::{Authority, ContentCoding, Form, Method, Name, RequestHead, Scheme};
use crate::proxy::address_text::AddressText;
use crate::proxy::auth::path_of;
use crate::proxy::error::{ExchangeError, FileError, NotSupported};
use crate::proxy::files::Wanted;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::{LeadsTo, TraceEvent};
use crate::proxy::settings::Settings;
use crate::proxy::settings::sites::folder::Folder;
use crate::proxy::settings::sites::host_policy::HostPolicy;
use crate::proxy::settings::sites::path_pattern;
use crate::proxy::settings::sites::site_route::{
    CacheMode, Forward, Redirect, RouteAction, SiteRoute,
};
use crate::proxy::settings::sites::site_routes::Permitted;
use crate::proxy::settings::sites::template::Variable;
use crate::proxy::settings::sites::{Site, Sites};

use super::client_address::Behind;
use super::decision::Routed;
use super::route::{Destination, HostField, Route, SiteRef, target_uri};

/// Routes a request to a site, and by a route of the site. The target URI has the scheme and host that
/// a trusted proxy reports, since the client knows the resource by those.
///
/// # Errors
/// Returns the refusal, with 421 for a host that no site serves.
pub(super) fn to_site(
    request: &RequestHead,
    record: &mut ExchangeRecord,
    settings: &Settings,
    sites: &Sites,
) -> Result<Routed, ExchangeError> {
    let service = settings.service(record.listener.service());
    let behind = Behind::of(record.peer(), request.fields(), settings, true);
    check_target(request, &behind)?;
    let names = Names::of(request, &behind);
    let site = sites.find(&names.host);
    let site = site.ok_or(ExchangeError::NotSupported(NotSupported::UnknownSite))?;
    record.trace(|| TraceEvent::Site(site.hosts.iter().map(ToString::to_string).collect()));
    check_client(site, request, &behind)?;
    let route = site.routes.find(|| path_of(request), request);
    let route = route.ok_or(ExchangeError::NotSupported(NotSupported::NoRoute))?;
    if depends_on_path(site, route) && auth::climbs(path_of(request)) {
        return Err(ExchangeError::NotSupported(NotSupported::DotSegments));
    }
    let known = names.public.as_deref().or(names.asked.as_deref());
    let usual = || route.forward().map_or("localhost", |forward| forward.group.authority());
    let authority = known.unwrap_or_else(usual);
    let (uri, span) = target_uri(names.scheme, authority, request.path_and_query());
    record.add(TraceEvent::Routed(Arc::clone(&uri)));
    let chosen = |to| TraceEvent::Chosen(route.to_string(), to);
    let forward = match &route.action {
        RouteAction::Forward(forward) => Some(forward),
        RouteAction::Application(_) => None,
        RouteAction::Redirect(redirect) => {
            let location = location(redirect, route, (request, record), &names);
            record.trace(|| chosen(LeadsTo::Redirect(redirect.status, location.clone())));
            return Ok(Routed::Redirect(redirect.status, location, Arc::clone(route)));
        }
        RouteAction::Folder(folder) => {
            record.trace(|| chosen(LeadsTo::Folder(folder.path().display().to_string())));
            let wanted = wanted(request, folder, route)?;
            return Ok(Routed::Folder(Arc::new(wanted), Arc::clone(route)));
        }
        RouteAction::Answer(answer) => {
            record.trace(|| chosen(LeadsTo::Answer(answer.status)));
            return Ok(Routed::Answer(Arc::clone(answer), Arc::clone(route)));
        }
    };
    record.group = forward.map(|forward| Arc::clone(&forward.group.name));
    let host_field = match forward.map(|forward| &forward.host) {
        None | Some(HostPolicy::Preserve) => HostField::Asked,
        Some(HostPolicy::Origin) => HostField::OfOrigin,
        Some(HostPolicy::Fixed(host)) => HostField::Text(host.to_string()),
    };
    let forwarded = Route {
        target: target(request, forward, &uri[span.end..]),
        to: Destination::Site(SiteRef {
            route: Arc::clone(route),
            parts: Arc::clone(&site.parts),
            has_users: service.auth_of(record.auth_site).is_some(),
        }),
        host_field,
        asked: names.other_asked(site, sites),
        uri,
        authority: span,
        space: site.space_of(route),
    };
    record.trace(|| chosen(leads_to(route, &forwarded)));
    Ok(Routed::Fetch(forwarded))
}

/// Returns the end to which a route leads that forwards a request, or gives it to an application.
fn leads_to(route: &SiteRoute, forwarded: &Route) -> LeadsTo {
    if let Some(application) = forwarded.application() {
        return LeadsTo::Application(Arc::clone(&application.name));
    }
    let group = forwarded.group().map_or("", |group| &*group.name).into();
    let lifetime = match route.policy.cache.mode {
        CacheMode::Forced(lifetime) => Some(lifetime),
        CacheMode::On | CacheMode::Off => None,
    };
    LeadsTo::Group { group, target: forwarded.target().into(), lifetime }
}

/// Returns the number of the site of a request, if the site has users of its own.
pub(super) fn auth_site(
    request: &RequestHead,
    record: &ExchangeRecord,
    settings: &Settings,
) -> Option<usize> {
    let service = settings.service(record.listener.service());
    if service.site_auth.is_empty() {
        return None;
    }
    let behind = Behind::of(record.peer(), request.fields(), settings, true);
    service.auth_site(&Names::of(request, &behind).host)
}

/// Returns true if the client may use the route of a request, as far as that is known without its user.
pub(super) fn may_use(request: &RequestHead, record: &ExchangeRecord, settings: &Settings) -> bool {
    let sites = settings.service(record.listener.service()).sites.as_ref();
    let Some(sites) = sites.filter(|sites| sites.has_locks()) else { return true };
    let behind = Behind::of(record.peer(), request.fields(), settings, true);
    let site = sites.find(&Names::of(request, &behind).host);
    site.is_none_or(|site| check_client(site, request, &behind).is_ok())
}

/// Returns the URL of a request that has a path as its target, if it names a host.
pub(super) fn asked_url(
    request: &RequestHead,
    record: &ExchangeRecord,
    settings: &Settings,
) -> Option<Arc<str>> {
    if request.form() != Form::Origin {
        return None;
    }
    let is_reverse = settings.service(record.listener.service()).is_reverse();
    let behind = Behind::of(record.peer(), request.fields(), settings, is_reverse);
    let names = Names::of(request, &behind);
    let authority = names.public.or(names.asked)?;
    Some(target_uri(names.scheme, &authority, request.path_and_query()).0)
}

/// Refuses targets that a reverse proxy does not serve.
fn check_target(request: &RequestHead, behind: &Behind<'_>) -> Result<(), ExchangeError> {
    if request.method() == Method::Connect {
        return Err(ExchangeError::NotSupported(NotSupported::Connect));
    }
    if request.form() != Form::Absolute {
        return Ok(());
    }
    let is_used = match Scheme::named(request.scheme()) {
        Some(Scheme::Http) => behind.scheme_here() == Scheme::Http,
        Some(Scheme::Https) => behind.https,
        None => false,
    };
    match is_used {
        true => Ok(()),
        false => Err(ExchangeError::NotSupported(NotSupported::Misdirected)),
    }
}

/// Refuses clients that may not use the route of a path, in whatever way an origin reads the path.
fn check_client(
    site: &Site,
    request: &RequestHead,
    behind: &Behind<'_>,
) -> Result<(), ExchangeError> {
    let client = behind.client.to_canonical();
    match site.routes.permitted(|| path_of(request), request) {
        Permitted::All => Ok(()),
        Permitted::Only(ranges) if ranges.iter().any(|range| range.contains(client)) => Ok(()),
        Permitted::Only(_) => Err(ExchangeError::NotForClient(client)),
        Permitted::Unclear => Err(ExchangeError::NotSupported(NotSupported::AmbiguousPath)),
    }
}

/// Returns true if a path that climbs by `..` could lead elsewhere than the route is for.
fn depends_on_path(site: &Site, route: &SiteRoute) -> bool {
    let maps = |forward: &Forward| forward.public_prefix != forward.origin_prefix;
    !site.routes.is_uniform() || route.forward().is_some_and(maps)
}

/// Names by which a request asks for a resource.
struct Names<'a> {
    /// The scheme by which the client asked.
    scheme: Scheme,
    /// The host that decides about the site, in lower case and without its port; may be empty.
    host: Cow<'a, str>,
    /// Host and port by which this proxy was asked, without the default port.
    asked: Option<String>,
    /// Host and port by which the client asked, if a trusted proxy reports them.
    public: Option<String>,
}

impl Names<'_> {
    /// Returns the host by which this proxy was asked, if a trusted proxy reports another one of the same
    /// site. Users and rules of the site are about no host of another site, which a client may have
    /// named through a proxy that passes such fields on.
    fn other_asked(self, site: &Site, sites: &Sites) -> Option<String> {
        let (asked, public) = (self.asked?, self.public?);
        let host = Authority::parse(asked.as_bytes()).ok()?.host;
        let is_of_site = sites.find(host).is_some_and(|other| std::ptr::eq(other, site));
        (is_of_site && asked != public).then_some(asked)
    }
}

impl<'a> Names<'a> {
    fn of(request: &'a RequestHead, behind: &Behind<'a>) -> Self {
        let authority = |value| Authority::parse(value).ok();
        let asked =
            request.authority().or_else(|| request.fields().get(Name::Host).and_then(authority));
        let scheme = if behind.https { Scheme::Https } else { Scheme::Http };
        let host = behind.host.or(asked).map_or("", |authority| authority.host);
        let host = match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        Self {
            scheme,
            host,
            asked: asked.map(|asked| normalized(&asked, behind.scheme_here().default_port())),
            public: behind.host.map(|public| normalized(&public, scheme.default_port())),
        }
    }
}

/// Returns the target for the origin, unless that is path and query of the URI.
fn target(
    request: &RequestHead,
    forward: Option<&Forward>,
    path_and_query: &str,
) -> Option<String> {
    if request.form() == Form::Asterisk {
        return Some("*".to_owned());
    }
    let forward = forward?;
    if forward.public_prefix == forward.origin_prefix {
        return None;
    }
    let (path, query) =
        path_and_query.split_at(path_and_query.find('?').unwrap_or(path_and_query.len()));
    let below = below(path, Some(&forward.public_prefix));
    let is_whole = below.is_empty() && forward.origin_prefix.is_empty();
    let slash = if is_whole { "/" } else { "" };
    Some([&forward.origin_prefix, slash, &below, query].concat())
}

/// Returns the file that a request is for.
///
/// # Errors
/// The reason if the path names no file that may be served.
fn wanted(
    request: &RequestHead,
    folder: &Arc<Folder>,
    route: &SiteRoute,
) -> Result<Wanted, ExchangeError> {
    let path = path_of(request);
    // An exact path and a pattern name files by their whole path.
    let below = below(path, route.path.prefix());
    let file = FilePath::read(&below, folder.rules.shows_hidden).map_err(FileError::Path)?;
    let codings = match folder.rules.precompressed {
        true => ContentCoding::accepted(request.fields(), &ContentCoding::ALL),
        false => Vec::new(),
    };
    Ok(Wanted { folder: Arc::clone(folder), path: file, public_path: path.into(), codings })
}

/// Returns the part of a path behind the prefix of its route.
fn below<'t>(path: &'t str, prefix: Option<&str>) -> Cow<'t, str> {
    let prefix = prefix.unwrap_or_default();
    match path.strip_prefix(prefix) {
        Some(below) => below.into(),
        // The route was found by the path in its normal form (RFC 3986 §6.2.2.2).
        None => {
            let normalized = path_pattern::normalized(path);
            normalized.strip_prefix(prefix).unwrap_or(path).to_owned().into()
        }
    }
}

/// Returns the URL of a redirection.
fn location(
    redirect: &Redirect,
    route: &SiteRoute,
    (request, record): (&RequestHead, &ExchangeRecord),
    names: &Names<'_>,
) -> String {
    let client = AddressText::of(record.behind);
    let target = request.path_and_query();
    let rest = redirect.location.has_rest().then(|| below(target, route.path.prefix()));
    let location = redirect.location.fill(|variable| match variable {
        Variable::Client => client.as_str(),
        Variable::Host => names.public.as_deref().or(names.asked.as_deref()).unwrap_or_default(),
        Variable::Method => request.method_name(),
        Variable::Path => rooted(path_of(request)),
        Variable::Rest => rest.as_deref().unwrap_or_default(),
        Variable::Scheme => names.scheme.name(),
        Variable::Uri => rooted(request.path_and_query()),
        Variable::User => record.user.as_deref().unwrap_or_default(),
    });
    // A path that begins with two slashes would be read as a host (RFC 3986 §4.2).
    match location.starts_with("//") && !redirect.location.as_str().starts_with("//") {
        true => format!("/.{location}"),
        false => location,
    }
}

/// Returns a part of a target for a URL: an empty one, and `*`, stand for the whole server.
fn rooted(target: &str) -> &str {
    if target.starts_with(['/', '?']) { target } else { "/" }
}

/// Returns the authority in lower case and without the default port: URIs that differ in nothing
/// else are equivalent (RFC 9110 §4.2.3), and must be so for the cache and the origin alike.
fn normalized(authority: &Authority<'_>, default_port: u16) -> String {
    let mut text = authority.host.to_ascii_lowercase();
    if let Some(port) = authority.port.filter(|&port| port != default_port) {
        text.push(':');
        text.push_str(&port.to_string());
    }
    text
}
