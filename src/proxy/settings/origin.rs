//! URLs of origins that a reverse proxy serves.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::access::Host;
use crate::http::{Authority, Scheme};
use std::net::IpAddr;

use crate::proxy::address_text::AddressText;

/// The URL of an origin: `https://host:port/prefix`, or `unix:/path/of/socket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginUrl {
    text: Arc<str>,
    /// The scheme: connections to the origin use TLS if it is `https`.
    pub scheme: Scheme,
    /// The place of the origin.
    pub place: OriginPlace,
    /// Host and port, the port only if it is not the scheme's default port; `localhost` for a socket in
    /// the file system.
    pub authority: Arc<str>,
    /// The path that replaces the prefix of a route: empty, or beginning with `/` and not ending in `/`.
    /// `None` if the URL has no path: the paths of requests are kept then.
    pub path: Option<Box<str>>,
}

/// The place where an origin listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OriginPlace {
    /// A host to resolve or connect to, and a port.
    Host(Host, u16),
    /// A socket in the file system.
    Local(Arc<Path>),
}

impl OriginUrl {
    /// Returns the URL as it was written.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the path put before the paths of requests: empty, or beginning with `/` and not ending in
    /// `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// Returns true if `text` is a spelling of the URL: host and port may stand without the scheme, and
    /// a slash at the end does not count.
    #[must_use]
    pub fn is_written(&self, text: &str) -> bool {
        let is_whole = text.starts_with("unix:") || text.contains("://");
        let whole = if is_whole { text.to_owned() } else { format!("{}://{text}", self.scheme) };
        whole.parse::<Self>().is_ok_and(|other| {
            (other.scheme, &other.place) == (self.scheme, &self.place)
                && other.prefix() == self.prefix()
        })
    }

    /// Returns the port; `None` for a socket in the file system.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self.place {
            OriginPlace::Host(_, port) => Some(port),
            OriginPlace::Local(_) => None,
        }
    }
}

impl FromStr for OriginUrl {
    type Err = String;

    /// Parses the URL of an origin. The error is the reason, for the operator.
    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            return local(url, path);
        }
        let named = url.split_once("://");
        let named = named.and_then(|(name, rest)| Some((Scheme::named(name)?, rest)));
        let (scheme, rest) = named
            .ok_or_else(|| format!("'{url}' does not begin with http://, https:// or unix:/"))?;
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
        Ok(Self {
            text: url.into(),
            scheme,
            authority: authority_text(&host, port, Some(scheme.default_port())).into(),
            place: OriginPlace::Host(host, port),
            path: (!path.is_empty()).then(|| path.trim_end_matches('/').into()),
        })
    }
}

/// Returns the URL of an origin at a socket in the file system.
fn local(url: &str, path: &str) -> Result<OriginUrl, String> {
    /// Longest path of a socket: `sun_path` of unix(7) without its last byte.
    const LONGEST: usize = 107;
    if !path.starts_with('/') || path.len() > LONGEST || path.contains('\0') {
        return Err(format!(
            "'{url}' is not unix: and an absolute path of at most {LONGEST} bytes"
        ));
    }
    Ok(OriginUrl {
        text: url.into(),
        scheme: Scheme::Http,
        place: OriginPlace::Local(Path::new(path).into()),
        authority: "localhost".into(),
        path: None,
    })
}

/// Writes the URL as it was written.
impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> OriginUrl {
        url.parse().unwrap()
    }

    #[test]
    fn origin_is_parsed_from_its_url() {
        let origin = parsed("http://App.Example:8080/base/");
        assert_eq!(&*origin.authority, "app.example:8080");
        assert_eq!((origin.port(), origin.prefix()), (Some(8080), "/base"));
        assert_eq!(parsed("HTTP://127.1/").authority.as_ref(), "127.0.0.1");
        assert_eq!(parsed("http://h/a%20b/;c=1").prefix(), "/a%20b/;c=1");
        assert_eq!((parsed("http://h").path, parsed("http://h/").path), (None, Some("".into())));
        let origin = parsed("HTTPS://App.Example/base");
        assert_eq!(
            (origin.scheme, origin.port(), &*origin.authority),
            (Scheme::Https, Some(443), "app.example")
        );
        let local = parsed("unix:/run/app.sock");
        assert_eq!((local.port(), local.prefix()), (None, ""));
        assert_eq!(local.to_string(), "unix:/run/app.sock");
    }

    #[test]
    fn spellings_of_a_url_are_told_from_others() {
        let url = parsed("http://App.Example:8080");
        for text in ["http://App.Example:8080", "http://app.example:8080/", "app.example:8080"] {
            assert!(url.is_written(text), "{text}");
        }
        for text in ["https://app.example:8080", "app.example", "app.example:8080/x", "", "unix:/a"]
        {
            assert!(!url.is_written(text), "{text}");
        }
        assert!(parsed("https://h/a").is_written("h:443/a/"));
        assert!(parsed("unix:/run/app.sock").is_written("unix:/run/app.sock"));
    }

    #[test]
    fn other_urls_are_rejected() {
        for url in
            ["http://h/%zz", "http://h/%2", "http://h/a b", "http://h/\u{e4}", "http://h/\r\n"]
        {
            assert!(url.parse::<OriginUrl>().is_err(), "{url}");
        }
        for url in ["h:80", "http://", "http://h/?q", "http://u@h/", "ftp://h/", "unix:run/app"] {
            assert!(url.parse::<OriginUrl>().is_err(), "{url}");
        }
    }
}
