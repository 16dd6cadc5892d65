//! Addresses at which the proxy listens, and those by which clients reach it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::ListenPlace;
use crate::proxy::{ListenerKind, ListenerSettings, ServiceId};
use crate::reactor::Endpoint;

/// A listener of the proxy.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// Place of the listener, with the port that the system picked if 0 was given.
    pub(super) place: ListenPlace,
    /// True if the listener accepts connections of both address families.
    everywhere: bool,
    pub(super) settings: ListenerSettings,
}

impl Listening {
    /// Describes a listener with these `settings` that was opened at `endpoint` and has the address
    /// `address`.
    pub(super) const fn at(
        endpoint: Endpoint,
        address: SocketAddr,
        settings: ListenerSettings,
    ) -> Self {
        let everywhere = matches!(endpoint, Endpoint::Everywhere(_));
        Self { place: ListenPlace::Address(address), everywhere, settings }
    }

    /// Describes a listener with these `settings` at a `place` in the file system.
    pub(super) const fn local(place: ListenPlace, settings: ListenerSettings) -> Self {
        Self { place, everywhere: false, settings }
    }

    /// Returns the address; `None` for a socket in the file system.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.place.address()
    }

    /// Returns the service and the address if requests are served there without TLS.
    pub(super) fn in_clear(&self) -> Option<(ServiceId, SocketAddr)> {
        let address = self.address().filter(|_| self.settings.kind == ListenerKind::Plain)?;
        Some((self.settings.service, address))
    }

    /// Returns options of curl and a URL for a socket in the file system, if the listener is one.
    pub(super) fn of_socket(&self) -> Option<String> {
        let path = self.place.path()?.display();
        Some(format!("--unix-socket {path} {}://localhost", self.scheme()))
    }

    /// Returns the scheme of URLs that lead to the listener.
    pub(super) const fn scheme(&self) -> &'static str {
        match self.settings.kind {
            ListenerKind::Tls => "https",
            ListenerKind::Plain | ListenerKind::Redirect => "http",
        }
    }

    /// Returns in words which addresses an unspecified one stands for, or nothing.
    pub(super) fn reached(&self) -> &'static str {
        let Some(address) = self.address() else { return "" };
        match (address.ip(), self.everywhere) {
            (ip, _) if !ip.is_unspecified() => "",
            (_, true) => " (all IPv4 and IPv6 addresses)",
            (IpAddr::V4(_), false) => " (all IPv4 addresses)",
            (IpAddr::V6(_), false) => " (all IPv6 addresses)",
        }
    }

    /// Returns an address by which this machine reaches the listener, if it has one.
    pub(super) fn nearby(&self) -> Option<SocketAddr> {
        let address = self.address()?;
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() && self.everywhere => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Some(SocketAddr::new(ip, address.port()))
    }
}

/// Returns the endpoint to open for `address`, which is one of `all`. `[::]` includes IPv4, unless
/// `all` has a listener on the same port of IPv4.
pub(in crate::cli) fn endpoint(address: SocketAddr, all: &[SocketAddr]) -> Endpoint {
    let beside = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    if address.ip() == Ipv6Addr::UNSPECIFIED && !all.iter().any(beside) {
        return Endpoint::Everywhere(address.port());
    }
    Endpoint::Address(address)
}

/// Writes the address, and which addresses it stands for if it is unspecified.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match self.settings.kind {
            ListenerKind::Redirect => ", which redirects to https",
            ListenerKind::Plain | ListenerKind::Tls => "",
        };
        match &self.place {
            ListenPlace::Address(address) => {
                write!(f, "{}://{address}{}{to}", self.scheme(), self.reached())
            }
            ListenPlace::Local(path, _) => write!(f, "{}+unix://{}", self.scheme(), path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_ipv6_address_includes_ipv4_unless_ipv4_has_a_listener() {
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
            let settings = ListenerSettings::default();
            let listening = Listening::at(endpoint(address, &all), address, settings);
            assert_eq!(listening.to_string(), shown);
            assert_eq!(listening.nearby().unwrap().to_string(), nearby, "{shown}");
        }
    }
}
