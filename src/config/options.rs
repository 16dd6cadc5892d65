//! All options, and the settings of a proxy made from them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::access::{Cidr, DestinationPolicy};
use crate::auth::Side;
use crate::cache::{FreshnessRule, KeyRules, RequestRules};
use crate::http::hop::Protocol;
use crate::proxy::{Eviction, Limits, ListenerKind, LogFormat, ReverseOrigin, Settings};
use crate::reactor::{NameSource, NameSources};
use crate::units::Bytes;

use super::acme::AcmeOptions;
use super::auth::AuthOptions;
use super::files;
use super::rules::RuleOptions;
use super::tls::TlsOptions;

/// Target of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// A file, to which lines are appended.
    File(String),
    /// No access log.
    Off,
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "-",
            Self::File(path) => path,
            Self::Off => "off",
        })
    }
}

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
    /// URL of the origin to serve, as it was written and parsed.
    pub to: Option<(String, ReverseOrigin)>,
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
    /// Clients on other machines that may use the proxy.
    pub clients: Vec<Cidr>,
    /// Options about users.
    pub auth: AuthOptions,
    /// Clients that may purge.
    pub purgers: Vec<Cidr>,
    /// Proxies in front whose statements about their clients are trusted.
    pub trusted_proxies: Vec<Cidr>,
    /// Protocols that clients may upgrade to.
    pub upgrades: Vec<Protocol>,
    /// Target of the access log.
    pub access_log: LogTarget,
    /// Format of the access log.
    pub log_format: LogFormat,
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
    /// Bounds and timeouts.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            to: None,
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
            resolver: ResolverKind::default(),
            dns_servers: Vec::new(),
            dns_0x20: true,
            hosts: None,
            destinations: DestinationPolicy::default(),
            rules: RuleOptions::default(),
            clients: Vec::new(),
            auth: AuthOptions::default(),
            purgers: Vec::new(),
            trusted_proxies: Vec::new(),
            upgrades: Vec::new(),
            access_log: LogTarget::Stdout,
            log_format: LogFormat::Human,
            via: None,
            control: ControlTarget::Default,
            admin: None,
            user: None,
            group: None,
            confine: false,
            core_dumps: false,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// Returns the addresses to listen on, with what is spoken there. An IPv4-mapped IPv6 address is
    /// returned as IPv4.
    #[must_use]
    pub fn listeners(&self) -> Vec<(ListenerKind, SocketAddr)> {
        let of = |kind, list: &[SocketAddr]| {
            let canonical = |address: &SocketAddr| {
                (kind, SocketAddr::new(address.ip().to_canonical(), address.port()))
            };
            list.iter().map(canonical).collect::<Vec<_>>()
        };
        let mut all = of(ListenerKind::Plain, &self.listen);
        all.extend(of(ListenerKind::Tls, &self.tls.listen));
        if all.is_empty() {
            all.push((ListenerKind::Plain, SocketAddr::from(([127, 0, 0, 1], 3128))));
        }
        all.extend(of(ListenerKind::Redirect, &self.tls.redirect));
        all
    }

    /// Returns the kinds of the listeners.
    fn kinds(&self) -> Vec<ListenerKind> {
        self.listeners().into_iter().map(|(kind, _)| kind).collect()
    }

    /// Returns the addresses at which requests are served without TLS.
    #[must_use]
    pub fn in_clear(&self) -> Vec<SocketAddr> {
        let plain = |&(kind, _): &(ListenerKind, SocketAddr)| kind == ListenerKind::Plain;
        self.listeners().into_iter().filter(plain).map(|(_, address)| address).collect()
    }

    /// Returns the addresses to listen on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners().into_iter().map(|(_, address)| address).collect()
    }

    /// Returns the settings of a proxy, after reading the user and rule files. `pseudonym` is the
    /// name in `Via` unless the option is set.
    ///
    /// # Errors
    /// A message that says which options conflict or which file is invalid, and what to do.
    pub fn settings(&self, pseudonym: &str) -> Result<Settings, String> {
        self.check()?;
        let side = if self.to.is_some() { Side::Origin } else { Side::Proxy };
        let memory = self.cache_memory.map_or(0, |size| size.0);
        let origin_tls = Arc::new(self.tls.origin()?);
        let acme = self.acme.settings(&self.kinds())?.map(Arc::new);
        Ok(Settings {
            limits: self.limits.clone(),
            via: self.via.clone().unwrap_or_else(|| pseudonym.to_owned()),
            name: self.via.clone().unwrap_or_else(|| "tidegate".to_owned()),
            name_sources: self.name_sources()?,
            destinations: {
                let users = !self.auth.files.is_empty();
                self.rules.apply(&self.destinations, users, &self.addresses())?
            },
            clients: self.clients.clone(),
            auth: self.auth.rules(side)?,
            purgers: self.purgers.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            upgrades: self.upgrades.clone(),
            reverse: self.to.as_ref().map(|(_, origin)| origin.clone()),
            own_tls: acme.is_some().then(|| self.tls.own(&origin_tls)).transpose()?,
            origin_tls: Some(origin_tls),
            server_tls: self.tls.server(!self.acme.certificates.is_empty())?.map(Arc::new),
            acme,
            hsts: self.tls.hsts,
            cache_memory: usize::try_from(memory).unwrap_or(usize::MAX),
            cache_object_max: self.cache_object_max.map(|size| size.0),
            freshness_rules: self.freshness_rules.clone(),
            key_rules: self.key_rules.clone(),
            request_rules: self.request_rules,
            store_cookies: self.store_cookies,
            targeted: self.targeted.unwrap_or(self.to.is_some()),
            status_key: self.status_key,
            eviction: self.eviction,
            log: (self.access_log != LogTarget::Off).then_some(self.log_format),
        })
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

    /// Rejects dangerous combinations with the reason, instead of warning about them.
    fn check(&self) -> Result<(), String> {
        self.rules.check(self.to.is_some())?;
        if self.request_rules.ignore_no_cache && self.to.is_none() {
            return Err("ignore-client-no-cache works with --to only: the content that a forward \
                        proxy serves does not belong to its operator"
                .into());
        }
        if !self.trusted_proxies.is_empty() && self.to.is_none() {
            return Err(
                "trusted-proxy works with --to only: a forward proxy drops X-Forwarded-* and \
                        Forwarded from any client"
                    .into(),
            );
        }
        let beyond = self.addresses().into_iter().find(|address| !address.ip().is_loopback());
        if let (None, true, Some(address)) = (&self.to, self.clients.is_empty(), beyond) {
            return Err(format!(
                "{address} can be reached by other machines, and no option says which of them may \
                 use this forward proxy; add --allow-client CIDR, or listen on 127.0.0.1"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Option<(String, ReverseOrigin)> {
        let url = "http://127.0.0.1:8080";
        Some((url.to_owned(), ReverseOrigin::parse(url).unwrap()))
    }

    #[test]
    fn only_a_reverse_proxy_may_ignore_client_no_cache() {
        let mut options = Options::default();
        options.request_rules.ignore_no_cache = true;
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.to = origin();
        assert!(options.settings("p").unwrap().request_rules.ignore_no_cache);
    }

    #[test]
    fn trusted_proxies_of_a_forward_proxy_are_rejected() {
        let mut options = Options {
            trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
            ..Options::default()
        };
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.to = origin();
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
        options.to = origin();
        assert!(options.settings("p").is_ok(), "a reverse proxy serves all clients");
    }
}
