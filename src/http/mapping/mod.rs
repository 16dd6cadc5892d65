//! Response fields in which an origin names itself, as the clients of a reverse proxy see them.

mod cookie;
mod link;
mod location;
mod refresh;

use super::scheme::Scheme;

#[cfg(feature = "cli")]
pub(crate) use cookie::Attributes as CookieAttributes;

/// Names of one resource space on both sides: where the origin believes it is, and where clients
/// see it.
///
/// Each method maps the value of one field. It returns `None`, without an allocation, if the value
/// is forwarded unchanged: it names nothing within the space, or is malformed. A mapped value is
/// longer than the received one by `public_prefix` and two bytes at most, for each URL or path in
/// it.
///
/// A prefix is valid by RFC 3986 §3.3: empty, or beginning with one `/` and not ending in `/`.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    /// Scheme by which the origin is asked.
    pub origin_scheme: Scheme,
    /// Host and port of the origin that has answered; the port may be missing if it is the default
    /// port.
    pub origin_authority: &'a str,
    /// Path prefix at the origin.
    pub origin_prefix: &'a str,
    /// Scheme by which the client has asked.
    pub public_scheme: Scheme,
    /// Host and port by which the client has asked.
    pub public_authority: &'a str,
    /// The `Host` sent to the origin.
    pub host_field: &'a str,
    /// Path prefix at the proxy that stands for `origin_prefix`.
    pub public_prefix: &'a str,
}

#[cfg(test)]
impl<'a> Mapping<'a> {
    /// Returns the mapping of `http://app.test:81` with a prefix, asked as `http://www.test`.
    fn example(origin_prefix: &'a str, public_prefix: &'a str) -> Self {
        Self {
            origin_scheme: Scheme::Http,
            origin_authority: "app.test:81",
            origin_prefix,
            public_scheme: Scheme::Http,
            public_authority: "www.test",
            host_field: "inner.test:80",
            public_prefix,
        }
    }
}

/// Returns a mapped value as text.
#[cfg(test)]
fn text(value: Option<Vec<u8>>) -> Option<String> {
    value.map(|value| String::from_utf8(value).unwrap())
}
