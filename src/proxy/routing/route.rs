//! Routes of requests to their origins.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use crate::access::{Host, RuleDecision, RuleRef};
use crate::balance::OriginAddress;
use crate::cache::{CacheKey, KeyBuilder, Space};
use crate::http::Scheme;
use crate::proxy::error::ExchangeError;
use crate::proxy::settings::Settings;
use crate::proxy::settings::group::OriginGroup;
use crate::proxy::settings::origin::{OriginPlace, OriginUrl};
use crate::proxy::settings::sites::CachePart;
use crate::proxy::settings::sites::application::Application;
use crate::proxy::settings::sites::site_route::{Forward, RouteAction, SiteRoute};
use crate::proxy_protocol;
use crate::tls::OriginTls;

use super::interface_cache::InterfaceCache;
use super::origin_key::OriginKey;

/// The destination of a request, and the target and host to send there.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) to: Destination,
    /// The normalized target URI, for the cache key and the log; for CONNECT, host and port.
    pub(crate) uri: Arc<str>,
    /// Range of the authority in `uri`; path and query follow it.
    pub(super) authority: Range<usize>,
    /// The target sent to the origin, unless that is path and query of `uri`.
    pub(super) target: Option<String>,
    pub(super) host_field: HostField,
    /// The `Host` by which this proxy was asked, if it is one of the same site and not the authority of
    /// `uri`.
    pub(super) asked: Option<String>,
    /// Part of the cache that the response belongs to.
    pub(crate) space: Space,
}

/// The `Host` that an origin gets.
#[derive(Clone, Debug)]
pub(super) enum HostField {
    /// That by which this proxy was asked.
    Asked,
    /// The authority of the origin's URL.
    OfOrigin,
    /// This one.
    Text(String),
}

/// The place where a request is sent.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// One origin.
    Origin(Arc<Origin>),
    /// A member of the group of a site's route.
    Site(SiteRef),
}

/// The route of a site that takes a request, and forwards it.
#[derive(Clone, Debug)]
pub(crate) struct SiteRef {
    pub(crate) route: Arc<SiteRoute>,
    /// Parts of the cache that responses of the site are stored in.
    pub(super) parts: Arc<[CachePart]>,
    /// True if the service of the site authenticates users, whose credentials origins do not get.
    pub(crate) has_users: bool,
}

impl SiteRef {
    /// Returns the origins of the route, and the requests that they get.
    pub(crate) fn forward(&self) -> Option<&Forward> {
        self.route.forward()
    }
}

/// An origin, as it is looked up, checked and dialled.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The host to look up, check and dial.
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) key: OriginKey,
    /// TLS towards the origin, of the settings that have made the profile in `key`: a reload changes
    /// nothing about a request that is under way.
    pub(crate) tls: Option<Arc<OriginTls>>,
    /// The rules that decide about addresses; none for origins that the operator has chosen.
    pub(crate) decision: Option<RuleDecision>,
    /// Host and port as URLs have them.
    pub(crate) authority: Arc<str>,
    /// The only address to dial, without a look-up: that of a member of a group.
    pub(crate) address: Option<OriginAddress>,
    /// Version of the PROXY header that begins each connection, if one does. Such a connection carries
    /// requests of one client only, and is not reused.
    pub(crate) proxy_protocol: Option<proxy_protocol::Version>,
}

impl Origin {
    /// Returns the origin that a URL of the operator names, with `tls` if the URL needs it. No rule is
    /// asked about it.
    ///
    /// # Errors
    /// Returns the reason if TLS is needed and there is none.
    pub(crate) fn of(url: &OriginUrl, tls: Option<&Arc<OriginTls>>) -> Result<Self, String> {
        let tls = tls.filter(|_| url.scheme == Scheme::Https).cloned();
        if url.scheme == Scheme::Https && tls.is_none() {
            return Err(format!("{url} needs TLS, for which there are no settings"));
        }
        let (host, port, address) = match &url.place {
            OriginPlace::Host(host, port) => (host.clone(), *port, None),
            OriginPlace::Local(path) => {
                let host = Host::Name(url.authority.to_string());
                (host, 0, Some(OriginAddress::Local(Arc::clone(path))))
            }
        };
        let profile = tls.as_ref().map(|tls| tls.profile(&host.to_string()));
        let authority = match &url.place {
            OriginPlace::Host(..) => Arc::clone(&url.authority),
            OriginPlace::Local(_) => Arc::clone(url.text()),
        };
        let key = OriginKey { scheme: url.scheme, profile, authority };
        let authority = Arc::clone(&url.authority);
        let proxy_protocol = None;
        Ok(Self { host, port, key, tls, decision: None, authority, address, proxy_protocol })
    }

    /// Returns the address of the origin, if it is known without a look-up.
    pub(crate) fn known_address(&self) -> Option<OriginAddress> {
        let literal = || match &self.host {
            Host::Address(ip) => Some(OriginAddress::Tcp(SocketAddr::new(*ip, self.port))),
            Host::Name(_) => None,
        };
        self.address.clone().or_else(literal)
    }

    /// Returns the same origin at one address, whose connections are no other's.
    pub(crate) fn at(&self, address: OriginAddress) -> Self {
        if self.known_address().as_ref() == Some(&address) {
            return Self { address: Some(address), ..self.clone() };
        }
        let authority = format!("{} at {address}", self.key.authority);
        let key = OriginKey { authority: authority.into(), ..self.key.clone() };
        Self { key, address: Some(address), ..self.clone() }
    }

    /// Checks that an address of the host may be dialled by the rules of `settings`, given the
    /// addresses of this machine. Returns the report rule that would have denied the address.
    ///
    /// # Errors
    /// Returns the denial.
    pub(crate) fn check_address(
        &self,
        address: IpAddr,
        settings: &Settings,
        interfaces: &InterfaceCache,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        let Some(decision) = &self.decision else { return Ok(None) };
        let checked =
            settings.destinations.check_address(decision, &self.host, address, interfaces.known()?);
        checked.map_err(ExchangeError::Denied)
    }
}

impl Route {
    /// Returns the route of a request of the proxy itself to a URL: scheme, authority, path and query.
    /// No rule is asked, because the operator has chosen the URL. The proxy does not identify itself to
    /// the server as it does to origins.
    ///
    /// # Errors
    /// Returns the reason if the URL is none, or if TLS is needed and there is none.
    pub(crate) fn own(url: &str, settings: &Settings) -> Result<Self, String> {
        let start = url.find("://").map_or(0, |at| at + "://".len());
        let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
        let origin: OriginUrl = url[..end].parse()?;
        let (uri, authority) = target_uri(origin.scheme, &origin.authority, &url[end..]);
        let to = Destination::Origin(Arc::new(Origin::of(&origin, settings.own_tls.as_ref())?));
        Ok(Self {
            to,
            uri,
            authority,
            target: None,
            host_field: HostField::Asked,
            asked: None,
            space: Space(0),
        })
    }

    /// Returns the origin, unless a member of a group has to be chosen.
    pub(crate) const fn origin(&self) -> Option<&Arc<Origin>> {
        match &self.to {
            Destination::Origin(origin) => Some(origin),
            Destination::Site(_) => None,
        }
    }

    /// Returns the route of the site that takes the request; `None` for a forward proxy.
    pub(crate) const fn site(&self) -> Option<&SiteRef> {
        match &self.to {
            Destination::Origin(_) => None,
            Destination::Site(site) => Some(site),
        }
    }

    /// Returns the group that the route of a site leads to.
    pub(crate) fn group(&self) -> Option<&Arc<OriginGroup>> {
        Some(&self.site()?.forward()?.group)
    }

    /// Returns the application that the route of a site leads to.
    pub(crate) fn application(&self) -> Option<&Arc<Application>> {
        match &self.site()?.route.action {
            RouteAction::Application(application) => Some(application),
            _ => None,
        }
    }

    /// Returns the rules that decide about addresses, if there are any.
    pub(crate) fn decision(&self) -> Option<&RuleDecision> {
        self.origin()?.decision.as_ref()
    }

    /// Returns the cache key of the target URI.
    pub(crate) fn key(&self, keys: &KeyBuilder) -> CacheKey {
        let rules = self.site().and_then(|site| site.route.policy.cache.key_rules.as_ref());
        keys.key_in((self.space, self.host_of_key()), rules, &self.uri)
    }

    /// Returns the `Host` that the origin gets, unless it follows from the URI and the site.
    fn host_of_key(&self) -> Option<&str> {
        self.asked.as_deref().filter(|_| matches!(self.host_field, HostField::Asked))
    }

    /// Returns the cache keys of a URI of the same origin, by all routes that it may take.
    pub(crate) fn keys_of(&self, keys: &KeyBuilder, uri: &Arc<str>) -> Vec<CacheKey> {
        match self.site() {
            None => vec![keys.key_in((self.space, None), None, uri)],
            Some(site) => {
                let host = self.host_of_key();
                let key = |part: &CachePart| {
                    keys.key_in((part.space, host), part.key_rules.as_ref(), uri)
                };
                site.parts.iter().map(key).collect()
            }
        }
    }

    /// Returns the scheme of the target URI; `Http` for CONNECT.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.uri.starts_with("https://") { Scheme::Https } else { Scheme::Http }
    }

    /// Returns host and port of the target URI.
    pub(crate) fn authority(&self) -> &str {
        &self.uri[self.authority.clone()]
    }

    /// Returns scheme and authority of the target URI.
    pub(crate) fn root(&self) -> &str {
        &self.uri[..self.authority.end]
    }

    /// Returns the target sent to the origin.
    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_else(|| &self.uri[self.authority.end..])
    }

    /// Returns the `Host` by which this proxy was asked.
    pub(crate) fn asked(&self) -> &str {
        self.asked.as_deref().unwrap_or_else(|| self.authority())
    }

    /// Returns the `Host` sent to `origin`.
    pub(crate) fn host_field<'a>(&'a self, origin: &'a Origin) -> &'a str {
        match &self.host_field {
            HostField::Asked => self.asked(),
            HostField::OfOrigin => &origin.authority,
            HostField::Text(text) => text,
        }
    }
}

/// Returns the URI, and the range of its authority. A missing path is `/` (RFC 9110 §4.2.3).
pub(super) fn target_uri(
    scheme: Scheme,
    authority: &str,
    path_and_query: &str,
) -> (Arc<str>, Range<usize>) {
    let slash = if path_and_query.starts_with('/') { "" } else { "/" };
    let uri = [scheme.name(), "://", authority, slash, path_and_query].concat();
    let start = scheme.name().len() + "://".len();
    (uri.into(), start..start + authority.len())
}
