//! Everything that can be configured, and what a proxy is made from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::access::{Cidr, DestinationPolicy};
use crate::auth::Side;
use crate::cache::{FreshnessRule, KeyRules, RequestRules};
use crate::http::hop::Protocol;
use crate::proxy::{Eviction, Limits, LogFormat, ReverseOrigin, Settings};
use crate::reactor::{NameSource, NameSources};
use crate::units::Bytes;

use super::auth::AuthOptions;
use super::files;
use super::rules::RuleOptions;

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To standard output.
    Stdout,
    /// To a file, appended.
    File(String),
    /// Nowhere.
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

/// Who looks names up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResolverKind {
    /// The proxy itself, which asks servers on its loop.
    #[default]
    Loop,
    /// `getaddrinfo(3)`, on threads, by whatever nsswitch.conf(5) says.
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

/// Where commands for the running proxy are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlTarget {
    /// In the user's folder for such things, if there is one.
    #[default]
    Default,
    /// At a path.
    At(PathBuf),
    /// Nowhere.
    Off,
}

/// Everything that was said, and defaults for what was not.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The URL of the origin to serve, as it was given, and read.
    pub to: Option<(String, ReverseOrigin)>,
    /// Bytes for the cache.
    pub cache_memory: Option<Bytes>,
    /// Bytes of the largest object stored.
    pub cache_object_max: Option<Bytes>,
    /// How long responses are fresh where the origin's word is not enough.
    pub freshness_rules: Vec<FreshnessRule>,
    /// What of a URL its key in the cache is made of.
    pub key_rules: KeyRules,
    /// Rules by which requests are compared, and which of their directives count.
    pub request_rules: RequestRules,
    /// True if `max-age` suffices to store a response with `Set-Cookie`.
    pub store_cookies: bool,
    /// Whether targeted cache control is obeyed; of itself, a reverse proxy does.
    pub targeted: Option<bool>,
    /// Whether `Cache-Status` shows keys.
    pub status_key: bool,
    /// Which entries go first when memory is short.
    pub eviction: Eviction,
    /// Who looks names up.
    pub resolver: ResolverKind,
    /// Servers for names, instead of those of resolv.conf.
    pub dns_servers: Vec<SocketAddr>,
    /// True if queries spell names in random case.
    pub dns_0x20: bool,
    /// The file of hosts, if it is not that of the system.
    pub hosts: Option<PathBuf>,
    /// What is allowed though special.
    pub destinations: DestinationPolicy,
    /// Rules for destinations.
    pub rules: RuleOptions,
    /// Clients beyond this machine.
    pub clients: Vec<Cidr>,
    /// Who has to say who they are.
    pub auth: AuthOptions,
    /// Clients that may purge.
    pub purgers: Vec<Cidr>,
    /// Proxies whose word on their clients is taken.
    pub trusted_proxies: Vec<Cidr>,
    /// Protocols that clients may switch to.
    pub upgrades: Vec<Protocol>,
    /// Where the access log goes.
    pub access_log: LogTarget,
    /// How its lines look.
    pub log_format: LogFormat,
    /// The name in `Via`.
    pub via: Option<String>,
    /// Where commands are taken.
    pub control: ControlTarget,
    /// Where figures are served.
    pub admin: Option<SocketAddr>,
    /// The user that a process of root becomes, by name or number.
    pub user: Option<String>,
    /// The group, if it is not the user's own.
    pub group: Option<String>,
    /// True if the process gives up what it does not need.
    pub confine: bool,
    /// True if the memory of the process may be dumped, or read by other processes of its user.
    pub core_dumps: bool,
    /// Every bound and timeout.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            to: None,
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
    /// The addresses to listen on; one of IPv4 that is written as one of IPv6 is that of IPv4.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        if self.listen.is_empty() {
            return vec![SocketAddr::from(([127, 0, 0, 1], 3128))];
        }
        let canonical =
            |address: &SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        self.listen.iter().map(canonical).collect()
    }

    /// What a proxy is made from; users are read from their files. `pseudonym` is the name in `Via` if none was given.
    ///
    /// # Errors
    /// What does not go together, and what to do about it.
    pub fn settings(&self, pseudonym: &str) -> Result<Settings, String> {
        self.check()?;
        let side = if self.to.is_some() { Side::Origin } else { Side::Proxy };
        let memory = self.cache_memory.map_or(0, |size| size.0);
        Ok(Settings {
            limits: self.limits.clone(),
            via: self.via.clone().unwrap_or_else(|| pseudonym.to_owned()),
            name: self.via.clone().unwrap_or_else(|| "tidegate".to_owned()),
            name_sources: self.name_sources()?,
            destinations: {
                let users = !self.auth.files.is_empty();
                self.rules.apply(&self.destinations, users, &self.listeners())?
            },
            clients: self.clients.clone(),
            auth: self.auth.rules(side)?,
            purgers: self.purgers.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            upgrades: self.upgrades.clone(),
            reverse: self.to.as_ref().map(|(_, origin)| origin.clone()),
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

    /// What says how names are resolved. A file of hosts that was asked for has to be there.
    fn name_sources(&self) -> Result<NameSources, String> {
        let mut sources = NameSources {
            servers: self.dns_servers.clone(),
            random_case: self.dns_0x20,
            ..Default::default()
        };
        if let Some(path) = &self.hosts {
            files::open(path)
                .map_err(|error| format!("cannot read the hosts in {}: {error}", path.display()))?;
            sources.hosts = NameSource::File(path.clone());
        }
        let unused = self.resolver == ResolverKind::System;
        match (unused, self.dns_servers.is_empty(), &self.hosts) {
            (true, false, _) => Err("dns-server goes with resolver loop only".into()),
            (true, _, Some(_)) => Err("hosts goes with resolver loop only".into()),
            _ if unused && !self.dns_0x20 => Err("dns-0x20 goes with resolver loop only".into()),
            _ => Ok(sources),
        }
    }

    /// What could be dangerous is refused with the reason, not done and warned of.
    fn check(&self) -> Result<(), String> {
        self.rules.check(self.to.is_some())?;
        if self.request_rules.ignore_no_cache && self.to.is_none() {
            return Err("ignore-client-no-cache goes with --to only: what a forward proxy serves \
                        is not its operator's to keep"
                .into());
        }
        if !self.trusted_proxies.is_empty() && self.to.is_none() {
            return Err(
                "trusted-proxy goes with --to only: a forward proxy drops what any client \
                        says in X-Forwarded-* and Forwarded"
                    .into(),
            );
        }
        let beyond = self.listeners().into_iter().find(|address| !address.ip().is_loopback());
        if let (None, true, Some(address)) = (&self.to, self.clients.is_empty(), beyond) {
            return Err(format!(
                "{address} is open to other machines, and no rule says which of them may use this \
                 forward proxy; add --allow-client CIDR, or listen on 127.0.0.1"
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
    fn only_a_reverse_proxy_ignores_what_clients_say_of_validation() {
        let mut options = Options::default();
        options.request_rules.ignore_no_cache = true;
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.to = origin();
        assert!(options.settings("p").unwrap().request_rules.ignore_no_cache);
    }

    #[test]
    fn trusted_proxies_of_a_forward_proxy_are_refused() {
        let mut options = Options {
            trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
            ..Options::default()
        };
        assert!(options.settings("p").unwrap_err().contains("--to"));
        options.to = origin();
        assert!(options.settings("p").is_ok());
    }

    #[test]
    fn a_forward_proxy_is_not_opened_to_others_by_accident() {
        let mut options = Options::default();
        assert!(options.settings("p").is_ok());
        options.listen = vec!["0.0.0.0:3128".parse().unwrap()];
        assert!(options.settings("p").unwrap_err().contains("--allow-client"));
        options.clients = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(options.settings("p").is_ok());
        options.clients.clear();
        options.to = origin();
        assert!(options.settings("p").is_ok(), "a reverse proxy is for all");
    }
}
