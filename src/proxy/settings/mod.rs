//! Settings of a proxy: immutable, replaced as a whole by a reload.

pub(crate) mod acme;
pub(super) mod auth;
pub(crate) mod group;
pub(super) mod limits;
pub(crate) mod origin;
pub(crate) mod service;
pub(crate) mod sites;
pub(crate) mod throttle;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Cidr, DestinationPolicy};
use crate::auth::client_network;
use crate::cache::{Eviction, FreshnessRule, KeyRules, RequestRules, Space};
use crate::coding::CompressionRules;
use crate::dns;
use crate::geo::GeoDatabases;
use crate::http::Name;
use crate::http::hop::Protocol;
use crate::proxy::observe::listener::ServiceId;
use crate::proxy::observe::log_format::LogFormat;
use crate::reactor::NameSources;
use crate::tls::{OriginTls, ServerTls};

use acme::AcmeSettings;
use group::OriginGroup;
use limits::Limits;
use origin::OriginUrl;
use service::Service;
use sites::site_route::RouteAction;
use throttle::{BanSettings, ClientLimits};

/// The settings of a proxy.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bounds and timeouts.
    pub limits: Limits,
    /// The name in `Via`, by which loops are detected: a token that no other proxy on the path
    /// uses.
    pub via: String,
    /// The name in `Cache-Status` and `Proxy-Status`.
    pub name: String,
    /// Files and servers for name lookups, if the proxy resolves names itself.
    pub name_sources: NameSources,
    /// Destinations that a forward proxy allows.
    pub destinations: DestinationPolicy,
    /// Databases of the places of clients. The embedder may replace them between reloads
    /// ([`Worker::locate_by`](crate::proxy::Worker::locate_by)).
    pub geo: Arc<GeoDatabases>,
    /// Service of listeners that have none of their own.
    pub service: Service,
    /// The services of listeners that have one of their own. A reload changes none into that of another
    /// listener: their order is that of the listeners.
    pub services: Vec<Service>,
    /// Clients that may purge with the method `PURGE`. From other clients it is an unknown method.
    pub purgers: Vec<Cidr>,
    /// Proxies whose `X-Forwarded-*` and `Forwarded` a reverse proxy trusts.
    pub trusted_proxies: Vec<Cidr>,
    /// Limits of clients by time, on all listeners together.
    pub client_limits: ClientLimits,
    /// Bans of clients after offences.
    pub bans: BanSettings,
    /// Protocols to which clients may upgrade, beside WebSocket.
    pub upgrades: Vec<Protocol>,
    /// TLS towards origins; `None` if `https` URLs are not fetched.
    pub origin_tls: Option<Arc<OriginTls>>,
    /// TLS of the proxy's own requests, to a CA; `None` if it makes none.
    pub own_tls: Option<Arc<OriginTls>>,
    /// TLS towards clients of TLS listeners; those are refused without it.
    pub server_tls: Option<Arc<ServerTls>>,
    /// Certificates that the proxy obtains itself. The embedder begins that
    /// ([`Worker::certify`](crate::proxy::Worker::certify)); a reload changes nothing about it.
    pub acme: Option<Arc<AcmeSettings>>,
    /// Time for which browsers are to use `https` alone (RFC 6797), if they are told so.
    pub hsts: Option<Duration>,
    /// Memory of the cache, in bytes; 0 switches the cache off.
    pub cache_memory: usize,
    /// Size of the largest object stored, in bytes; `None` for an eighth of the cache.
    pub cache_object_max: Option<u64>,
    /// Bounds and defaults of freshness lifetimes, by host, path and status.
    pub freshness_rules: Vec<FreshnessRule>,
    /// Rules for the parts of a URL that its cache key is made of.
    pub key_rules: KeyRules,
    /// Rules for comparing requests, and the cache directives of requests to obey.
    pub request_rules: RequestRules,
    /// True if `max-age` or `Expires` suffices to store a response with `Set-Cookie`.
    pub store_cookies: bool,
    /// Compression on the fly, where a route has no rules of its own.
    pub compression: CompressionRules,
    /// The eviction policy when memory is short.
    pub eviction: Eviction,
    /// True if `CDN-Cache-Control` and `Tidegate-Cache-Control` are obeyed.
    pub targeted: bool,
    /// True if `Cache-Status` shows cache keys.
    pub status_key: bool,
    /// The format of the access log; `None` for no log.
    pub log: Option<LogFormat>,
}

impl Settings {
    /// Returns the settings of a forward proxy with all defaults and the name `via`.
    #[must_use]
    pub fn forward(via: &str) -> Self {
        Self {
            limits: Limits::default(),
            via: via.to_owned(),
            name: "tidegate".to_owned(),
            name_sources: NameSources::default(),
            destinations: DestinationPolicy::default(),
            geo: Arc::default(),
            service: Service::default(),
            services: Vec::new(),
            purgers: Vec::new(),
            trusted_proxies: Vec::new(),
            client_limits: ClientLimits::default(),
            bans: BanSettings::default(),
            upgrades: Vec::new(),
            origin_tls: None,
            own_tls: None,
            server_tls: None,
            acme: None,
            hsts: None,
            cache_memory: 256 << 20,
            cache_object_max: None,
            freshness_rules: Vec::new(),
            key_rules: KeyRules::default(),
            request_rules: RequestRules::default(),
            store_cookies: false,
            compression: CompressionRules::default(),
            eviction: Eviction::default(),
            targeted: false,
            status_key: false,
            log: Some(LogFormat::Human),
        }
    }

    /// Returns the size of the largest object stored, in bytes.
    #[must_use]
    pub fn object_max(&self) -> u64 {
        self.cache_object_max.unwrap_or(self.cache_memory as u64 / 8)
    }

    /// Returns the service of a listener.
    pub(crate) fn service(&self, id: ServiceId) -> &Service {
        match id.0.checked_sub(1) {
            None => &self.service,
            Some(at) => self.services.get(at).unwrap_or(&self.service),
        }
    }

    /// Returns the folders whose files are served.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let sites = self.all_services().filter_map(|(_, service)| service.sites.as_ref());
        let routes = sites.flat_map(|sites| sites.list()).flat_map(|site| site.routes.list());
        routes.filter_map(|route| match &route.action {
            RouteAction::Folder(folder) => Some(folder.path()),
            _ => None,
        })
    }

    /// Returns all services, with their ids.
    pub(crate) fn all_services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        let all = std::iter::once(&self.service).chain(&self.services);
        all.enumerate().map(|(at, service)| (ServiceId(at), service))
    }

    /// Returns true if a listener is that of a forward proxy.
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.all_services().any(|(_, service)| !service.is_reverse())
    }

    /// Returns the parts of the cache that responses may be stored in.
    pub(super) fn spaces(&self) -> BTreeSet<Space> {
        let sites = self.all_services().filter_map(|(_, service)| service.sites.as_ref());
        let sites = sites
            .flat_map(|sites| sites.list())
            .flat_map(|site| site.parts.iter().map(|part| part.space));
        sites.chain(self.forwards().then_some(Space(0))).collect()
    }

    /// Returns the key rules of routes that have some of their own.
    pub(super) fn special_key_rules(&self) -> Vec<KeyRules> {
        let sites = self.all_services().filter_map(|(_, service)| service.sites.as_ref());
        let routes = sites.flat_map(|sites| sites.list()).flat_map(|site| site.routes.list());
        let mut rules = Vec::new();
        for own in routes.filter_map(|route| route.policy.cache.key_rules.as_ref()) {
            if !rules.contains(own) {
                rules.push(own.clone());
            }
        }
        rules
    }

    /// Returns the groups of origins of all sites, each name once.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<OriginGroup>> {
        let mut groups = BTreeMap::new();
        let sites = self.all_services().filter_map(|(_, service)| service.sites.as_ref());
        for group in sites.flat_map(|sites| sites.groups()) {
            groups.entry(Arc::clone(&group.name)).or_insert(group);
        }
        groups.into_values().collect()
    }

    /// Returns the ports to which reverse proxies connect: those of their origins and of name servers
    /// over TCP. `None` if a listener is that of a forward proxy, which may connect to any port.
    #[must_use]
    pub fn dialled_ports(&self) -> Option<BTreeSet<u16>> {
        if self.forwards() {
            return None;
        }
        let groups = self.groups();
        let origins = groups.iter().flat_map(|group| &group.members).filter_map(OriginUrl::port);
        let servers = self.name_sources.servers.iter().map(SocketAddr::port);
        let directories = self.acme.iter().flat_map(|acme| acme.ports());
        Some(servers.chain(origins).chain([dns::PORT]).chain(directories).collect())
    }

    /// Returns true if `client` may purge.
    #[must_use]
    pub fn may_purge(&self, client: IpAddr) -> bool {
        self.purgers.iter().any(|range| range.contains(client))
    }

    /// Returns true if `client` is a trusted proxy.
    #[must_use]
    pub fn trusts(&self, client: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(client))
    }

    /// Returns true if `client` brings the connections of many users: a trusted proxy, or this
    /// machine unless it has a share as other clients have.
    pub(super) fn brings_many(&self, client: IpAddr) -> bool {
        let local = client.to_canonical().is_loopback();
        (local && !self.limits.share_loopback) || self.trusts(client)
    }

    /// Returns the client as which `address` is charged where clients share places
    /// ([`Shares`](crate::shares::Shares)): an IPv4 address, or the /64 of an IPv6 one. `None` if
    /// it brings the connections of many users.
    pub(super) fn share_of(&self, address: IpAddr) -> Option<IpAddr> {
        (!self.brings_many(address)).then(|| client_network(address))
    }

    /// Returns true if it depends on the path of a request who may send the request.
    pub(super) fn protects_paths(&self) -> bool {
        let mut sites = self.all_services().filter_map(|(_, service)| service.sites.as_ref());
        if sites.any(|sites| sites.has_locks()) {
            return true;
        }
        let rules = self.all_services().flat_map(|(_, service)| service.all_auth());
        let rules = rules.map(|(_, rules)| rules);
        rules.flat_map(|rules| &rules.spaces).any(|space| !space.path.is_everything())
    }

    /// Returns the response fields that this cache obeys in place of `Cache-Control` (RFC 9213).
    pub(super) const fn targets(&self) -> &'static [Name] {
        const ALL: &[Name] = &[Name::TidegateCacheControl, Name::CdnCacheControl];
        if self.targeted { ALL } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_bring_many_users_have_no_share() {
        let mut settings = Settings::forward("gate");
        settings.trusted_proxies = vec!["192.0.2.9".parse().unwrap()];
        let mut alone = settings.clone();
        alone.limits.share_loopback = true;
        for (address, by_default, if_loopback_shares) in [
            ("127.0.0.9", None, Some("127.0.0.9")),
            ("::1", None, Some("::")),
            ("::ffff:127.0.0.1", None, Some("127.0.0.1")),
            ("192.0.2.9", None, None),
            ("192.0.2.1", Some("192.0.2.1"), Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1"), Some("192.0.2.1")),
            ("2001:db8:1:2:3::4", Some("2001:db8:1:2::"), Some("2001:db8:1:2::")),
        ] {
            let share = |text: Option<&str>| text.map(|text| text.parse::<IpAddr>().unwrap());
            let address = address.parse().unwrap();
            assert_eq!(settings.share_of(address), share(by_default), "{address}");
            assert_eq!(alone.share_of(address), share(if_loopback_shares), "{address}");
        }
    }
}
