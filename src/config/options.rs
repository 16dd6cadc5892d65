//! All options, and the settings of a proxy made from them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Cidr, DestinationPolicy, Host};
use crate::auth::Side;
use crate::cache::{FreshnessRule, KeyRules, RequestRules};
use crate::coding::CompressionRules;
use crate::http::hop::Protocol;
use crate::proxy::{
    AuthRules, ClientLimits, Eviction, Limits, ListenerKind, ListenerSettings, LogFormat,
    OriginPlace, Service, ServiceId, Settings, Sites,
};
use crate::reactor::{NameSource, NameSources};
use crate::tls::ServerTls;
use crate::units::Bytes;

use super::acme::AcmeOptions;
use super::auth::AuthOptions;
use super::files;
use super::geoip;
use super::listener::{ListenPlace, ListenerSection, Mode};
use super::log::{LogOptions, LogTarget};
use super::place::placed;
use super::reverse::ReverseOptions;
use super::rules::RuleOptions;
use super::throttle::BanOptions;
use super::tls::TlsOptions;

/// Resolver of host names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResolverKind {
    /// The proxy itself, which queries name servers on its event loop.
    #[default]
    Loop,
    /// `getaddrinfo(3)` on threads, as configured by nsswitch.conf(5).
    System,
}

impl FromStr for ResolverKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "loop" => Ok(Self::Loop),
            "system" => Ok(Self::System),
            _ => Err(format!("'{text}' is neither loop nor system")),
        }
    }
}

impl fmt::Display for ResolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loop => "loop",
            Self::System => "system",
        })
    }
}

/// Place of the control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlTarget {
    /// The user's runtime directory, if there is one.
    #[default]
    Default,
    /// This path.
    At(PathBuf),
    /// No control socket.
    Off,
}

/// All options, with defaults for those that are not set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Listeners with a service of their own.
    pub listeners: Vec<ListenerSection>,
    /// Options of a reverse proxy.
    pub reverse: ReverseOptions,
    /// Options for TLS.
    pub tls: TlsOptions,
    /// Options for certificates that the proxy obtains itself.
    pub acme: AcmeOptions,
    /// Size of the cache in bytes; `None` means no cache.
    pub cache_memory: Option<Bytes>,
    /// Size of the largest object to store, in bytes.
    pub cache_object_max: Option<Bytes>,
    /// Rules that adjust how long responses are fresh.
    pub freshness_rules: Vec<FreshnessRule>,
    /// Rules for the parts of a URL that form its cache key.
    pub key_rules: KeyRules,
    /// Rules by which requests are compared, and for which of their directives count.
    pub request_rules: RequestRules,
    /// True if `max-age` suffices to store a response with `Set-Cookie`.
    pub store_cookies: bool,
    /// True if targeted cache control is obeyed. By default, only a reverse proxy obeys it.
    pub targeted: Option<bool>,
    /// True if `Cache-Status` shows cache keys.
    pub status_key: bool,
    /// Order in which entries are evicted when memory is short.
    pub eviction: Eviction,
    /// Rules for compression on the fly.
    pub compression: CompressionRules,
    /// Resolver of host names.
    pub resolver: ResolverKind,
    /// Name servers to query instead of those in resolv.conf.
    pub dns_servers: Vec<SocketAddr>,
    /// True if queries spell names in random case.
    pub dns_0x20: bool,
    /// Hosts file, if it is not the system's.
    pub hosts: Option<PathBuf>,
    /// Policy for destinations, with the exceptions for special addresses.
    pub destinations: DestinationPolicy,
    /// Access rules for destinations.
    pub rules: RuleOptions,
    /// Files with databases of the places of clients.
    pub geoip: Vec<PathBuf>,
    /// Clients on other machines that may use the proxy.
    pub clients: Vec<Cidr>,
    /// Options about users.
    pub auth: AuthOptions,
    /// Clients that may purge.
    pub purgers: Vec<Cidr>,
    /// Proxies in front whose statements about their clients are trusted.
    pub trusted_proxies: Vec<Cidr>,
    /// Limits of clients by time.
    pub client_limits: ClientLimits,
    /// Options for bans.
    pub bans: BanOptions,
    /// Protocols that clients may upgrade to.
    pub upgrades: Vec<Protocol>,
    /// Target of the access log.
    pub access_log: LogTarget,
    /// Format of the access log.
    pub log_format: LogFormat,
    /// Options for outputs of the access log.
    pub log: LogOptions,
    /// Name of the proxy in `Via`.
    pub via: Option<String>,
    /// Place of the control socket.
    pub control: ControlTarget,
    /// Address that serves metrics.
    pub admin: Option<SocketAddr>,
    /// User that the process becomes after a start by root, by name or number.
    pub user: Option<String>,
    /// Group that the process becomes, if not the groups of the user.
    pub group: Option<String>,
    /// True if the process drops the access rights that it does not need.
    pub confine: bool,
    /// True if the memory of the process may be dumped, or read by other processes of its user.
    pub core_dumps: bool,
    /// True if a supervisor starts and watches the process that serves.
    pub supervise: bool,
    /// Longest time between two signs of life of a supervised process.
    pub heartbeat_timeout: Duration,
    /// Bounds and timeouts.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            listeners: Vec::new(),
            reverse: ReverseOptions::default(),
            tls: TlsOptions::default(),
            acme: AcmeOptions::default(),
            cache_memory: Some(Bytes(256 << 20)),
            cache_object_max: None,
            freshness_rules: Vec::new(),
            key_rules: KeyRules::default(),
            request_rules: RequestRules::default(),
            store_cookies: false,
            targeted: None,
            status_key: false,
            eviction: Eviction::default(),
            compression: CompressionRules::default(),
            resolver: ResolverKind::default(),
            dns_servers: Vec::new(),
            dns_0x20: true,
            hosts: None,
            destinations: DestinationPolicy::default(),
            rules: RuleOptions::default(),
            geoip: Vec::new(),
            clients: Vec::new(),
            auth: AuthOptions::default(),
            purgers: Vec::new(),
            trusted_proxies: Vec::new(),
            client_limits: ClientLimits::default(),
            bans: BanOptions::default(),
            upgrades: Vec::new(),
            access_log: LogTarget::Stdout,
            log_format: LogFormat::Human,
            log: LogOptions::default(),
            via: None,
            control: ControlTarget::Default,
            admin: None,
            user: None,
            group: None,
            confine: false,
            core_dumps: false,
            supervise: false,
            heartbeat_timeout: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Returns the listeners. An IPv4-mapped IPv6 address is returned as IPv4.
    #[must_use]
    pub fn listeners(&self) -> Vec<PlannedListener> {
        let of = |kind, list: &[SocketAddr]| {
            let canonical =
                |address: &SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
            let planned = |address| PlannedListener {
                place: ListenPlace::Address(canonical(address)),
                settings: ListenerSettings { kind, ..ListenerSettings::default() },
            };
            list.iter().map(planned).collect::<Vec<_>>()
        };
        let mut all = of(ListenerKind::Plain, &self.listen);
        all.extend(of(ListenerKind::Tls, &self.tls.listen));
        if all.is_empty() && self.listeners.is_empty() {
            all.extend(of(ListenerKind::Plain, &[SocketAddr::from(([127, 0, 0, 1], 3128))]));
        }
        all.extend(of(ListenerKind::Redirect, &self.tls.redirect));
        for (at, section) in self.listeners.iter().enumerate() {
            all.extend(section.places.iter().map(|place| PlannedListener {
                place: place.clone(),
                settings: ListenerSettings {
                    kind: section.kind(),
                    service: ServiceId(at + 1),
                    proxy_protocol: section.proxy_protocol,
                },
            }));
        }
        all
    }

    /// Returns the places of listeners that serve requests and have no section.
    pub(super) fn common_listeners(&self) -> Vec<ListenPlace> {
        let is_common = |listener: &PlannedListener| {
            let ListenerSettings { service, kind, .. } = listener.settings;
            service == ServiceId(0) && kind != ListenerKind::Redirect
        };
        let common = self.listeners().into_iter().filter(is_common);
        common.map(|listener| listener.place).collect()
    }

    /// Returns the kinds of the listeners.
    fn kinds(&self) -> Vec<ListenerKind> {
        self.listeners().into_iter().map(|listener| listener.settings.kind).collect()
    }

    /// Returns the addresses of the option `listen`, or the default.
    pub(super) fn listen_addresses(&self) -> Vec<SocketAddr> {
        let usual = |listener: &PlannedListener| {
            listener.settings == ListenerSettings::from(ListenerKind::Plain)
        };
        let usual = self.listeners().into_iter().filter(usual);
        usual.filter_map(|listener| listener.place.address()).collect()
    }

    /// Returns the addresses at which requests are served without TLS, and the services there.
    #[must_use]
    pub fn in_clear(&self) -> Vec<(ServiceId, SocketAddr)> {
        let plain = |listener: &PlannedListener| listener.settings.kind == ListenerKind::Plain;
        let plain = self.listeners().into_iter().filter(plain);
        let of = |listener: PlannedListener| {
            Some((listener.settings.service, listener.place.address()?))
        };
        plain.filter_map(of).collect()
    }

    /// Returns the addresses to listen on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners().iter().filter_map(|listener| listener.place.address()).collect()
    }

    /// Returns true if listeners without a mode are those of a reverse proxy.
    #[must_use]
    pub fn is_reverse(&self) -> bool {
        self.reverse.is_given()
    }

    /// Returns true if a listener is that of a forward proxy.
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.modes().iter().any(|(mode, ..)| *mode == Mode::Forward)
    }

    /// Returns the mode, the addresses and the clients of each service that has listeners.
    pub(super) fn modes(&self) -> Vec<(Mode, Vec<SocketAddr>, &[Cidr])> {
        let usual = if self.is_reverse() { Mode::Reverse } else { Mode::Forward };
        let all = self.listeners();
        let of = |id| {
            let these =
                all.iter().filter(move |listener| listener.settings.service == ServiceId(id));
            these.map(|listener| listener.place.address()).collect::<Vec<_>>()
        };
        let sections = self.listeners.iter().enumerate();
        let sections = sections
            .map(|(at, section)| (section.mode.unwrap_or(usual), at + 1, &*section.clients));
        let services = std::iter::once((usual, 0, &*self.clients)).chain(sections);
        let with_listeners = services.filter(|(_, id, _)| !of(*id).is_empty());
        with_listeners
            .map(|(mode, id, clients)| (mode, of(id).into_iter().flatten().collect(), clients))
            .collect()
    }

    /// Returns the settings of a proxy, after reading the user and rule files. `pseudonym` is the
    /// name in `Via` unless the option is set.
    ///
    /// # Errors
    /// A message that says which options conflict or which file is invalid, and what to do.
    pub fn settings(&self, pseudonym: &str) -> Result<Settings, String> {
        self.check()?;
        let sites = self.reverse.settings()?.map(Arc::new);
        let services = self.services(sites.as_ref())?;
        let memory = self.cache_memory.map_or(0, |size| size.0);
        let origin_tls = Arc::new(self.tls.origin()?);
        let acme = self.acme.settings(&self.kinds())?.map(Arc::new);
        let geo = geoip::read_all(&self.geoip)?;
        Ok(Settings {
            limits: self.limits.clone(),
            via: self.via.clone().unwrap_or_else(|| pseudonym.to_owned()),
            name: self.via.clone().unwrap_or_else(|| "tidegate".to_owned()),
            name_sources: self.name_sources()?,
            destinations: {
                let users = !self.auth.files.is_empty();
                self.rules.apply(&self.destinations, users, &self.addresses(), &geo)?
            },
            geo: Arc::new(geo),
            service: self.service(sites, &self.clients, &self.auth)?,
            services,
            purgers: self.purgers.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            client_limits: self.client_limits.clone(),
            bans: self.bans.settings()?,
            upgrades: self.upgrades.clone(),
            own_tls: acme.is_some().then(|| self.tls.own(&origin_tls)).transpose()?,
            origin_tls: Some(origin_tls),
            server_tls: self.server_tls()?.map(Arc::new),
            acme,
            hsts: self.tls.hsts,
            cache_memory: usize::try_from(memory).unwrap_or(usize::MAX),
            cache_object_max: self.cache_object_max.map(|size| size.0),
            freshness_rules: self.freshness_rules.clone(),
            key_rules: self.key_rules.clone(),
            request_rules: self.request_rules,
            store_cookies: self.store_cookies,
            targeted: self.targeted.unwrap_or(self.is_reverse()),
            status_key: self.status_key,
            eviction: self.eviction,
            compression: self.compression.clone(),
            log: (self.access_log != LogTarget::Off).then(|| self.log_format.clone()),
        })
    }

    /// Returns the service for `sites`, or that of a forward proxy.
    fn service(
        &self,
        sites: Option<Arc<Sites>>,
        clients: &[Cidr],
        auth: &AuthOptions,
    ) -> Result<Service, String> {
        let side = if sites.is_some() { Side::Origin } else { Side::Proxy };
        let site_auth = if sites.is_some() { self.site_auth(auth)? } else { BTreeMap::new() };
        let limits = ClientLimits::default();
        let (clients, auth) = (clients.to_vec(), auth.rules(side)?);
        Ok(Service { sites, clients, auth, site_auth, limits })
    }

    /// Returns the rules of sites that have users of their own, beside those of a listener.
    fn site_auth(&self, listener: &AuthOptions) -> Result<BTreeMap<usize, AuthRules>, String> {
        let mut all = BTreeMap::new();
        for (site, own) in self.reverse.protected()? {
            let mut auth = listener.clone();
            let without = auth.protect.iter_mut().filter(|protect| protect.files.is_empty());
            without.for_each(|protect| protect.files.clone_from(&listener.files));
            // Users of a route for all paths take the place of those of the listener.
            if own.iter().any(|protect| protect.path.is_everything()) {
                auth.files.clear();
            }
            auth.protect.retain(|other| !own.iter().any(|own| own.path.is_alike(&other.path)));
            auth.protect.extend(own);
            all.extend(auth.rules(Side::Origin)?.map(|rules| (site, rules)));
        }
        Ok(all)
    }

    /// Returns the services of listeners that have one of their own.
    fn services(&self, sites: Option<&Arc<Sites>>) -> Result<Vec<Service>, String> {
        let of = |section: &ListenerSection| {
            let wrong = |why| {
                let place = section.places.first().map(ToString::to_string).unwrap_or_default();
                placed(section.at.as_ref(), format!("the listener {place}: {why}"))
            };
            let sites = match (section.mode, sites) {
                (Some(Mode::Reverse), None) => {
                    return Err(wrong("it has no sites to serve; add a [[site]]".to_owned()));
                }
                (Some(Mode::Forward), _) => None,
                (_, sites) => sites.cloned(),
            };
            let auth = self.auth_of(section, sites.is_some());
            let service = self.service(sites, &section.clients, &auth).map_err(wrong)?;
            Ok(Service { limits: section.limits.clone(), ..service })
        };
        self.listeners.iter().map(of).collect()
    }

    /// Returns the authentication of a listener: users, schemes and realm are its own, all else is that of
    /// the process. Protected paths belong to the sites, so that they are protected on every listener that
    /// serves them.
    fn auth_of(&self, section: &ListenerSection, is_reverse: bool) -> AuthOptions {
        let own = &section.auth;
        AuthOptions {
            files: own.files.clone(),
            schemes: own.schemes,
            realm: own.realm.clone(),
            protect: if is_reverse { self.auth.protect.clone() } else { Vec::new() },
            ..self.auth.clone()
        }
    }

    /// Returns the sources for resolving names. A hosts file that the operator names has to exist.
    fn name_sources(&self) -> Result<NameSources, String> {
        let mut sources = NameSources {
            servers: self.dns_servers.clone(),
            random_case: self.dns_0x20,
            ..Default::default()
        };
        if let Some(path) = &self.hosts {
            files::open(path).map_err(|error| {
                format!("cannot read the hosts file {}: {error}", path.display())
            })?;
            sources.hosts = NameSource::File(path.clone());
        }
        let unused = self.resolver == ResolverKind::System;
        match (unused, self.dns_servers.is_empty(), &self.hosts) {
            (true, false, _) => Err("dns-server works with resolver loop only".into()),
            (true, _, Some(_)) => Err("hosts works with resolver loop only".into()),
            _ if unused && !self.dns_0x20 => Err("dns-0x20 works with resolver loop only".into()),
            _ => Ok(sources),
        }
    }

    /// Returns the settings of TLS towards clients; `None` if no listener is for TLS.
    fn server_tls(&self) -> Result<Option<ServerTls>, String> {
        let listens = self.kinds().contains(&ListenerKind::Tls);
        self.tls.server(listens, !self.acme.certificates.is_empty())
    }
}

/// A listener to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedListener {
    /// Place to listen at.
    pub place: ListenPlace,
    /// Protocol and service of its connections.
    pub settings: ListenerSettings,
}

impl PlannedListener {
    /// Returns true if connections to `place` reach the listener.
    pub(super) fn is_at(&self, place: &OriginPlace) -> bool {
        match (place, &self.place) {
            (OriginPlace::Host(Host::Address(ip), port), ListenPlace::Address(address)) => {
                let everywhere = address.ip().is_unspecified() && ip.is_loopback();
                *port == address.port() && (*ip == address.ip() || everywhere)
            }
            (OriginPlace::Local(path), ListenPlace::Local(own, _)) => **path == **own,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MemberOption;

    fn origin() -> Vec<MemberOption> {
        vec!["http://127.0.0.1:8080".parse().unwrap()]
    }

    #[test]
    fn only_a_reverse_proxy_may_ignore_client_no_cache() {
        let mut options = Options::default();
        options.request_rules.ignore_no_cache = true;
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.reverse.to = origin();
        assert!(options.settings("p").unwrap().request_rules.ignore_no_cache);
    }

    #[test]
    fn trusted_proxies_of_a_forward_proxy_are_rejected() {
        let mut options = Options {
            trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
            ..Options::default()
        };
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.reverse.to = origin();
        assert!(options.settings("p").is_ok());
    }

    #[test]
    fn paths_are_protected_on_each_listener_that_serves_sites() {
        let mut options = Options::default();
        options.auth.protect = vec!["/admin users=u".parse().unwrap()];
        options.auth.files = vec!["of-the-process".into()];
        options.auth.userhash = true;
        let auth = options.auth_of(&ListenerSection::default(), true);
        assert_eq!((auth.protect.len(), auth.files.len(), auth.userhash), (1, 0, true));
        assert!(options.auth_of(&ListenerSection::default(), false).protect.is_empty());
    }

    #[test]
    fn restrictions_of_listeners_that_are_not_there_are_rejected() {
        let section = ListenerSection {
            places: vec!["127.0.0.1:8080".parse().unwrap()],
            ..ListenerSection::default()
        };
        let mut options = Options { listeners: vec![section], ..Options::default() };
        options.reverse.to = origin();
        options.clients = vec!["192.0.2.0/24".parse().unwrap()];
        let error = options.settings("p").unwrap_err();
        assert!(error.contains("give allow-client in each [[listener]]"), "{error}");
        options.auth.files = vec!["u".into()];
        let error = options.settings("p").unwrap_err();
        assert!(error.contains("give users in each [[listener]]"), "{error}");
        (options.clients, options.auth.files) = (Vec::new(), Vec::new());
        assert!(options.settings("p").is_err(), "the origin is the listener");
        options.reverse.to = vec!["http://127.0.0.1:8081".parse().unwrap()];
        assert!(options.settings("p").is_ok());
    }

    #[test]
    fn open_forward_proxy_needs_allowed_clients() {
        let mut options = Options::default();
        assert!(options.settings("p").is_ok());
        options.listen = vec!["0.0.0.0:3128".parse().unwrap()];
        assert!(options.settings("p").unwrap_err().contains("--allow-client"));
        options.clients = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(options.settings("p").is_ok());
        options.clients.clear();
        options.reverse.to = origin();
        assert!(options.settings("p").is_ok(), "a reverse proxy serves all clients");
    }
}
