//! Cookies of a site, as a browser keeps them (RFC 6265 §5, RFC 6265bis §5.6).

use crate::http::{CookieAttributes, Name};

use super::observations::Exchange;
use super::url::Url;

/// Most cookies that are kept.
const MOST_COOKIES: usize = 50;

/// A cookie that a response sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    /// The name.
    pub name: String,
    value: String,
    /// `Domain` in lower case and without a dot at its start; empty if the attribute is missing.
    pub domain: String,
    /// `Path`, if it begins with a slash.
    pub path: Option<String>,
    /// True if the cookie is for TLS alone.
    pub is_secure: bool,
    /// True if other sites may have the cookie sent (`SameSite=None`).
    pub is_for_other_sites: bool,
    others: Vec<String>,
}

/// Reason why a browser drops a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Domain` is neither the host nor a parent of it.
    Domain,
    /// `Secure`, from a site without TLS.
    Plain,
    /// The name begins with `__Secure-` or `__Host-`, without `Secure`.
    PrefixWithoutSecure,
    /// The name begins with `__Host-`, with `Domain` or another `Path` than `/`.
    HostPrefix,
    /// `SameSite=None` without `Secure`.
    OtherSitesWithoutSecure,
}

impl SetCookie {
    /// Reads the value of a `Set-Cookie` field. Returns `None` for a cookie without a name.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
        let pair = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let mut cookie = Self {
            name: text(&pair[..equals]),
            value: text(&pair[equals + 1..]),
            domain: String::new(),
            path: None,
            is_secure: false,
            is_for_other_sites: false,
            others: Vec::new(),
        };
        for attribute in CookieAttributes::of(line) {
            let value = text(attribute.value);
            if attribute.is_named(b"Domain") {
                cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
            } else if attribute.is_named(b"Path") {
                cookie.path = value.starts_with('/').then_some(value);
            } else if attribute.is_named(b"Secure") {
                cookie.is_secure = true;
            } else if attribute.is_named(b"HttpOnly") {
                cookie.others.push("HttpOnly".to_owned());
            } else if attribute.is_named(b"SameSite") {
                cookie.is_for_other_sites = value.eq_ignore_ascii_case("none");
                cookie.others.push(format!("SameSite={value}"));
            } else if attribute.is_named(b"Max-Age") {
                cookie.others.push(format!("Max-Age={value}"));
            }
        }
        (!cookie.name.is_empty()).then_some(cookie)
    }

    /// Returns the cookies that a response sets.
    pub fn of(exchange: &Exchange) -> impl Iterator<Item = Self> {
        exchange.fields().all(Name::SetCookie).filter_map(Self::read)
    }

    /// Returns the reason why a browser drops the cookie, which a response of `url` sets.
    #[must_use]
    pub fn refusal(&self, url: &Url) -> Option<Refusal> {
        let is_host_cookie = self.is_host_cookie();
        if !self.domain.is_empty() && !is_within(url.host(), &self.domain, url) {
            Some(Refusal::Domain)
        } else if self.is_secure && !url.is_secure() && !url.is_local() {
            Some(Refusal::Plain)
        } else if (is_host_cookie || self.has_prefix("__Secure-")) && !self.is_secure {
            Some(Refusal::PrefixWithoutSecure)
        } else if is_host_cookie && (!self.domain.is_empty() || self.path.as_deref() != Some("/")) {
            Some(Refusal::HostPrefix)
        } else if self.is_for_other_sites && !self.is_secure {
            Some(Refusal::OtherSitesWithoutSecure)
        } else {
            None
        }
    }

    /// Returns true if a browser sends the cookie with requests for `path` (RFC 6265 §5.1.4). `set_at` is
    /// the path of the response that has set it.
    #[must_use]
    pub fn is_for_path(&self, path: &str, set_at: &str) -> bool {
        let own = self.path.as_deref().unwrap_or_else(|| default_path(set_at));
        let below = path.strip_prefix(own);
        below.is_some_and(|below| below.is_empty() || own.ends_with('/') || below.starts_with('/'))
    }

    /// Returns the cookie as a browser accepts it from `url` and sends it back to the whole site: without
    /// `Domain`, and `Secure` exactly if the site has TLS.
    #[must_use]
    pub fn corrected(&self, url: &Url) -> Self {
        let is_kept = |path: &&String| url.path().starts_with(path.as_str());
        let path = self.path.as_ref().filter(is_kept).cloned();
        let is_moved = path.is_none() && self.path.is_some();
        let root = || (is_moved || self.is_host_cookie()).then(|| "/".to_owned());
        Self {
            domain: String::new(),
            path: path.filter(|_| !self.is_host_cookie()).or_else(root),
            is_secure: url.is_secure(),
            ..self.clone()
        }
    }

    /// Returns true if the name promises that the cookie is of one host alone.
    fn is_host_cookie(&self) -> bool {
        self.has_prefix("__Host-")
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    /// Returns the line that sets the cookie, without its value, which may be a secret.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = vec![format!("Set-Cookie: {}=…", self.name)];
        if !self.domain.is_empty() {
            parts.push(format!("Domain={}", self.domain));
        }
        parts.extend(self.path.iter().map(|path| format!("Path={path}")));
        parts.extend(self.is_secure.then(|| "Secure".to_owned()));
        parts.extend(self.others.iter().cloned());
        parts.join("; ")
    }
}

/// Returns true if `host` is `domain` or a name below it. An address is within itself alone.
fn is_within(host: &str, domain: &str, url: &Url) -> bool {
    let is_below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    host == domain || (url.address().is_none() && is_below())
}

/// Returns the folder of a path, without a slash at its end.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

/// Cookies that a browser has accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(Vec<Kept>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    cookie: SetCookie,
    set_by: Url,
}

impl Jar {
    /// Keeps the cookies of a response that a browser accepts.
    pub fn keep(&mut self, exchange: &Exchange) {
        let url = &exchange.url;
        for cookie in SetCookie::of(exchange).filter(|cookie| cookie.refusal(url).is_none()) {
            let is_other = |kept: &Kept| {
                (&kept.cookie.name, &kept.cookie.domain, &kept.cookie.path)
                    != (&cookie.name, &cookie.domain, &cookie.path)
                    || !kept.set_by.has_host_of(url)
            };
            self.0.retain(is_other);
            if self.0.len() < MOST_COOKIES {
                self.0.push(Kept { cookie, set_by: url.with_target(url.path()) });
            }
        }
    }

    /// Returns the value of `Cookie` for a request, if a cookie belongs to it.
    #[must_use]
    pub fn header(&self, url: &Url) -> Option<String> {
        let belongs = |kept: &&Kept| {
            let domain = &kept.cookie.domain;
            let is_for_host = match domain.is_empty() {
                true => kept.set_by.has_host_of(url),
                false => is_within(url.host(), domain, url),
            };
            is_for_host
                && (!kept.cookie.is_secure || url.is_secure() || url.is_local())
                && kept.cookie.is_for_path(url.path(), kept.set_by.path())
        };
        let pair = |kept: &Kept| format!("{}={}", kept.cookie.name, kept.cookie.value);
        let pairs: Vec<_> = self.0.iter().filter(belongs).map(pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cookie: &str, url: &str) -> Option<Refusal> {
        SetCookie::read(cookie.as_bytes()).unwrap().refusal(&Url::parse(url).unwrap())
    }

    #[test]
    fn browsers_drop_cookies_that_break_a_rule() {
        let (plain, secure) = ("http://shop.example/", "https://www.shop.example/");
        for (cookie, url, reason) in [
            ("a=b", plain, None),
            ("a=b; Domain=.Shop.Example", secure, None),
            ("a=b; Domain=app.internal", plain, Some(Refusal::Domain)),
            ("a=b; Domain=op.example", plain, Some(Refusal::Domain)),
            ("a=b; Domain=0.1", "http://127.0.0.1/", Some(Refusal::Domain)),
            ("a=b; Domain=127.0.0.1", "http://127.0.0.1/", None),
            ("a=b; Secure", plain, Some(Refusal::Plain)),
            ("a=b; Secure", "http://localhost/", None),
            ("a=b; SameSite=None", secure, Some(Refusal::OtherSitesWithoutSecure)),
            ("__Secure-a=b", secure, Some(Refusal::PrefixWithoutSecure)),
            ("__Host-a=b; Secure; Path=/x", secure, Some(Refusal::HostPrefix)),
            ("__host-a=b; Secure; Path=/", secure, None),
        ] {
            assert_eq!(refusal(cookie, url), reason, "{cookie}");
        }
        assert_eq!(SetCookie::read(b"=x"), None);
        assert_eq!(SetCookie::read(b"x"), None);
    }

    #[test]
    fn paths_are_matched_by_segments() {
        let cookie = |text: &str| SetCookie::read(text.as_bytes()).unwrap();
        for (text, path, set_at, expected) in [
            ("a=b; Path=/", "/x", "/", true),
            ("a=b; Path=/x", "/x/y", "/", true),
            ("a=b; Path=/x", "/xy", "/", false),
            ("a=b; Path=x", "/a/c", "/a/b", true),
            ("a=b", "/c", "/a/b", false),
        ] {
            assert_eq!(cookie(text).is_for_path(path, set_at), expected, "{text} {path}");
        }
    }

    #[test]
    fn lines_do_not_tell_values() {
        let line = "id=secret; path=/; HTTPONLY; samesite=Lax; Secure; Domain=.a.example";
        let shown = SetCookie::read(line.as_bytes()).unwrap().line();
        assert_eq!(
            shown,
            "Set-Cookie: id=…; Domain=a.example; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }
}
