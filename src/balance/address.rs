//! Addresses of origins.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Address of an origin. It is displayed as `127.0.0.1:80` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OriginAddress {
    /// IP address and port.
    Tcp(SocketAddr),
    /// Path of a local socket.
    Local(Arc<Path>),
}

impl fmt::Display for OriginAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Local(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_displayed_as_they_are_configured() {
        for text in ["127.0.0.1:80", "[2001:db8::1]:8080"] {
            assert_eq!(OriginAddress::Tcp(text.parse().unwrap()).to_string(), text);
        }
        let local = OriginAddress::Local(Path::new("/run/app.sock").into());
        assert_eq!(local.to_string(), "unix:/run/app.sock");
    }
}
