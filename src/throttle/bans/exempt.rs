//! Addresses that are never banned.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::access::Cidr;
use crate::work::count;

/// Loopback addresses and the allowed networks.
#[derive(Debug)]
pub(super) struct Exempt(Vec<Cidr>);

impl Exempt {
    /// Returns loopback and the `allowed` networks.
    pub(super) fn new(allowed: Vec<Cidr>) -> Self {
        let loopback = [(Ipv4Addr::LOCALHOST.into(), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];
        let loopback =
            loopback.into_iter().filter_map(|(address, prefix)| Cidr::around(address, prefix));
        Self(loopback.chain(allowed).collect())
    }

    /// Returns true if `address` is never banned.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        count(self.0.len());
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns true if some addresses of `network` are never banned.
    pub(super) fn is_in(&self, network: &Cidr) -> bool {
        count(self.0.len());
        self.0.iter().any(|exempt| network.covers(exempt) || exempt.covers(network))
    }

    /// Returns the network that contains all of `network`, if no address of it is ever banned.
    pub(super) fn covering(&self, network: &Cidr) -> Option<&Cidr> {
        count(self.0.len());
        self.0.iter().find(|exempt| exempt.covers(network))
    }
}
