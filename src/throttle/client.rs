//! Clients as limits count them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::access::Cidr;

/// Client that a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientUnit {
    /// IPv4 address, or the /64 of an IPv6 address, which belongs to one customer: `address`.
    #[default]
    Address,
    /// The /24 of an IPv4 address, or the /48 of an IPv6 address: `network`.
    Network,
    /// User, or the address of a request without one: `user`.
    User,
}

impl ClientUnit {
    const NAMES: [(&'static str, Self); 3] =
        [("address", Self::Address), ("network", Self::Network), ("user", Self::User)];

    /// Returns the prefix lengths of the networks to count, for IPv4 and IPv6.
    const fn prefixes(self) -> (u8, u8) {
        match self {
            Self::Address | Self::User => ADDRESS,
            Self::Network => (24, 48),
        }
    }
}

/// Prefix lengths of the addresses that one client is likely to control, for IPv4 and IPv6.
pub(super) const ADDRESS: (u8, u8) = (32, 64);

/// Returns the network of `address` with one of the prefix lengths, for IPv4 and IPv6. An
/// IPv4-mapped address counts as the IPv4 address.
pub(super) fn network(address: IpAddr, (v4, v6): (u8, u8)) -> Option<Cidr> {
    let prefix = if address.to_canonical().is_ipv4() { v4 } else { v6 };
    Cidr::around(address, prefix)
}

impl FromStr for ClientUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        let unit = found.map(|&(_, unit)| unit);
        unit.ok_or_else(|| format!("'{text}' is none of address, network, user"))
    }
}

impl fmt::Display for ClientUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::NAMES
            .iter()
            .filter(|(_, unit)| unit == self)
            .try_for_each(|(name, _)| f.write_str(name))
    }
}

/// Key of a client in the tables of limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// First address of the client's network.
    Network(IpAddr),
    /// Name of the user.
    User(Arc<str>),
}

impl ClientKey {
    /// Returns the key of a request from `address` by `user`. Without a user, a limit by user
    /// counts the address.
    #[must_use]
    pub fn of(by: ClientUnit, address: IpAddr, user: Option<&Arc<str>>) -> Self {
        match (by, user) {
            (ClientUnit::User, Some(user)) => Self::User(user.clone()),
            _ => {
                let network = network(address, by.prefixes());
                Self::Network(network.map_or(address, |network| network.first()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(by: &str, address: &str, user: Option<&str>) -> ClientKey {
        let user = user.map(Arc::from);
        ClientKey::of(by.parse().unwrap(), address.parse().unwrap(), user.as_ref())
    }

    fn network(first: &str) -> ClientKey {
        ClientKey::Network(first.parse().unwrap())
    }

    #[test]
    fn units_round_trip() {
        for text in ["address", "network", "user"] {
            assert_eq!(text.parse::<ClientUnit>().unwrap().to_string(), text);
        }
        assert_eq!(
            "Address".parse::<ClientUnit>().unwrap_err(),
            "'Address' is none of address, network, user"
        );
    }

    #[test]
    fn key_is_the_network_of_the_unit() {
        for (by, address, first) in [
            ("address", "192.0.2.77", "192.0.2.77"),
            ("address", "::ffff:192.0.2.77", "192.0.2.77"),
            ("address", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("network", "192.0.2.77", "192.0.2.0"),
            ("network", "::ffff:192.0.2.77", "192.0.2.0"),
            ("network", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ] {
            assert_eq!(key(by, address, Some("ann")), network(first), "{by} {address}");
        }
    }

    #[test]
    fn key_by_user_is_the_address_without_a_user() {
        assert_eq!(key("user", "192.0.2.1", Some("ann")), ClientKey::User("ann".into()));
        assert_eq!(key("user", "192.0.2.1", None), network("192.0.2.1"));
        assert_eq!(key("user", "2001:db8::1", None), network("2001:db8::"));
        assert_ne!(key("user", "192.0.2.1", Some("192.0.2.1")), network("192.0.2.1"));
    }
}
