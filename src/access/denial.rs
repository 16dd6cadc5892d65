//! Denials of a destination, with their reason in words.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::http::Scheme;

use super::ports::{DEFAULT_CONNECT_PORTS, DEFAULT_PORTS, Ports};
use super::rules::RuleRef;
use super::special::AddressClass;
use super::spelling::Host;

/// Reason why a destination is denied: the rule, and the option that lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The port is not in the list of allowed ports.
    Port {
        /// Requested port.
        port: u16,
        /// True for CONNECT.
        connect: bool,
    },
    /// The address, or one that it embeds, is special.
    Address {
        /// Address that was checked.
        address: IpAddr,
        /// Embedded IPv4 address, if that one is denied.
        embedded: Option<IpAddr>,
        /// Class of the denied address.
        class: AddressClass,
        /// Name that resolved to the address; `None` for an address literal.
        name: Option<String>,
    },
    /// A rule denies the destination, or the default does because no rule matches.
    Rule {
        /// Scheme of the requested URL.
        scheme: Scheme,
        /// Requested host.
        host: Host,
        /// Requested port.
        port: u16,
        /// True for CONNECT.
        connect: bool,
        /// Rule that denies it.
        rule: RuleRef,
    },
    /// The destination is a listener of this proxy.
    Listener {
        /// Address and port of the destination.
        address: SocketAddr,
    },
}

impl Denial {
    /// Returns the rule's name, for logs and `Proxy-Status`.
    #[must_use]
    pub fn rule(&self) -> String {
        match self {
            Self::Port { connect: false, .. } => "port".into(),
            Self::Port { connect: true, .. } => "connect-port".into(),
            Self::Address { class, .. } => format!("destination-{class}"),
            Self::Rule { rule, .. } => rule.reason(),
            Self::Listener { .. } => "destination-listener".into(),
        }
    }

    /// Returns the option that would allow the destination; `None` if no option can.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Port { port, connect: false } => {
                format!("--allow-port {},{port}", Ports::of(DEFAULT_PORTS))
            }
            Self::Port { port, connect: true } => {
                format!("--allow-connect-port {},{port}", Ports::of(DEFAULT_CONNECT_PORTS))
            }
            Self::Address { address, embedded, name, .. } => {
                let denied = embedded.unwrap_or(*address);
                let name = name.as_ref().map_or(String::new(), |name| format!("{name}="));
                format!("--allow-destination {name}{denied}")
            }
            Self::Rule { .. } | Self::Listener { .. } => return None,
        })
    }

    /// Returns the denied request as arguments of `tidegate explain`, which takes `https://` alone for
    /// CONNECT; `None` unless a rule denies it.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        let Self::Rule { scheme, host, port, connect, .. } = self else { return None };
        if *connect {
            return Some(format!("{host}:{port}"));
        }
        let method = if *scheme == Scheme::Https { "--method GET " } else { "" };
        let scheme_name = scheme.name();
        Some(if *port == scheme.default_port() {
            format!("{method}{scheme_name}://{host}/")
        } else {
            format!("{method}{scheme_name}://{host}:{port}/")
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
            Self::Rule { host, rule, .. } => write!(f, "{host} is denied by {rule}"),
            Self::Listener { address } => write!(f, "{address} is this proxy itself"),
        }
    }
}
