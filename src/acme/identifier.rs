//! Identifiers of a certificate: DNS names (RFC 8555 §9.7.7) and IP addresses (RFC 8738).

use std::fmt::{self, Write};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::error::{AcmeError, clean};

/// Longest DNS name and label in bytes (RFC 1035 §2.3.4).
const MOST_NAME: usize = 253;
const MOST_LABEL: usize = 63;

/// Identifier that a certificate is ordered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// Host name in lower case, without a final dot.
    Dns(String),
    /// IP address.
    Ip(IpAddr),
}

impl Identifier {
    /// Parses a host name or an IP address. Names in other scripts are written as A-labels
    /// (RFC 5890).
    ///
    /// # Errors
    /// [`AcmeError`] for a wildcard, which only a DNS-01 challenge could prove, and for text that
    /// is no host name.
    pub fn parse(text: &str) -> Result<Self, AcmeError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        if text.starts_with("*.") {
            return Err(AcmeError::settings(format!(
                "no certificate can be ordered for '{}': CAs issue wildcards by DNS-01 only, which \
                 is not supported; list the names",
                clean(text)
            )));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_host = name.len() <= MOST_NAME && name.split('.').all(is_label);
        let wrong = || format!("'{}' is neither a host name nor an IP address", clean(text));
        is_host.then_some(Self::Dns(name)).ok_or_else(|| AcmeError::settings(wrong()))
    }

    /// Returns the name that a CA asks for in the TLS handshake of TLS-ALPN-01: for an address, its
    /// name in the reverse mapping (RFC 8738 §6).
    #[must_use]
    pub fn server_name(&self) -> String {
        let mut name = String::new();
        match self {
            Self::Dns(host) => name.push_str(host),
            Self::Ip(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                name = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
            }
            Self::Ip(IpAddr::V6(address)) => {
                for byte in address.octets().into_iter().rev() {
                    // Writing to a string does not fail.
                    let _ = write!(name, "{:x}.{:x}.", byte & 0xf, byte >> 4);
                }
                name.push_str("ip6.arpa");
            }
        }
        name
    }

    pub(super) fn to_json(&self) -> Value {
        let kind = if matches!(self, Self::Dns(_)) { "dns" } else { "ip" };
        json!({ "type": kind, "value": self.to_string() })
    }

    /// Returns the identifier that a CA names in one of its objects.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = value.get("value")?.as_str()?;
        let identifier = Self::parse(text).ok()?;
        let kind = value.get("type")?.as_str()?;
        (identifier.to_json().get("type")?.as_str() == Some(kind)).then_some(identifier)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = (1..=MOST_LABEL).contains(&label.len());
    fits && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
}
