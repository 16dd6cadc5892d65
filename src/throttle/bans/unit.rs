//! Networks that a rule counts and bans, by their prefix lengths.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::access::Cidr;
use crate::throttle::client::{self, ADDRESS};

/// Prefix lengths of the networks that a rule counts: `address`, `/24`, `/48` or `/24,/48`.
///
/// A length up to 32 is one of IPv4, a longer one of IPv6. The family without a length keeps that
/// of an address: 32 for IPv4, 64 for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BanUnit {
    v4: u8,
    v6: u8,
}

impl BanUnit {
    /// Addresses, which is the default.
    pub(super) const ADDRESS: Self = Self { v4: ADDRESS.0, v6: ADDRESS.1 };

    /// Returns the network of `client`.
    pub(super) fn network(self, client: IpAddr) -> Option<Cidr> {
        client::network(client, (self.v4, self.v6))
    }
}

impl FromStr for BanUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "address" {
            return Ok(Self::ADDRESS);
        }
        let (mut v4, mut v6) = (None, None);
        for word in text.split(',') {
            let digits = word.strip_prefix('/').filter(|digits| !digits.starts_with('+'));
            let twice = match digits.and_then(|digits| digits.parse().ok()) {
                Some(length @ 8..=32) => v4.replace(length).is_some(),
                Some(length @ 33..=128) => v6.replace(length).is_some(),
                _ => {
                    return Err(format!(
                        "'{word}' is neither address nor a prefix length: /8 to /32 for IPv4, /33 \
                         to /128 for IPv6"
                    ));
                }
            };
            if twice {
                return Err(format!("'{word}' is a second prefix length for its family"));
            }
        }
        Ok(Self { v4: v4.unwrap_or(ADDRESS.0), v6: v6.unwrap_or(ADDRESS.1) })
    }
}

impl fmt::Display for BanUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.v4, self.v6) {
            ADDRESS => f.write_str("address"),
            (v4, v6) if v6 == ADDRESS.1 => write!(f, "/{v4}"),
            (v4, v6) if v4 == ADDRESS.0 => write!(f, "/{v6}"),
            (v4, v6) => write!(f, "/{v4},/{v6}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(unit: &str, client: &str) -> String {
        let unit: BanUnit = unit.parse().unwrap();
        unit.network(client.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn length_applies_to_its_family_alone() {
        let (v4, v6) = ("192.0.2.77", "2001:db8:1:2:3:4:5:6");
        for (unit, v4_network, v6_network) in [
            ("address", "192.0.2.77", "2001:db8:1:2::/64"),
            ("/24", "192.0.2.0/24", "2001:db8:1:2::/64"),
            ("/8", "192.0.0.0/8", "2001:db8:1:2::/64"),
            ("/48", "192.0.2.77", "2001:db8:1::/48"),
            ("/33", "192.0.2.77", "2001:db8::/33"),
            ("/128", "192.0.2.77", "2001:db8:1:2:3:4:5:6"),
            ("/24,/48", "192.0.2.0/24", "2001:db8:1::/48"),
            ("/56,/16", "192.0.0.0/16", "2001:db8:1::/56"),
        ] {
            assert_eq!(network(unit, v4), v4_network);
            assert_eq!(network(unit, "::ffff:192.0.2.77"), v4_network, "mapped");
            assert_eq!(network(unit, v6), v6_network);
        }
    }

    #[test]
    fn units_round_trip() {
        for (text, written) in [
            ("address", "address"),
            ("/24", "/24"),
            ("/48", "/48"),
            ("/24,/48", "/24,/48"),
            ("/48,/24", "/24,/48"),
            ("/32,/64", "address"),
            ("/32", "address"),
            ("/24,/64", "/24"),
        ] {
            let unit: BanUnit = text.parse().unwrap();
            assert_eq!(unit.to_string(), written);
            assert_eq!(written.parse(), Ok(unit));
        }
    }

    #[test]
    fn invalid_units_are_rejected_with_the_reason() {
        for text in ["", "24", "/7", "/129", "/", "/+24", "/x", "network", "/256", "/-1"] {
            let message = "is neither address nor a prefix length: /8 to /32 for IPv4, /33 to /128 \
                           for IPv6";
            assert_eq!(text.parse::<BanUnit>().unwrap_err(), format!("'{text}' {message}"));
        }
        assert_eq!(
            "/24,/16".parse::<BanUnit>().unwrap_err(),
            "'/16' is a second prefix length for its family"
        );
    }
}
