//! Addresses of this machine: those of its interfaces, and the listeners of the proxy.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::embedded::embedded_addresses;
use super::special::AddressClass;

/// Interface addresses of this machine, and listeners of this proxy.
#[derive(Clone, Debug, Default)]
pub struct LocalAddresses {
    /// Addresses of the machine's interfaces.
    pub addresses: Vec<IpAddr>,
    /// Listeners of this proxy. An unspecified address means all addresses of this machine.
    pub listeners: Vec<SocketAddr>,
}

impl LocalAddresses {
    /// Returns the class of `address` on this machine, without regard to addresses that it embeds.
    pub(super) fn class_of(&self, address: IpAddr) -> AddressClass {
        let class = AddressClass::as_such(address);
        let named_already = matches!(class, AddressClass::Loopback | AddressClass::Unspecified);
        if !named_already && self.has(address) { AddressClass::Own } else { class }
    }

    /// Returns true if a connection to `to` would end at a listener of this proxy.
    #[must_use]
    pub fn listens_at(&self, to: SocketAddr) -> bool {
        let mut same_port = self.listeners.iter().filter(|listener| listener.port() == to.port());
        same_port.any(|listener| {
            embedded_addresses(to.ip()).into_iter().any(|facet| self.reaches(facet, listener.ip()))
        })
    }

    /// Returns true if a connection to `address` reaches a socket that listens on `listener`.
    fn reaches(&self, address: IpAddr, listener: IpAddr) -> bool {
        let listener = listener.to_canonical();
        match (address.is_unspecified(), listener.is_unspecified()) {
            // An unspecified destination means this machine (RFC 1122 §3.2.1.3).
            (true, _) => true,
            // A listener on `::` may accept IPv4 as well (RFC 3493 §5.3).
            (false, true) => {
                let served = address.is_ipv4() || listener != Ipv4Addr::UNSPECIFIED;
                served && (address.is_loopback() || self.has(address))
            }
            (false, false) => address == listener,
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.to_canonical() == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(listeners: &[&str]) -> LocalAddresses {
        LocalAddresses {
            addresses: ["127.0.0.1", "::1", "10.0.0.5", "93.184.216.34", "2606:4700::5"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            listeners: listeners.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn interface_addresses_have_class_own() {
        for (address, expected) in [
            ("93.184.216.34", AddressClass::Own),
            ("2606:4700::5", AddressClass::Own),
            ("10.0.0.5", AddressClass::Own),
            ("10.0.0.6", AddressClass::Private),
            ("127.0.0.1", AddressClass::Loopback),
            ("93.184.216.35", AddressClass::Global),
        ] {
            assert_eq!(own(&[]).class_of(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn listeners_match_every_address_that_reaches_them() {
        let leads = |listener: &str, to: &str| own(&[listener]).listens_at(to.parse().unwrap());
        for (listener, to, expected) in [
            ("127.0.0.1:3128", "127.0.0.1:3128", true),
            ("127.0.0.1:3128", "127.0.0.1:3129", false),
            ("127.0.0.1:3128", "127.0.0.2:3128", false),
            ("127.0.0.1:3128", "0.0.0.0:3128", true),
            ("127.0.0.1:3128", "[::]:3128", true),
            ("127.0.0.1:3128", "[::ffff:127.0.0.1]:3128", true),
            ("127.0.0.1:3128", "[64:ff9b::127.0.0.1]:3128", true),
            ("[::ffff:127.0.0.1]:3128", "127.0.0.1:3128", true),
            ("0.0.0.0:3128", "127.9.9.9:3128", true),
            ("0.0.0.0:3128", "93.184.216.34:3128", true),
            ("0.0.0.0:3128", "93.184.216.35:3128", false),
            ("0.0.0.0:3128", "[2606:4700::5]:3128", false),
            ("[::]:3128", "[2606:4700::5]:3128", true),
            ("[::]:3128", "93.184.216.34:3128", true),
            ("93.184.216.34:80", "[2002:5db8:d822::1]:80", true),
        ] {
            assert_eq!(leads(listener, to), expected, "{to} and a listener on {listener}");
        }
    }
}
