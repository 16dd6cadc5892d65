//! URLs of pages, as a browser requests them.

use std::fmt;
use std::net::IpAddr;

use crate::http::{Authority, Scheme, reference};

/// An `http` or `https` URL without a fragment (RFC 9110 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    is_secure: bool,
    host: String,
    port: Option<u16>,
    target: String,
}

impl Url {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// The reason if `text` is no such URL, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "write http://HOST/PATH or https://HOST/PATH";
        let scheme = text.split_once("://").and_then(|(scheme, _)| Scheme::named(scheme));
        if scheme.is_none() {
            return Err(format!("'{text}' does not begin with http:// or https://; {expected}"));
        }
        let normal = reference::resolve("http://none.invalid/", text);
        normal.and_then(|normal| Self::of_normal(&normal)).ok_or_else(|| {
            format!("'{text}' has no valid host, port or path; {expected}, without blanks or user")
        })
    }

    /// Resolves a reference in a page or field of this URL (RFC 3986 §5). Returns `None` for other
    /// schemes and for invalid references.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        Self::of_normal(&reference::resolve(&self.to_string(), reference)?)
    }

    /// Returns the URL with another path and query, which begin with a slash.
    #[must_use]
    pub fn with_target(&self, target: &str) -> Self {
        Self { target: encoded(target), ..self.clone() }
    }

    /// Reads a URL as [`reference::resolve`] writes it.
    fn of_normal(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let scheme = Scheme::named(scheme)?;
        let Authority { host, port } = Authority::parse(authority.as_bytes()).ok()?;
        Some(Self {
            is_secure: scheme == Scheme::Https,
            host: host.to_ascii_lowercase(),
            port: port.filter(|&port| port != scheme.default_port()),
            target: encoded(target),
        })
    }

    /// Returns the scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        if self.is_secure { Scheme::Https } else { Scheme::Http }
    }

    /// Returns true if the URL is requested by TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the host in lower case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the address that the host is, unless it is a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// Returns the port, that of the scheme if the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme().default_port())
    }

    /// Returns host and port, without the default port: the value of `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Returns path and query, which begin with a slash.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns true if the host is the machine of the browser, which trusts it without TLS.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Returns true if both URLs have the same host, whatever scheme and port.
    #[must_use]
    pub fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.target)
    }
}

/// Returns path and query as a browser sends them: rooted, and with the bytes encoded that a target
/// may not have.
fn encoded(target: &str) -> String {
    let mut out = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        out.push('/');
    }
    for byte in target.bytes() {
        match byte {
            b'"' | b'<' | b'>' => out.push_str(&format!("%{byte:02X}")),
            _ if byte.is_ascii_graphic() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_normalized() {
        for (text, normal) in [
            ("HTTP://Shop.Example", "http://shop.example/"),
            ("https://shop.example:443/a?b#c", "https://shop.example/a?b"),
            ("http://shop.example:8080?q", "http://shop.example:8080/?q"),
            ("http://[::1]:81/\u{fc}<", "http://[::1]:81/%C3%BC%3C"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), normal);
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_to_write() {
        for text in
            ["", "shop.example", "ftp://shop.example/", "http://", "http://u@h/", "http://h/ x"]
        {
            assert!(Url::parse(text).unwrap_err().contains("write http://"), "{text}");
        }
    }

    #[test]
    fn references_are_joined() {
        let page = Url::parse("https://shop.example/a/b").unwrap();
        let join = |reference| page.join(reference).map(|url| url.to_string());
        assert_eq!(join("c?d").as_deref(), Some("https://shop.example/a/c?d"));
        assert_eq!(join("//cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(join("mailto:a@shop.example"), None);
        assert_eq!(join("http://a b/"), None);
    }
}
