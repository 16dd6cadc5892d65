//! Destinations of requests: allowed ports, special addresses, and exceptions for them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use super::denial::Denial;
use super::embedded::embedded_addresses;
use super::local_addresses::LocalAddresses;
use super::net::Cidr;
use super::pattern::NamePattern;
use super::ports::{DEFAULT_CONNECT_PORTS, DEFAULT_PORTS, Ports};
use super::rules::RuleSet;
use super::special::AddressClass;
use super::spelling::Host;

/// An exception to the denial of special addresses (`--allow-destination`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationRule {
    /// These addresses, of any class.
    Range(Cidr),
    /// Private-use and unique-local addresses, if this name resolves to them.
    Name(NamePattern),
    /// These addresses, of any class, if this name resolves to them.
    NameWithin(NamePattern, Cidr),
}

impl FromStr for DestinationRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, range)) = text.split_once('=') {
            return Ok(Self::NameWithin(name.parse()?, range.parse()?));
        }
        let looks_like_range =
            text.contains(['/', ':']) || !matches!(Host::parse(text), Ok(Host::Name(_)));
        if looks_like_range && !text.starts_with(['*', '.']) {
            return text.parse().map(Self::Range);
        }
        text.parse().map(Self::Name)
    }
}

impl fmt::Display for DestinationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::NameWithin(name, range) => write!(f, "{name}={range}"),
        }
    }
}

/// Policy for destinations.
#[derive(Clone, Debug)]
pub struct DestinationPolicy {
    /// Exceptions to the denial of special addresses.
    pub rules: Vec<DestinationRule>,
    /// Ports allowed for requests other than CONNECT.
    pub ports: Ports,
    /// Ports allowed for CONNECT.
    pub connect_ports: Ports,
    /// Rules that decide which of the remaining destinations may be requested, and by whom.
    pub egress: Arc<RuleSet>,
}

impl Default for DestinationPolicy {
    /// Returns a policy with the default ports and no exceptions.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            ports: Ports::of(DEFAULT_PORTS),
            connect_ports: Ports::of(DEFAULT_CONNECT_PORTS),
            egress: Arc::default(),
        }
    }
}

impl DestinationPolicy {
    /// Checks that requests, or CONNECT, may go to `port`.
    ///
    /// # Errors
    /// The denial.
    pub fn check_port(&self, port: u16, connect: bool) -> Result<(), Denial> {
        let ports = if connect { &self.connect_ports } else { &self.ports };
        if ports.contains(port) { Ok(()) } else { Err(Denial::Port { port, connect }) }
    }

    /// Checks that requests for `host` may go to `address`. The addresses of this machine are not
    /// considered.
    ///
    /// # Errors
    /// The denial.
    pub fn check_special_address(&self, host: &Host, address: IpAddr) -> Result<(), Denial> {
        self.check_class(host, address, AddressClass::as_such, |_, _| false)
    }

    /// Returns the exception that allows `address` for `host` although the address is special.
    #[must_use]
    pub fn exception_for(&self, host: &Host, address: IpAddr) -> Option<&DestinationRule> {
        let class = AddressClass::of(address);
        let special = class != AddressClass::Global;
        self.rules.iter().find(|rule| special && rule.lifts(host.name(), address, class))
    }

    /// Checks that this machine may dial `to` for `host`. `lifted` exempts special addresses, by
    /// address and class, but never a listener of this proxy.
    ///
    /// # Errors
    /// The denial.
    pub(super) fn check_dial(
        &self,
        host: &Host,
        to: SocketAddr,
        own: &LocalAddresses,
        lifted: impl Fn(IpAddr, AddressClass) -> bool,
    ) -> Result<(), Denial> {
        if own.listens_at(to) {
            return Err(Denial::Listener { address: to });
        }
        self.check_class(host, to.ip(), |facet| own.class_of(facet), lifted)
    }

    /// Checks `address` and every address that it embeds: each has to be global or exempt.
    fn check_class(
        &self,
        host: &Host,
        address: IpAddr,
        class_of: impl Fn(IpAddr) -> AddressClass,
        lifted: impl Fn(IpAddr, AddressClass) -> bool,
    ) -> Result<(), Denial> {
        let name = host.name();
        for facet in embedded_addresses(address) {
            let class = class_of(facet);
            if class != AddressClass::Global
                && !lifted(facet, class)
                && !self.rules.iter().any(|rule| rule.lifts(name, facet, class))
            {
                let embedded = (facet != address.to_canonical()).then_some(facet);
                let name = name.map(str::to_owned);
                return Err(Denial::Address { address, embedded, class, name });
            }
        }
        Ok(())
    }
}

impl DestinationRule {
    fn lifts(&self, name: Option<&str>, address: IpAddr, class: AddressClass) -> bool {
        let named = |pattern: &NamePattern| name.is_some_and(|name| pattern.matches(name));
        match self {
            Self::Range(range) => range.contains(address),
            Self::Name(pattern) => {
                matches!(class, AddressClass::Private | AddressClass::UniqueLocal) && named(pattern)
            }
            Self::NameWithin(pattern, range) => named(pattern) && range.contains(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> DestinationPolicy {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        DestinationPolicy { rules, ..Default::default() }
    }

    fn allows(rules: &[&str], host: &str, address: &str) -> bool {
        let host = Host::parse(host).unwrap();
        policy(rules).check_special_address(&host, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn special_addresses_are_denied_unless_exempt() {
        assert!(allows(&[], "example.com", "93.184.216.34"));
        assert!(!allows(&[], "localhost", "127.0.0.1"));
        assert!(allows(&["127.0.0.0/8"], "localhost", "127.0.0.1"));
        assert!(!allows(&["127.0.0.0/8"], "localhost", "::1"));
        assert!(allows(&["::1"], "localhost", "::1"));
        assert!(allows(&["127.0.0.1"], "[::ffff:127.0.0.1]", "::ffff:127.0.0.1"));
    }

    #[test]
    fn exception_for_returns_the_first_match() {
        let policy = policy(&["h", "10.0.0.0/16", "0.0.0.0/0"]);
        let rule = |host: &str, address: &str| {
            let (host, address) = (Host::parse(host).unwrap(), address.parse().unwrap());
            policy.exception_for(&host, address).map(ToString::to_string)
        };
        assert_eq!(rule("h", "10.0.0.1").as_deref(), Some("h"));
        assert_eq!(rule("other", "10.0.0.1").as_deref(), Some("10.0.0.0/16"));
        assert_eq!(rule("h", "127.0.0.1").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(rule("h", "93.184.216.34"), None, "a global address needs no exception");
        assert_eq!(rule("other", "fd00::1"), None);
    }

    #[test]
    fn embedded_addresses_need_exemption_too() {
        assert!(allows(&["10.0.0.0/8"], "intern.example", "64:ff9b::10.0.0.1"));
        assert!(!allows(&["64:ff9b::/96"], "intern.example", "64:ff9b::10.0.0.1"));
        assert!(!allows(&["64:ff9b:1::/48"], "h", "64:ff9b:1:7f00:0:100::"));
        assert!(!allows(&["127.0.0.0/8"], "h", "64:ff9b:1:7f00:0:100::"));
        assert!(allows(&["127.0.0.0/8", "64:ff9b:1::/48"], "h", "64:ff9b:1:7f00:0:100::"));
        let denied = policy(&[]).check_special_address(
            &Host::parse("h").unwrap(),
            "64:ff9b::10.0.0.1".parse().unwrap(),
        );
        let denial = denied.unwrap_err();
        assert_eq!(
            denial.to_string(),
            "h resolves to 64:ff9b::a00:1, which embeds 10.0.0.1, a private address"
        );
        assert_eq!(denial.remedy().unwrap(), "--allow-destination h=10.0.0.1");
    }

    #[test]
    fn own_addresses_and_listeners_are_denied() {
        let own = LocalAddresses {
            addresses: vec!["93.184.216.34".parse().unwrap(), "10.0.0.5".parse().unwrap()],
            listeners: vec!["0.0.0.0:3128".parse().unwrap()],
        };
        let judge = |rules: &[&str], host: &str, to: &str| {
            let host = Host::parse(host).unwrap();
            let judged = policy(rules).check_dial(&host, to.parse().unwrap(), &own, |_, _| false);
            judged.map_or_else(|denial| denial.rule(), |()| "allowed".into())
        };
        assert_eq!(judge(&[], "h", "93.184.216.34:80"), "destination-own");
        assert_eq!(judge(&[], "h", "93.184.216.35:80"), "allowed");
        assert_eq!(judge(&["93.184.216.34"], "h", "93.184.216.34:80"), "allowed");
        assert_eq!(judge(&["10.0.0.0/8"], "h", "10.0.0.5:80"), "allowed");
        assert_eq!(
            judge(&["h"], "h", "10.0.0.5:80"),
            "destination-own",
            "a name alone does not exempt it"
        );
        assert_eq!(judge(&["h"], "h", "10.0.0.6:80"), "allowed");
        assert_eq!(judge(&["0.0.0.0/0"], "h", "93.184.216.34:3128"), "destination-listener");
        assert_eq!(judge(&["0.0.0.0/0"], "127.0.0.1", "127.0.0.1:3128"), "destination-listener");
    }

    #[test]
    fn name_exempts_private_addresses_of_itself_only() {
        let rules = &["intern.example", "*.corp.example"];
        assert!(allows(rules, "intern.example", "10.0.0.1"));
        assert!(allows(rules, "a.b.corp.example", "fd00::1"));
        assert!(!allows(rules, "corp.example", "10.0.0.1"), "a domain is not below itself");
        assert!(!allows(rules, "evil-corp.example", "10.0.0.1"));
        assert!(!allows(rules, "other.example", "10.0.0.1"));
        assert!(!allows(rules, "10.0.0.1", "10.0.0.1"));
        assert!(!allows(rules, "intern.example", "127.0.0.1"), "never loopback");
        assert!(!allows(rules, "intern.example", "169.254.169.254"), "never the metadata service");
    }

    #[test]
    fn name_with_range_exempts_any_class() {
        let rules = &["dev.example=127.0.0.0/8"];
        assert!(allows(rules, "dev.example", "127.0.0.5"));
        assert!(!allows(rules, "dev.example", "10.0.0.1"));
        assert!(!allows(rules, "other.example", "127.0.0.5"));
    }

    #[test]
    fn destination_rules_round_trip_and_reject_nonsense() {
        for rule in ["10.0.0.0/8", "::1", "host.example", "*.example", "h.example=10.0.0.0/8"] {
            assert_eq!(rule.parse::<DestinationRule>().unwrap().to_string(), rule);
        }
        for rule in ["", "10.0.0.0/99", "*", "*.", "h=", "=10.0.0.1", "a b", "http://h/", "127.1"] {
            assert!(rule.parse::<DestinationRule>().is_err(), "{rule}");
        }
    }

    #[test]
    fn port_lists_parse_and_apply() {
        let defaults = DestinationPolicy::default();
        assert!(defaults.check_port(80, false).is_ok() && defaults.check_port(1025, false).is_ok());
        assert!(
            defaults.check_port(22, false).is_err() && defaults.check_port(1024, false).is_err()
        );
        assert!([80, 443].iter().all(|&port| defaults.check_port(port, true).is_ok()));
        assert!([22, 8080].iter().all(|&port| defaults.check_port(port, true).is_err()));
        assert_eq!("80,8000-8010".parse::<Ports>().unwrap().to_string(), "80,8000-8010");
        for text in ["", "0", "65536", "9-8", "a", "1,,2", "1-2-3"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }
}
