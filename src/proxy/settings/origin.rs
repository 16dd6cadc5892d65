//! The origin of a reverse proxy.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Host;
use crate::http::{Authority, Scheme};
use crate::proxy::address_text::AddressText;

/// The origin of a reverse proxy: `--to https://host:port/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseOrigin {
    /// The scheme: connections to the origin use TLS if it is `https`.
    pub scheme: Scheme,
    /// The host to resolve or connect to.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Host and port, the port only if it is not the scheme's default port.
    pub authority: Arc<str>,
    /// The path put before the path of every request: empty, or beginning with `/` and not ending
    /// in `/`.
    pub prefix: String,
}

impl ReverseOrigin {
    /// Parses the URL of an origin.
    ///
    /// # Errors
    /// Returns the reason, for the operator, if the URL is not that of an origin.
    pub fn parse(url: &str) -> Result<Self, String> {
        let named = url.split_once("://");
        let named = named.and_then(|(name, rest)| Some((Scheme::named(name)?, rest)));
        let (scheme, rest) =
            named.ok_or_else(|| format!("'{url}' does not begin with http:// or https://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !is_path(path.as_bytes()) {
            return Err(format!(
                "'{path}' is not a valid path prefix; percent-encode it, without query and fragment"
            ));
        }
        let parsed = Authority::parse(authority.as_bytes());
        let parsed = parsed.map_err(|_| format!("'{authority}' is not HOST or HOST:PORT"))?;
        let host = Host::parse(parsed.host).map_err(|error| format!("'{authority}': {error}"))?;
        let port = parsed.port.unwrap_or(scheme.default_port());
        let authority = authority_text(&host, port, Some(scheme.default_port())).into();
        Ok(Self { scheme, host, port, authority, prefix: path.trim_end_matches('/').to_owned() })
    }
}

/// Returns true if `path` is valid by RFC 3986 §3.3.
fn is_path(path: &[u8]) -> bool {
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) if [high, low].iter().all(|b| b.is_ascii_hexdigit()) => {
                tail
            }
            (b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@', tail) => tail,
            (b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=', _) => {
                tail
            }
            (byte, tail) if byte.is_ascii_alphanumeric() => tail,
            _ => return false,
        };
    }
    true
}

/// Returns host and port as they are written in URLs, without the scheme's default port.
pub(crate) fn authority_text(host: &Host, port: u16, default_port: Option<u16>) -> String {
    let mut text = match host {
        Host::Address(address @ IpAddr::V4(_)) => AddressText::of(*address).as_str().to_owned(),
        Host::Address(IpAddr::V6(_)) | Host::Name(_) => host.to_string(),
    };
    if Some(port) != default_port {
        text.push(':');
        text.push_str(&port.to_string());
    }
    text
}
