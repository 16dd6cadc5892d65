//! Settings of a proxy: immutable, replaced as a whole by a reload.

pub(crate) mod acme;
pub(super) mod auth;
pub(super) mod limits;
pub(crate) mod listener;
pub(crate) mod origin;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Cidr, DestinationPolicy};
use crate::auth::client_network;
use crate::cache::{Eviction, FreshnessRule, KeyRules, RequestRules};
use crate::dns;
use crate::http::Name;
use crate::http::hop::Protocol;
use crate::proxy::observe::log_format::LogFormat;
use crate::reactor::NameSources;
use crate::tls::{OriginTls, ServerTls};

use acme::AcmeSettings;
use auth::AuthRules;
use limits::Limits;
use origin::ReverseOrigin;

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
    /// Clients that may use the proxy, beside this machine. If empty, a reverse proxy serves all.
    pub clients: Vec<Cidr>,
    /// Authentication rules; without, no client has to authenticate.
    pub auth: Option<AuthRules>,
    /// Clients that may purge with the method `PURGE`. From other clients it is an unknown method.
    pub purgers: Vec<Cidr>,
    /// Proxies whose `X-Forwarded-*` and `Forwarded` a reverse proxy trusts.
    pub trusted_proxies: Vec<Cidr>,
    /// Protocols to which clients may upgrade, beside WebSocket.
    pub upgrades: Vec<Protocol>,
    /// The origin of a reverse proxy; `None` for a forward proxy.
    pub reverse: Option<ReverseOrigin>,
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
            clients: Vec::new(),
            auth: None,
            purgers: Vec::new(),
            trusted_proxies: Vec::new(),
            upgrades: Vec::new(),
            reverse: None,
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

    /// Returns the ports to which a reverse proxy connects: those of its origin and of name servers
    /// over TCP. `None` for a forward proxy, which may connect to any port.
    #[must_use]
    pub fn dialled_ports(&self) -> Option<BTreeSet<u16>> {
        let origin = self.reverse.as_ref()?.port;
        let servers = self.name_sources.servers.iter().map(SocketAddr::port);
        let directories = self.acme.iter().flat_map(|acme| acme.ports());
        Some(servers.chain([origin, dns::PORT]).chain(directories).collect())
    }

    /// Returns true if `client`, a peer, may use this proxy.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        (self.reverse.is_some() && self.clients.is_empty())
            || client.to_canonical().is_loopback()
            || self.clients.iter().any(|range| range.contains(client))
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

    /// Returns true if authentication depends on the path.
    pub(super) fn protects_paths(&self) -> bool {
        let spaces = self.auth.iter().flat_map(|rules| &rules.spaces);
        spaces.into_iter().any(|space| !space.path.is_everything())
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
    use crate::http::Scheme;

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

    #[test]
    fn origin_is_parsed_from_its_url() {
        let origin = ReverseOrigin::parse("http://App.Example:8080/base/").unwrap();
        assert_eq!(&*origin.authority, "app.example:8080");
        assert_eq!((origin.port, origin.prefix.as_str()), (8080, "/base"));
        assert_eq!(ReverseOrigin::parse("HTTP://127.1/").unwrap().authority.as_ref(), "127.0.0.1");
        assert_eq!(ReverseOrigin::parse("http://h/a%20b/;c=1").unwrap().prefix, "/a%20b/;c=1");
        for url in
            ["http://h/%zz", "http://h/%2", "http://h/a b", "http://h/\u{e4}", "http://h/\r\n"]
        {
            assert!(ReverseOrigin::parse(url).is_err(), "{url}");
        }
        let origin = ReverseOrigin::parse("HTTPS://App.Example/base").unwrap();
        assert_eq!(
            (origin.scheme, origin.port, &*origin.authority),
            (Scheme::Https, 443, "app.example")
        );
        for url in ["h:80", "http://", "http://h/?q", "http://u@h/", "ftp://h/"] {
            assert!(ReverseOrigin::parse(url).is_err(), "{url}");
        }
    }
}
