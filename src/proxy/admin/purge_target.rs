//! Targets of purges by operators and clients, translated to the keys of the cache.

use crate::access::Host;
use crate::cache::PurgeScope;
use crate::http::Authority;

/// The target of a purge, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeTarget {
    /// A URL.
    Url(String),
    /// All URLs with this prefix, which has at least the scheme, host and port.
    Prefix(String),
    /// A host with all of its ports, or one port of it (`HOST:PORT`).
    Host(String),
    /// All responses with this tag.
    Tag(String),
    /// All responses.
    All,
}

impl PurgeTarget {
    /// Returns the scope in the cache. In keys of a forward proxy, a host spelled as an address is
    /// normalized; a reverse proxy keeps the spelling of its clients.
    ///
    /// # Errors
    /// Returns the reason, for the operator, if the target is not well-formed.
    pub(super) fn meant(&self, reverse: bool) -> Result<PurgeScope, String> {
        Ok(match self {
            Self::Url(url) => PurgeScope::Uri(normalized(url, reverse)?.into()),
            Self::Prefix(url) => PurgeScope::Prefix(normalized(url, reverse)?),
            Self::Host(host) => match normalized_authority(host, None, reverse)? {
                (name, None) => PurgeScope::Host(name),
                (name, Some(80)) => PurgeScope::Prefix(format!("http://{}/", without_port(&name))),
                (name, Some(443)) => {
                    PurgeScope::Prefix(format!("https://{}/", without_port(&name)))
                }
                (name, Some(_)) => PurgeScope::Host(name),
            },
            Self::Tag(tag) => PurgeScope::Tag(tag.as_bytes().to_vec()),
            Self::All => PurgeScope::All,
        })
    }
}

/// Returns a URL with its scheme and host in lower case and without a default port.
fn normalized(url: &str, reverse: bool) -> Result<String, String> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains('#') {
        return Err(format!(
            "'{url}' is not a URL: percent-encode spaces and characters beyond ASCII, and leave out \
             the fragment"
        ));
    }
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err(format!("'{url}' does not begin with http:// or https://")),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (authority, _) = normalized_authority(authority, Some(default_port), reverse)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok([&scheme, "://", &authority, slash, path].concat())
}

/// Returns host and port as they stand in keys, and the port unless it is absent or the default.
fn normalized_authority(
    text: &str,
    default_port: Option<u16>,
    reverse: bool,
) -> Result<(String, Option<u16>), String> {
    let wrong = || format!("'{text}' is not HOST or HOST:PORT");
    let authority = Authority::parse(text.as_bytes()).map_err(|_| wrong())?;
    let port = authority.port.filter(|&port| Some(port) != default_port);
    let host = match reverse {
        true => authority.host.to_ascii_lowercase(),
        false => Host::parse(authority.host).map_err(|_| wrong())?.to_string(),
    };
    Ok((port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")), port))
}

/// Returns the host of `HOST:PORT`.
fn without_port(authority: &str) -> &str {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_normalized_as_cache_keys_are() {
        for (url, forward, reverse) in [
            ("HTTP://Example.COM:80/A?b", "http://example.com/A?b", "http://example.com/A?b"),
            ("https://h.test:443", "https://h.test/", "https://h.test/"),
            ("http://h.test?q", "http://h.test/?q", "http://h.test/?q"),
            ("http://127.1:81/", "http://127.0.0.1:81/", "http://127.1:81/"),
            ("http://[::1]/", "http://[::1]/", "http://[::1]/"),
        ] {
            assert_eq!(normalized(url, false).as_deref(), Ok(forward));
            assert_eq!(normalized(url, true).as_deref(), Ok(reverse));
        }
        for url in [
            "",
            "/a",
            "h.test/a",
            "ftp://h/",
            "http://",
            "http:///a",
            "http://h/ a",
            "http://h/#a",
            "http://u@h/",
            "http://h:x/",
        ] {
            assert!(normalized(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn host_with_port_selects_that_port() {
        for (host, what) in [
            ("H.test", PurgeScope::Host("h.test".into())),
            ("h.test:81", PurgeScope::Host("h.test:81".into())),
            ("h.test:80", PurgeScope::Prefix("http://h.test/".into())),
            ("[::1]:443", PurgeScope::Prefix("https://[::1]/".into())),
        ] {
            assert_eq!(PurgeTarget::Host(host.into()).meant(true), Ok(what));
        }
        assert!(PurgeTarget::Host("h/a".into()).meant(false).is_err());
    }
}
