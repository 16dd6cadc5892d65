//! Hop-by-hop fields, which concern one connection and are not forwarded (RFC 9110 §7.6.1).

use std::fmt;
use std::str::FromStr;

use crate::http::RequestHead;
use crate::work;

use super::field_names::FieldNames;
use super::fields::{Field, Fields};
use super::list;
use super::name::Name;
use super::version::Version;

/// Connection options of a message.
#[derive(Clone, Debug)]
pub struct ConnectionOptions<'a> {
    /// True if the sender allows the connection to stay open after this message (RFC 9112 §9.3).
    pub persistent: bool,
    /// True if `Connection` names `upgrade`.
    pub upgrade: bool,
    /// Other names in `Connection`.
    nominated: FieldNames<'a>,
}

impl<'a> ConnectionOptions<'a> {
    /// Reads the `Connection` field of a message.
    #[must_use]
    pub fn of(version: Version, fields: &'a Fields) -> Self {
        let (mut close, mut keep_alive, mut upgrade) = (false, false, false);
        let mut nominated = Vec::new();
        for option in fields.elements(Name::Connection) {
            match option {
                _ if option.eq_ignore_ascii_case(b"close") => close = true,
                _ if option.eq_ignore_ascii_case(b"keep-alive") => keep_alive = true,
                _ if option.eq_ignore_ascii_case(b"upgrade") => upgrade = true,
                _ => nominated.push(option),
            }
        }
        let persistent = !close && (version == Version::Http11 || keep_alive);
        Self { persistent, upgrade, nominated: nominated.into_iter().collect() }
    }

    /// Returns true if `field` is hop-by-hop, by its name or because `Connection` names it.
    ///
    /// `Host` and `Content-Length` are not removed by naming them, because each side writes its
    /// own; nor is `CDN-Loop`, which all intermediaries keep (RFC 8586 §2).
    #[must_use]
    pub fn is_hop_by_hop(&self, field: &Field<'_>) -> bool {
        match field.id {
            Name::Connection
            | Name::ProxyConnection
            | Name::KeepAlive
            | Name::Te
            | Name::TransferEncoding
            | Name::Upgrade
            | Name::ProxyAuthenticate
            | Name::ProxyAuthenticationInfo
            | Name::ProxyAuthorization => true,
            Name::Host | Name::ContentLength | Name::CdnLoop => false,
            _ => self.nominated.contains(field.name),
        }
    }
}

/// Returns true if the sender of a request accepts trailers (RFC 9110 §10.1.4). A `TE` that
/// `Connection` does not name may come from a client further away, and the sender may not know of
/// it.
#[must_use]
pub fn takes_trailers(version: Version, fields: &Fields) -> bool {
    let is = |name: &'static [u8]| move |element: &[u8]| element.eq_ignore_ascii_case(name);
    version == Version::Http11
        && fields.elements(Name::Te).any(is(b"trailers"))
        && fields.elements(Name::Connection).any(is(b"te"))
}

/// Returns the protocol that a message asks to switch to, or switches to. `None` unless it names
/// exactly one and `Connection` names `upgrade` (RFC 9110 §7.8).
#[must_use]
pub fn upgrade(version: Version, fields: &Fields) -> Option<&[u8]> {
    let mut protocols = fields.elements(Name::Upgrade);
    let only = protocols.next().filter(|_| protocols.next().is_none())?;
    (version == Version::Http11 && ConnectionOptions::of(version, fields).upgrade).then_some(only)
}

/// A protocol that a connection may switch to (RFC 9110 §7.8): a name with an optional version,
/// compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol(String);

impl Protocol {
    /// Returns name and version as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if an element of `Upgrade` names the protocol.
    #[must_use]
    pub const fn is_named(&self, element: &[u8]) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(element)
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(2, '/');
        if !parts.all(|part| list::is_token(part.as_bytes())) {
            return Err(format!(
                "'{text}' is not a protocol name with an optional version, such as tcp or SPDY/3.1"
            ));
        }
        match text.to_ascii_lowercase().as_str() {
            "websocket" => Err("WebSocket is always forwarded and needs no permission".into()),
            "h2c" => Err(
                "h2c cannot be allowed: its requests would bypass rules, users and the access log"
                    .into(),
            ),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true if a request has credentials that authenticate the connection, not the request:
/// NTLM or Negotiate (RFC 4559). The origin serves later requests on the connection as if they had
/// the same credentials.
#[must_use]
pub fn authenticates_connection(request: &Fields) -> bool {
    request.all(Name::Authorization).any(is_of_connection)
}

/// Returns true if a response demands credentials that authenticate the connection.
#[must_use]
pub fn asks_to_authenticate_connection(response: &Fields) -> bool {
    let challenges = response.all_named(b"WWW-Authenticate");
    challenges.flat_map(list::Elements::of).any(is_of_connection)
}

/// Returns true if credentials, or a challenge, have such a scheme.
fn is_of_connection(text: &[u8]) -> bool {
    let scheme = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    [&b"NTLM"[..], b"Negotiate"].iter().any(|name| scheme.eq_ignore_ascii_case(name))
}

/// Returns true if `Via` shows that the message passed `pseudonym` before (RFC 9110 §7.6.3).
#[must_use]
pub fn is_loop(fields: &Fields, pseudonym: &str) -> bool {
    fields.elements(Name::Via).any(|hop| {
        work::count(hop.len());
        let mut words = hop.split(|&b| b == b' ' || b == b'\t').filter(|word| !word.is_empty());
        let received_by = words.nth(1);
        received_by.is_some_and(|by| by.eq_ignore_ascii_case(pseudonym.as_bytes()))
    })
}

/// Returns true if `CDN-Loop` shows that the request passed `pseudonym` before (RFC 8586 §2).
/// Elements that are malformed name no proxy. A quoted string without an end hides none: the commas
/// within it separate.
#[must_use]
pub fn is_cdn_loop(fields: &Fields, pseudonym: &str) -> bool {
    let names_it = |info: &[u8]| {
        let end = memchr::memchr(b';', info).unwrap_or(info.len());
        work::count(info.len());
        info[..end].trim_ascii().eq_ignore_ascii_case(pseudonym.as_bytes())
    };
    fields.all(Name::CdnLoop).any(|list| match list::is_terminated(list) {
        true => list::Elements::of(list).any(names_it),
        false => list.split(|&byte| byte == b',').any(names_it),
    })
}

/// Returns true if `name` is valid as a pseudonym in `Via` and `CDN-Loop`.
#[must_use]
pub fn is_pseudonym(name: &str) -> bool {
    list::is_token(name.as_bytes())
}

/// Returns the value of `Max-Forwards`. A value that is not a number is ignored.
pub(crate) fn max_forwards(request: &RequestHead) -> Option<u64> {
    let value = request.fields().only(Name::MaxForwards)?;
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    #[test]
    fn nominated_fields_are_hop_by_hop_except_host_and_length() {
        let fields = fields(&[
            ("Connection", "close, x-private, Host"),
            ("connection", "content-length"),
            ("X-Private", "1"),
            ("X-Public", "2"),
            ("Host", "h"),
            ("Content-Length", "0"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Authentication-Info", "nextnonce=x"),
        ]);
        let hop = ConnectionOptions::of(Version::Http11, &fields);
        assert!(!hop.persistent);
        let passed: Vec<_> =
            fields.iter().filter(|f| !hop.is_hop_by_hop(f)).map(|f| f.name).collect();
        assert_eq!(passed, [&b"X-Public"[..], b"Host", b"Content-Length"]);
    }

    #[test]
    fn persistence_depends_on_version_and_options() {
        let none = fields(&[]);
        assert!(ConnectionOptions::of(Version::Http11, &none).persistent);
        assert!(!ConnectionOptions::of(Version::Http10, &none).persistent);
        let kept = fields(&[("Connection", "Keep-Alive")]);
        assert!(ConnectionOptions::of(Version::Http10, &kept).persistent);
        let both = fields(&[("Connection", "keep-alive, close")]);
        assert!(!ConnectionOptions::of(Version::Http11, &both).persistent);
    }

    #[test]
    fn pseudonym_matches_a_whole_received_by() {
        let via = fields(&[("Via", "1.1 alpha, HTTP/1.1 Beta (comment)"), ("Via", "1.0 gamma:80")]);
        assert!(is_loop(&via, "beta"));
        assert!(is_loop(&via, "alpha"));
        assert!(!is_loop(&via, "gamma"));
        assert!(!is_loop(&via, "comment"));
    }

    #[test]
    fn pseudonym_matches_a_whole_cdn_id() {
        let names = |lists: &[&str], pseudonym| {
            let lines: Vec<_> = lists.iter().map(|&list| ("CDN-Loop", list)).collect();
            is_cdn_loop(&fields(&lines), pseudonym)
        };
        let lists = ["foo.cdn.test:80, beta; trace=\"a, gamma\"", "Alpha ;b=1;c , alpha2"];
        assert!(["alpha", "BETA", "alpha2"].iter().all(|name| names(&lists, name)));
        assert!(!["foo.cdn.test", "gamma", "b", "a"].iter().any(|name| names(&lists, name)));
        // Malformed elements.
        for list in ["", ",;", ";alpha", "alpha beta", "\"alpha\"", "alpha=1", "(alpha)"] {
            assert!(!names(&[list], "alpha"), "{list}");
        }
        for list in ["x; a=\"b, alpha", "\", alpha", "x; a=\"b\\\", alpha;c=\""] {
            assert_eq!(names(&[list], "alpha"), !list.ends_with("c=\""), "{list}");
        }
        let removed = fields(&[("Connection", "cdn-loop"), ("CDN-Loop", "x")]);
        let hop = ConnectionOptions::of(Version::Http11, &removed);
        assert!(
            removed.iter().all(|field| hop.is_hop_by_hop(&field) != field.is_named(b"cdn-loop"))
        );
    }

    #[test]
    fn trailers_need_te_named_in_connection() {
        for (te, expected) in [
            ("trailers", true),
            ("gzip;q=0.5, Trailers", true),
            ("", false),
            ("gzip", false),
            ("trailers;q=0", false),
            ("xtrailers", false),
        ] {
            let fields = fields(&[("TE", te), ("Connection", "close, te")]);
            assert_eq!(takes_trailers(Version::Http11, &fields), expected, "{te}");
            assert!(!takes_trailers(Version::Http10, &fields));
        }
        assert!(!takes_trailers(Version::Http11, &fields(&[("TE", "trailers")])));
    }

    #[test]
    fn upgrade_is_a_single_protocol_named_in_connection() {
        let upgrade = |lines: &[(&str, &str)]| {
            let fields = fields(lines);
            upgrade(Version::Http11, &fields).map(<[u8]>::to_vec)
        };
        let connection = ("Connection", "keep-alive, Upgrade");
        assert_eq!(upgrade(&[connection, ("Upgrade", "SPDY/3.1")]), Some(b"SPDY/3.1".to_vec()));
        assert_eq!(upgrade(&[("Upgrade", "SPDY/3.1")]), None);
        assert_eq!(upgrade(&[connection, ("Upgrade", "websocket, h2c")]), None);
        assert_eq!(upgrade(&[connection, ("Upgrade", "a"), ("Upgrade", "a")]), None);
        assert_eq!(upgrade(&[connection, ("Upgrade", "")]), None);
    }

    #[test]
    fn protocols_have_a_name_and_an_optional_version() {
        let spdy: Protocol = "SPDY/3.1".parse().unwrap();
        assert!(spdy.is_named(b"spdy/3.1") && !spdy.is_named(b"SPDY") && !spdy.is_named(b"SPDY/3"));
        for text in ["", "a b", "a,b", "a/", "/1", "a/b/c", "h2c", "H2C", "WebSocket"] {
            assert!(text.parse::<Protocol>().is_err(), "{text}");
        }
    }
}
