//! `Set-Cookie`, as user agents read it (RFC 6265bis §5.6).

use std::ops::Range;

use crate::work;

use super::Mapping;

impl Mapping<'_> {
    /// Returns a cookie that user agents accept from the public host and send below the public prefix.
    ///
    /// A `Domain` that is a name of the origin is removed, unless it is the public host or a parent of
    /// it: the cookie then belongs to the public host alone. A `Path` below the origin's prefix is
    /// mapped, another one is kept. Other attributes are kept as they are.
    ///
    /// A `__Host-` cookie is forwarded unchanged: user agents accept one with `Path=/` and without
    /// `Domain` only (RFC 6265bis §4.1.3.2), and that of an origin which breaks this rule should not be
    /// made acceptable.
    #[must_use]
    pub fn set_cookie(&self, value: &[u8]) -> Option<Vec<u8>> {
        work::count(3 * value.len()); // the domain, the attributes, the end of each
        if begins_with(value.trim_ascii_start(), b"__Host-") {
            return None;
        }
        let domains = Attributes::of(value).filter(|attribute| attribute.is_named(b"Domain"));
        let is_internal = domains.last().is_some_and(|domain| self.is_internal(domain.value));
        let (mut out, mut copied) = (Vec::new(), 0);
        for attribute in Attributes::of(value) {
            if attribute.is_named(b"Domain") && is_internal {
                out.extend_from_slice(&value[copied..attribute.whole.start]);
                copied = attribute.whole.end;
            } else if attribute.is_named(b"Path")
                && let Some((path, rest)) = self.path(attribute.value)
            {
                out.extend_from_slice(&value[copied..attribute.value_at]);
                out.extend_from_slice(path.as_bytes());
                copied = attribute.value_at + attribute.value.len() - rest.len();
            }
        }
        (copied > 0).then(|| {
            out.extend_from_slice(&value[copied..]);
            out
        })
    }

    /// Returns true if the value of `Domain` names the origin, and clients do not know the name.
    fn is_internal(&self, domain: &[u8]) -> bool {
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        let public = host(self.public_authority);
        let is_parent = public.len() > domain.len() && {
            let (start, end) = public.split_at(public.len() - domain.len());
            start.ends_with(b".") && end.eq_ignore_ascii_case(domain)
        };
        let names = [self.origin_authority, self.host_field];
        let is_name = names.iter().any(|name| host(name).eq_ignore_ascii_case(domain));
        is_name && !is_parent && !public.eq_ignore_ascii_case(domain)
    }

    /// Returns what replaces the beginning of a cookie's path, and the rest that follows it. The
    /// whole space of an origin is the public prefix itself, with and without a slash.
    fn path<'p>(&self, path: &'p [u8]) -> Option<(&str, &'p [u8])> {
        let below = path.strip_prefix(self.origin_prefix.as_bytes())?;
        let is_below = path.starts_with(b"/") && matches!(below, [] | [b'/', ..]);
        // A semicolon would end the attribute.
        if !is_below || self.origin_prefix == self.public_prefix || self.public_prefix.contains(';')
        {
            return None;
        }
        let below = if path == b"/" { b"" } else { below };
        match below {
            [] if self.public_prefix.is_empty() => Some(("/", below)),
            _ => Some((self.public_prefix, below)),
        }
    }
}

/// Returns the host of an authority, without the port.
fn host(authority: &str) -> &[u8] {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority.as_bytes()[..end]
}

fn begins_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// An attribute of a cookie.
pub(crate) struct Attribute<'a> {
    /// Range of the attribute, with the semicolon before it.
    whole: Range<usize>,
    name: &'a [u8],
    /// The value without blanks around it; empty if there is none.
    pub(crate) value: &'a [u8],
    /// The position of the value.
    value_at: usize,
}

impl Attribute<'_> {
    /// Returns true if the name is `name`, in any case.
    pub(crate) const fn is_named(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The attributes after the name and value of a cookie.
pub(crate) struct Attributes<'a> {
    cookie: &'a [u8],
    /// The position of the next semicolon.
    at: usize,
}

impl<'a> Attributes<'a> {
    /// Returns the attributes of `cookie`, the value of a `Set-Cookie` field.
    pub(crate) fn of(cookie: &'a [u8]) -> Self {
        Self { cookie, at: memchr::memchr(b';', cookie).unwrap_or(cookie.len()) }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (start, text) = (self.at, self.cookie.get(self.at + 1..)?);
        let text = &text[..memchr::memchr(b';', text).unwrap_or(text.len())];
        self.at = start + 1 + text.len();
        let (name, value) = match memchr::memchr(b'=', text) {
            Some(equals) => (&text[..equals], &text[equals + 1..]),
            None => (text, &text[text.len()..]),
        };
        let value = value.trim_ascii_start();
        Some(Attribute {
            whole: start..self.at,
            name: name.trim_ascii(),
            value: value.trim_ascii_end(),
            value_at: self.at - value.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mapping::text;

    fn check(mapping: &Mapping<'_>, cases: &[(&str, Option<&str>)]) {
        for (cookie, expected) in cases {
            let mapped = text(mapping.set_cookie(cookie.as_bytes()));
            assert_eq!(mapped.as_deref(), *expected, "{cookie} with {mapping:?}");
        }
    }

    #[test]
    fn domains_of_the_origin_are_removed() {
        check(
            &Mapping::example("", ""),
            &[
                ("a=b; Domain=app.test; Path=/", Some("a=b; Path=/")),
                ("a=b;domain = .APP.test ;Secure", Some("a=b;Secure")),
                ("a=b; Domain=inner.test", Some("a=b")),
                ("a=b; Domain=app.test; x; Domain=inner.test", Some("a=b; x")),
                // The last one counts.
                ("a=b; Domain=www.test; Domain=app.test", Some("a=b")),
                ("a=b; Domain=app.test; Domain=www.test", None),
                ("a=b; Domain=app.test; Domain=", None),
                ("a=b; Domain=www.test", None),
                ("a=b; Domain=.test", None),
                ("a=b; Domain=ww.test", None),
                ("a=b; Domain=w.test", None),
                ("a=b; Domain=other.test", None),
                ("a=b; Domain=x.app.test", None),
                ("a=b; Domain=app.test:81", None),
                ("a=b; Domain", None),
                ("a=b; Domain=", None),
                ("a=Domain=app.test", None),
                ("a=b; xDomain=app.test", None),
                ("Domain=app.test", None),
                ("", None),
                (";", None),
            ],
        );
        let parent = Mapping {
            origin_authority: "test",
            host_field: "www.test",
            ..Mapping::example("", "")
        };
        check(&parent, &[("a; Domain=test", None), ("a; Domain=www.test", None)]);
        let address = Mapping {
            origin_authority: "[2001:db8::1]:81",
            host_field: "192.0.2.1",
            ..Mapping::example("", "")
        };
        check(
            &address,
            &[("a; Domain=192.0.2.1", Some("a")), ("a; Domain=[2001:DB8::1]", Some("a"))],
        );
    }

    #[test]
    fn paths_below_the_prefix_are_mapped() {
        check(
            &Mapping::example("/base", "/app"),
            &[
                ("a=b; Path=/base", Some("a=b; Path=/app")),
                ("a=b; path = /base/ ; HttpOnly", Some("a=b; path = /app/ ; HttpOnly")),
                ("a=b;PATH=/base/x/y;Secure", Some("a=b;PATH=/app/x/y;Secure")),
                ("a=b; Path=/base/1; Path=/base/2", Some("a=b; Path=/app/1; Path=/app/2")),
                ("a=b; Path=/base; Domain=app.test", Some("a=b; Path=/app")),
                ("a=b; Domain=app.test; Path=/base", Some("a=b; Path=/app")),
                ("__Secure-a=b; Secure; Path=/base", Some("__Secure-a=b; Secure; Path=/app")),
                ("a=\"b\"; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/", None),
                ("a=b; Path=/based", None),
                ("a=b; Path=/other", None),
                ("a=b; Path=\"/base\"", None),
                ("a=b; Path=base", None),
                ("a=b; Path=", None),
                ("a=b; Path", None),
                ("a=/base", None),
            ],
        );
        check(
            &Mapping::example("/base", ""),
            &[
                ("a; Path=/base", Some("a; Path=/")),
                ("a; Path=/base/", Some("a; Path=/")),
                ("a; Path=/base/x", Some("a; Path=/x")),
                ("a; Path=/", None),
            ],
        );
        check(
            &Mapping::example("", "/app"),
            &[
                ("a; Path=/", Some("a; Path=/app")),
                ("a; Path=/x", Some("a; Path=/app/x")),
                ("a; Path=x", None),
                ("a; Path=", None),
            ],
        );
        check(&Mapping::example("", "/a;b"), &[("a; Path=/", None)]);
        check(&Mapping::example("/app", "/app"), &[("a; Path=/app/x", None)]);
        let bytes = Mapping::example("", "/app").set_cookie(b"a=\xff; Path=/\xff");
        assert_eq!(bytes.as_deref(), Some(&b"a=\xff; Path=/app/\xff"[..]));
    }

    #[test]
    fn cookies_of_one_host_are_kept() {
        let mapping = Mapping::example("", "/app");
        check(
            &mapping,
            &[
                ("__Host-a=b; Secure; Path=/", None),
                ("__host-a=b; Secure; Path=/; Domain=app.test", None),
                (" __Host-Http-a=b; Secure; Path=/", None),
                ("__Hosta=b; Path=/", Some("__Hosta=b; Path=/app")),
            ],
        );
        check(&Mapping::example("/base", ""), &[("__Host-a=b; Secure; Path=/base", None)]);
    }
}
