//! Where requests may go: ports, special addresses, and what was allowed in spite of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::net::Cidr;
use super::pattern::NamePattern;
use super::ports::Ports;
use super::rules::{RuleName, RuleSet};
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

/// The rules for destinations.
#[derive(Clone, Debug)]
pub struct DestinationPolicy {
    /// Exceptions to the denial of special addresses.
    pub rules: Vec<DestinationRule>,
    /// Ports for requests.
    pub ports: Ports,
    /// Ports for CONNECT.
    pub connect_ports: Ports,
    /// Which of the others may be asked for, and by whom.
    pub egress: Arc<RuleSet>,
}

impl Default for DestinationPolicy {
    /// The web's ports and those no system service has; CONNECT to HTTPS only; no exceptions.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            ports: Ports::of(&[(80, 80), (443, 443), (1025, 65535)]),
            connect_ports: Ports::of(&[(443, 443)]),
            egress: Arc::default(),
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
        /// What it is for.
        class: AddressClass,
        /// The name that led to it, if one did.
        name: Option<String>,
    },
    /// A rule denies it, or no rule allows it.
    Rule {
        /// What was asked for.
        host: Host,
        /// At which port.
        port: u16,
        /// Whether by CONNECT.
        connect: bool,
        /// The rule.
        rule: RuleName,
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
            Self::Rule { rule, .. } => rule.reason(),
        }
    }

    /// The option that would lift it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Port { port, connect: false } => {
                format!("--allow-port {},{port}", DestinationPolicy::default().ports)
            }
            Self::Port { port, connect: true } => {
                format!(
                    "--allow-connect-port {},{port}",
                    DestinationPolicy::default().connect_ports
                )
            }
            Self::Address { address, name: Some(name), .. } => {
                format!("--allow-destination {name}={address}")
            }
            Self::Address { address, name: None, .. } => format!("--allow-destination {address}"),
            Self::Rule { host, port, connect: true, .. } => {
                format!("tidegate explain {host}:{port}")
            }
            Self::Rule { host, port: 80, .. } => format!("tidegate explain http://{host}/"),
            Self::Rule { host, port, .. } => format!("tidegate explain http://{host}:{port}/"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, connect: false } => write!(f, "port {port} is not allowed"),
            Self::Port { port, connect: true } => {
                write!(f, "CONNECT to port {port} is not allowed")
            }
            Self::Address { address, class, name: None } => {
                write!(f, "{address} is a {class} address")
            }
            Self::Address { address, class, name: Some(name) } => {
                write!(f, "{name} resolves to {address}, a {class} address")
            }
            Self::Rule { host, rule, .. } => write!(f, "{host} is denied by {rule}"),
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

    /// Whether requests may go to `address`, to which `host` led.
    ///
    /// # Errors
    /// The denial.
    pub fn judge_address(&self, host: &Host, address: IpAddr) -> Result<(), Denial> {
        let class = AddressClass::of(address);
        let name = match host {
            Host::Name(name) => Some(name.as_str()),
            Host::Address(_) => None,
        };
        if class == AddressClass::Global
            || self.rules.iter().any(|rule| rule.lifts(name, address, class))
        {
            return Ok(());
        }
        Err(Denial::Address { address, class, name: name.map(str::to_owned) })
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
