//! Where requests may go: ports, special addresses, and what was allowed in spite of them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::embedded::facets;
use super::net::Cidr;
use super::own::Own;
use super::special::AddressClass;
use super::spelling::Host;

/// An exception to the denial of special addresses (`--allow-destination`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationRule {
    /// These addresses, whatever they are for.
    Range(Cidr),
    /// Private-use and unique-local addresses, for this name only.
    Name(NamePattern),
    /// These addresses, whatever they are for, while this name resolves to them.
    NameWithin(NamePattern, Cidr),
}

/// `HOST`, or `*.DOMAIN` for every name below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// Lower case; without the `*`, and with the dot, of a domain.
    text: String,
}

impl NamePattern {
    /// Whether `name`, in lower case and without a trailing dot, is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.text.starts_with('.') { name.ends_with(&self.text) } else { name == self.text }
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        match Host::parse(name) {
            Ok(Host::Name(host)) => {
                let dot = if name.len() < text.len() { "." } else { "" };
                Ok(Self { text: format!("{dot}{host}") })
            }
            _ => Err(format!("'{text}' is neither a host name nor *.DOMAIN")),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.text.starts_with('.') { "*" } else { "" };
        write!(f, "{star}{}", self.text)
    }
}

impl FromStr for DestinationRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, range)) = text.split_once('=') {
            return Ok(Self::NameWithin(name.parse()?, range.parse()?));
        }
        let looks_like_range =
            text.contains(['/', ':']) || !matches!(Host::parse(text), Ok(Host::Name(_)));
        if looks_like_range && !text.starts_with("*.") {
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

/// A list of ports and ranges of ports: `80,443,1025-65535`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Whether `port` is in the list.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&port))
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |digits: &str| {
            let port = digits.trim().parse::<u16>().ok().filter(|&port| port > 0);
            port.ok_or_else(|| format!("'{digits}' is no port"))
        };
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (port(first)?, port(last)?);
            if first <= last { Ok((first, last)) } else { Err(format!("'{part}' is empty")) }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// The rules for destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationPolicy {
    /// Exceptions to the denial of special addresses.
    pub rules: Vec<DestinationRule>,
    /// Ports for requests.
    pub ports: Ports,
    /// Ports for CONNECT.
    pub connect_ports: Ports,
}

impl Default for DestinationPolicy {
    /// The web's ports and those no system service has; CONNECT to HTTPS only; no exceptions.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            ports: Ports(vec![(80, 80), (443, 443), (1025, 65535)]),
            connect_ports: Ports(vec![(443, 443)]),
        }
    }
}

/// Why a destination is refused: which rule, and the option that lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The port is in no list.
    Port {
        /// The port asked for.
        port: u16,
        /// Whether by CONNECT.
        connect: bool,
    },
    /// The address is special.
    Address {
        /// The address judged.
        address: IpAddr,
        /// The address that it embeds, if that is what is denied.
        embedded: Option<IpAddr>,
        /// What the denied one is for.
        class: AddressClass,
        /// The name that led to it, if one did.
        name: Option<String>,
    },
    /// This proxy listens there.
    Listener {
        /// Where.
        address: SocketAddr,
    },
}

impl Denial {
    /// The rule's name, for logs and `Proxy-Status`.
    #[must_use]
    pub fn rule(&self) -> String {
        match self {
            Self::Port { connect: false, .. } => "port".into(),
            Self::Port { connect: true, .. } => "connect-port".into(),
            Self::Address { class, .. } => format!("destination-{class}"),
            Self::Listener { .. } => "destination-listener".into(),
        }
    }

    /// The option that would lift it, if one can.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Port { port, connect: false } => {
                format!("--allow-port {},{port}", DestinationPolicy::default().ports)
            }
            Self::Port { port, connect: true } => {
                format!(
                    "--allow-connect-port {},{port}",
                    DestinationPolicy::default().connect_ports
                )
            }
            Self::Address { address, embedded, name, .. } => {
                let denied = embedded.unwrap_or(*address);
                let name = name.as_ref().map_or(String::new(), |name| format!("{name}="));
                format!("--allow-destination {name}{denied}")
            }
            Self::Listener { .. } => return None,
        })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, connect: false } => write!(f, "port {port} is not allowed"),
            Self::Port { port, connect: true } => {
                write!(f, "CONNECT to port {port} is not allowed")
            }
            Self::Address { address, embedded, class, name } => {
                match (name, embedded) {
                    (None, None) => write!(f, "{address} is ")?,
                    (None, Some(v4)) => write!(f, "{address} embeds {v4}, ")?,
                    (Some(name), None) => write!(f, "{name} resolves to {address}, ")?,
                    (Some(name), Some(v4)) => {
                        write!(f, "{name} resolves to {address}, which embeds {v4}, ")?;
                    }
                }
                match class {
                    AddressClass::Own => f.write_str("an address of this machine"),
                    AddressClass::Unspecified => f.write_str("an unspecified address"),
                    class => write!(f, "a {class} address"),
                }
            }
            Self::Listener { address } => write!(f, "{address} is this proxy itself"),
        }
    }
}

impl DestinationPolicy {
    /// Whether requests, or CONNECT, may go to `port`.
    ///
    /// # Errors
    /// The denial.
    pub fn judge_port(&self, port: u16, connect: bool) -> Result<(), Denial> {
        let ports = if connect { &self.connect_ports } else { &self.ports };
        if ports.contains(port) { Ok(()) } else { Err(Denial::Port { port, connect }) }
    }

    /// Whether requests may go to `address`, to which `host` led, wherever this machine is.
    ///
    /// # Errors
    /// The denial.
    pub fn judge_address(&self, host: &Host, address: IpAddr) -> Result<(), Denial> {
        self.judge_class(host, address, AddressClass::as_such)
    }

    /// Whether `to`, to which `host` led, may be dialled from this machine.
    ///
    /// # Errors
    /// The denial.
    pub fn judge_dial(&self, host: &Host, to: SocketAddr, own: &Own) -> Result<(), Denial> {
        if own.listens_at(to) {
            return Err(Denial::Listener { address: to });
        }
        self.judge_class(host, to.ip(), |facet| own.class_of(facet))
    }

    /// What an address embeds is judged like itself: each has to be global, or be lifted.
    fn judge_class(
        &self,
        host: &Host,
        address: IpAddr,
        class_of: impl Fn(IpAddr) -> AddressClass,
    ) -> Result<(), Denial> {
        let name = match host {
            Host::Name(name) => Some(name.as_str()),
            Host::Address(_) => None,
        };
        for facet in facets(address) {
            let class = class_of(facet);
            if class != AddressClass::Global
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
        policy(rules).judge_address(&host, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn special_addresses_are_denied_until_a_rule_lifts_it() {
        assert!(allows(&[], "example.com", "93.184.216.34"));
        assert!(!allows(&[], "localhost", "127.0.0.1"));
        assert!(allows(&["127.0.0.0/8"], "localhost", "127.0.0.1"));
        assert!(!allows(&["127.0.0.0/8"], "localhost", "::1"));
        assert!(allows(&["::1"], "localhost", "::1"));
        assert!(allows(&["127.0.0.1"], "[::ffff:127.0.0.1]", "::ffff:127.0.0.1"));
    }

    #[test]
    fn what_is_embedded_is_to_be_lifted_too() {
        assert!(allows(&["10.0.0.0/8"], "intern.example", "64:ff9b::10.0.0.1"));
        assert!(!allows(&["64:ff9b::/96"], "intern.example", "64:ff9b::10.0.0.1"));
        assert!(!allows(&["64:ff9b:1::/48"], "h", "64:ff9b:1:7f00:0:100::"));
        assert!(!allows(&["127.0.0.0/8"], "h", "64:ff9b:1:7f00:0:100::"));
        assert!(allows(&["127.0.0.0/8", "64:ff9b:1::/48"], "h", "64:ff9b:1:7f00:0:100::"));
        let denied = policy(&[])
            .judge_address(&Host::parse("h").unwrap(), "64:ff9b::10.0.0.1".parse().unwrap());
        let denial = denied.unwrap_err();
        assert_eq!(
            denial.to_string(),
            "h resolves to 64:ff9b::a00:1, which embeds 10.0.0.1, a private address"
        );
        assert_eq!(denial.remedy().unwrap(), "--allow-destination h=10.0.0.1");
    }

    #[test]
    fn this_machine_and_this_proxy_are_no_destinations() {
        let own = Own {
            addresses: vec!["93.184.216.34".parse().unwrap(), "10.0.0.5".parse().unwrap()],
            listeners: vec!["0.0.0.0:3128".parse().unwrap()],
        };
        let judge = |rules: &[&str], host: &str, to: &str| {
            let host = Host::parse(host).unwrap();
            let judged = policy(rules).judge_dial(&host, to.parse().unwrap(), &own);
            judged.map_or_else(|denial| denial.rule(), |()| "allowed".into())
        };
        assert_eq!(judge(&[], "h", "93.184.216.34:80"), "destination-own");
        assert_eq!(judge(&[], "h", "93.184.216.35:80"), "allowed");
        assert_eq!(judge(&["93.184.216.34"], "h", "93.184.216.34:80"), "allowed");
        assert_eq!(judge(&["10.0.0.0/8"], "h", "10.0.0.5:80"), "allowed");
        assert_eq!(judge(&["h"], "h", "10.0.0.5:80"), "destination-own", "not by a name alone");
        assert_eq!(judge(&["h"], "h", "10.0.0.6:80"), "allowed");
        assert_eq!(judge(&["0.0.0.0/0"], "h", "93.184.216.34:3128"), "destination-listener");
        assert_eq!(judge(&["0.0.0.0/0"], "127.0.0.1", "127.0.0.1:3128"), "destination-listener");
    }

    #[test]
    fn a_name_lifts_private_use_for_itself_only() {
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
    fn a_name_within_a_range_is_allowed_whatever_the_range_is_for() {
        let rules = &["dev.example=127.0.0.0/8"];
        assert!(allows(rules, "dev.example", "127.0.0.5"));
        assert!(!allows(rules, "dev.example", "10.0.0.1"));
        assert!(!allows(rules, "other.example", "127.0.0.5"));
    }

    #[test]
    fn rules_are_written_back_as_they_are_read_and_nonsense_is_refused() {
        for rule in ["10.0.0.0/8", "::1", "host.example", "*.example", "h.example=10.0.0.0/8"] {
            assert_eq!(rule.parse::<DestinationRule>().unwrap().to_string(), rule);
        }
        for rule in ["", "10.0.0.0/99", "*", "*.", "h=", "=10.0.0.1", "a b", "http://h/", "127.1"] {
            assert!(rule.parse::<DestinationRule>().is_err(), "{rule}");
        }
    }

    #[test]
    fn ports_are_lists_of_ranges() {
        let defaults = DestinationPolicy::default();
        assert!(defaults.judge_port(80, false).is_ok() && defaults.judge_port(1025, false).is_ok());
        assert!(
            defaults.judge_port(22, false).is_err() && defaults.judge_port(1024, false).is_err()
        );
        assert!(defaults.judge_port(443, true).is_ok() && defaults.judge_port(80, true).is_err());
        assert_eq!("80,8000-8010".parse::<Ports>().unwrap().to_string(), "80,8000-8010");
        for text in ["", "0", "65536", "9-8", "a", "1,,2", "1-2-3"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }
}
