//! Hosts of sites.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::access::{Host, NamePattern, NameReach};

/// A host of a site: a name, a pattern for names below a domain, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// A name, `*.DOMAIN` or `.DOMAIN`.
    Name(NamePattern),
    /// An address.
    Address(IpAddr),
}

impl HostPattern {
    /// Returns the name or address without the prefix of a pattern, as requests have it.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Name(name) => name.name().to_owned(),
            Self::Address(IpAddr::V4(address)) => address.to_string(),
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }

    /// Returns the hosts that the pattern is for.
    pub(super) const fn reach(&self) -> NameReach {
        match self {
            Self::Name(name) => name.reach(),
            Self::Address(_) => NameReach::Itself,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        match (Host::parse(text), bare.parse()) {
            (Ok(Host::Address(address)), _) | (_, Ok(address)) => Ok(Self::Address(address)),
            _ => text.parse().map(Self::Name),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(_) => f.write_str(&self.host()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hosts() {
        for (text, host) in [
            ("www.test", "www.test"),
            ("*.Test", "test"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().host(), host);
        }
        assert!("a b".parse::<HostPattern>().is_err());
    }
}
