//! Addresses at which the proxy listens, and by which it is reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::reactor::Endpoint;

/// A place at which the proxy listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listening {
    /// The address, with the port that was picked if it was 0.
    pub(super) address: SocketAddr,
    /// True if it is of both families.
    everywhere: bool,
}

impl Listening {
    /// A listener that was opened for `endpoint` and listens on `address`.
    pub(super) const fn at(endpoint: Endpoint, address: SocketAddr) -> Self {
        Self { address, everywhere: matches!(endpoint, Endpoint::Everywhere(_)) }
    }

    /// The addresses by which it is reached, in words, if its own stands for all.
    pub(super) fn reached(self) -> &'static str {
        match (self.address.ip(), self.everywhere) {
            (ip, _) if !ip.is_unspecified() => "",
            (_, true) => " (all IPv4 and IPv6 addresses)",
            (IpAddr::V4(_), false) => " (all IPv4 addresses)",
            (IpAddr::V6(_), false) => " (all IPv6 addresses)",
        }
    }

    /// An address of this machine by which it is reached.
    pub(super) fn nearby(self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() && self.everywhere => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }
}

/// The place of a listener for `address`, which is one of `all`: `[::]` is for IPv4, too, unless the
/// same port of IPv4 has a listener of its own.
pub(super) fn endpoint(address: SocketAddr, all: &[SocketAddr]) -> Endpoint {
    let beside = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    if address.ip() == Ipv6Addr::UNSPECIFIED && !all.iter().any(beside) {
        return Endpoint::Everywhere(address.port());
    }
    Endpoint::Address(address)
}

/// The address, and which addresses it stands for if those are all.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.reached())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_address_of_ipv6_stands_for_both_families_unless_ipv4_has_its_own() {
        for (address, others, shown, nearby) in [
            ("[::]:80", &[][..], "http://[::]:80 (all IPv4 and IPv6 addresses)", "127.0.0.1:80"),
            ("[::]:80", &["0.0.0.0:80"], "http://[::]:80 (all IPv6 addresses)", "[::1]:80"),
            ("[::]:80", &["127.0.0.1:80"], "http://[::]:80 (all IPv6 addresses)", "[::1]:80"),
            (
                "[::]:80",
                &["0.0.0.0:81"],
                "http://[::]:80 (all IPv4 and IPv6 addresses)",
                "127.0.0.1:80",
            ),
            ("0.0.0.0:80", &["[::]:80"], "http://0.0.0.0:80 (all IPv4 addresses)", "127.0.0.1:80"),
            ("[::1]:80", &[], "http://[::1]:80", "[::1]:80"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let others = others.iter().map(|text| text.parse().unwrap());
            let all: Vec<SocketAddr> = [address].into_iter().chain(others).collect();
            let listening = Listening::at(endpoint(address, &all), address);
            assert_eq!(listening.to_string(), shown);
            assert_eq!(listening.nearby().to_string(), nearby, "{shown}");
        }
    }
}
