//! `Location` and `Content-Location` (RFC 9110 §10.2.2, §8.7), and the URI references of other
//! fields.

use crate::http::scheme::Scheme;
use crate::work;

use super::Mapping;

/// A path that clients see, in the parts that are written one after another.
pub(super) struct Mapped<'t> {
    parts: [&'t str; 3],
}

impl Mapped<'_> {
    pub(super) fn push_to(&self, out: &mut Vec<u8>) {
        self.parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    }

    /// Returns true if the path has `character`.
    pub(super) fn has(&self, character: char) -> bool {
        self.parts.iter().any(|part| part.contains(character))
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

impl<'a> Mapping<'a> {
    /// Returns the path below the public prefix that corresponds to a location: a URL of the origin,
    /// or a path, below the origin's prefix. The URL may also use a name of the origin that clients
    /// know, or that the origin was sent.
    #[must_use]
    pub fn location(&self, value: &[u8]) -> Option<Vec<u8>> {
        let mapped = self.reference(std::str::from_utf8(value).ok()?)?;
        let mut out = Vec::with_capacity(mapped.len());
        mapped.push_to(&mut out);
        Some(out)
    }

    /// Maps a URI reference as [`Mapping::location`] does.
    pub(super) fn reference<'t>(&self, text: &'t str) -> Option<Mapped<'t>>
    where
        'a: 't,
    {
        work::count(2 * text.len()); // the end of the scheme, the segments
        let absolute = text.split_once("://");
        let absolute = absolute.and_then(|(name, rest)| Some((Scheme::named(name)?, rest)));
        let path = match absolute {
            Some((scheme, rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                self.includes(scheme, authority).then_some(path)?
            }
            None if text.starts_with('/') && !text.starts_with("//") => text,
            None => return None,
        };
        let below = path.strip_prefix(self.origin_prefix)?;
        let between = match below.bytes().next() {
            None | Some(b'?' | b'#') if self.public_prefix.is_empty() => "/",
            None | Some(b'?' | b'#') => "",
            Some(b'/') if self.public_prefix.is_empty() && names_host(below) => "/.",
            Some(b'/') => "",
            Some(_) => return None, // the prefix ends within a segment of the path
        };
        if !self.public_prefix.is_empty() && climbs(below) {
            return None; // the path is not below the origin's prefix
        }
        let is_same = between.is_empty() && self.origin_prefix == self.public_prefix;
        let parts = [self.public_prefix, between, below];
        (absolute.is_some() || !is_same).then_some(Mapped { parts })
    }

    /// Returns true if a URL with `scheme` and `authority` leads to the origin, or to what the client
    /// has asked. An origin that is asked without TLS may not know that clients use it. One that
    /// names `https` to a client without TLS wants the client to use it.
    fn includes(&self, scheme: Scheme, authority: &str) -> bool {
        let is_known = scheme == self.public_scheme
            || (scheme, self.origin_scheme) == (Scheme::Http, Scheme::Http);
        let names_it = |known: &str| is_authority(authority, known, scheme);
        (scheme == self.origin_scheme && names_it(self.origin_authority))
            || (is_known && [self.public_authority, self.host_field].into_iter().any(names_it))
    }
}

/// Returns true if an authority in a URL with `scheme` is `known`, in any case and with or without
/// the default port.
fn is_authority(authority: &str, known: &str, scheme: Scheme) -> bool {
    let port = match scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
    };
    let bare = |text| str::strip_suffix(text, port).unwrap_or(text);
    work::count(known.len());
    bare(authority).eq_ignore_ascii_case(bare(known))
}

/// Returns true if a path would name a host as a reference of its own, because it begins with two
/// slashes (RFC 3986 §4.2). Browsers take a backslash for a slash, and skip tabs and line ends.
fn names_host(path: &str) -> bool {
    let mut bytes = path.bytes().filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'));
    bytes.next() == Some(b'/') && matches!(bytes.next(), Some(b'/' | b'\\'))
}

/// Returns true if the segments `..` of a path lead above its beginning, as browsers read it: with
/// backslashes and encoded dots. Empty segments, which some programs merge, are not climbed from.
fn climbs(path: &str) -> bool {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let mut depth = 0_usize;
    for segment in path[..end].split(['/', '\\']) {
        match dots(segment) {
            Some(0 | 1) => {}
            Some(2) if depth == 0 => return true,
            Some(2) => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Returns the number of dots in a segment that has nothing else but blanks.
fn dots(segment: &str) -> Option<usize> {
    let mut bytes = segment.bytes().filter(|&byte| byte > b' ');
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        let mut is_encoded =
            || bytes.next() == Some(b'2') && matches!(bytes.next(), Some(b'e' | b'E'));
        match byte {
            b'.' => count += 1,
            b'%' if is_encoded() => count += 1,
            _ => return None,
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mapping::text;

    fn check(mapping: &Mapping<'_>, cases: &[(&str, Option<&str>)]) {
        for (location, expected) in cases {
            let mapped = text(mapping.location(location.as_bytes()));
            assert_eq!(mapped.as_deref(), *expected, "{location} with {mapping:?}");
        }
    }

    #[test]
    fn locations_below_the_prefix_become_paths_of_the_proxy() {
        let mapping = Mapping::example("/base", "");
        check(
            &mapping,
            &[
                ("http://app.test:81/base/y?z", Some("/y?z")),
                ("HTTP://App.Test:81/base/y#f", Some("/y#f")),
                ("http://WWW.test/base", Some("/")),
                ("http://www.test:80/base/", Some("/")),
                ("http://inner.test/base/y", Some("/y")),
                ("/base/y", Some("/y")),
                ("/base?q", Some("/?q")),
                ("/base#f", Some("/#f")),
                ("/base//other.test/", Some("/.//other.test/")),
                ("/base/\\other.test/", Some("/./\\other.test/")),
                ("/base/\t/other.test/", Some("/./\t/other.test/")),
                ("http://app.test:81/base//other.test/", Some("/.//other.test/")),
                ("/base/../y", Some("/../y")),
            ],
        );
        for left in [
            "/based",
            "/Base/y",
            "/y",
            "http://other.test/base/y",
            "http://app.test/base/y",
            "http://www.test.other.test/base/y",
            "http://user@app.test:81/base/y",
            "http://app.test:81\\base/y",
            "http:/base/y",
            "ftp://app.test:81/base/y",
            "y",
            "../y",
            "?q",
            "#f",
            "",
            "//app.test:81/base/",
            "https://app.test:81/base/",
            "/base-http://app.test:81/base/",
        ] {
            check(&mapping, &[(left, None)]);
        }
        assert_eq!(mapping.location(b"/base/\xff"), None);
    }

    #[test]
    fn locations_stay_below_the_public_prefix() {
        check(
            &Mapping::example("/base", "/app"),
            &[
                ("http://app.test:81/base/y?z", Some("/app/y?z")),
                ("/base", Some("/app")),
                ("/base/", Some("/app/")),
                ("/base?q", Some("/app?q")),
                ("/base#f", Some("/app#f")),
                ("/base//other.test/", Some("/app//other.test/")),
                ("/base/a/../b/./c", Some("/app/a/../b/./c")),
                ("/base/a?x=/../..", Some("/app/a?x=/../..")),
                ("/base/...", Some("/app/...")),
                ("/base/.%2x", Some("/app/.%2x")),
                ("/base/../y", None),
                ("/base/a/../../y", None),
                ("/base/./../y", None),
                ("/base//../y", None),
                ("/base/%2E%2e/y", None),
                ("/base/.%2e\\y", None),
                ("/base/\\..", None),
                ("/base/.\t./y", None),
                ("/app/y", None),
            ],
        );
        check(
            &Mapping::example("", "/app"),
            &[
                ("/", Some("/app/")),
                ("/y", Some("/app/y")),
                ("/\\other.test", Some("/app/\\other.test")),
                ("http://app.test:81", Some("/app")),
                ("http://app.test:81?q", Some("/app?q")),
                ("//other.test/", None),
                ("y", None),
            ],
        );
    }

    #[test]
    fn locations_without_a_change_need_no_mapping() {
        check(
            &Mapping::example("", ""),
            &[
                ("/", None),
                ("/y", None),
                ("/\\other.test", Some("/./\\other.test")),
                ("http://app.test:81", Some("/")),
                ("http://app.test:81/y", Some("/y")),
                ("http://app.test:81//other.test", Some("/.//other.test")),
            ],
        );
        let same = Mapping::example("/app", "/app");
        check(&same, &[("/app/y", None), ("http://app.test:81/app/y", Some("/app/y"))]);
    }

    #[test]
    fn locations_with_tls_are_those_of_the_origin_or_of_the_client() {
        let (secure, plain) = (Scheme::Https, Scheme::Http);
        for (location, origin, client, expected) in [
            ("https://app.test/base/y", secure, plain, true),
            ("https://app.test:443/base/y", secure, secure, true),
            ("http://app.test/base/y", secure, secure, false),
            ("https://www.test/base/y", secure, secure, true),
            ("https://www.test/base/y", plain, secure, true),
            ("http://www.test/base/y", plain, secure, true),
            // Mapped, a redirection to https would lead to itself.
            ("https://www.test/base/y", secure, plain, false),
            ("https://www.test/base/y", plain, plain, false),
            // The origin sends the client away from TLS.
            ("http://www.test/base/y", secure, secure, false),
        ] {
            let mapping = Mapping {
                origin_scheme: origin,
                origin_authority: "app.test",
                public_scheme: client,
                host_field: "www.test",
                ..Mapping::example("/base", "")
            };
            check(&mapping, &[(location, expected.then_some("/y"))]);
        }
    }
}
