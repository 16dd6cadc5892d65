//! Fields that concern one connection only, and are not passed on (RFC 9110 §7.6.1).

use std::fmt;
use std::str::FromStr;

use crate::http::RequestHead;
use crate::work;

use super::field_names::FieldNames;
use super::fields::{Field, Fields};
use super::list;
use super::name::Name;
use super::version::Version;

/// What a message says of its connection.
#[derive(Clone, Debug)]
pub struct ConnectionOptions<'a> {
    /// Whether the connection can stay open after this message, as far as its sender goes
    /// (RFC 9112 §9.3).
    pub persistent: bool,
    /// Whether `Connection` names `upgrade`.
    pub upgrade: bool,
    /// The names in `Connection` beside the options above.
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

    /// Whether `field` ends here: by its name, or because `Connection` names it.
    ///
    /// `Host` and the fields that frame the message are not taken away by naming them: each side
    /// has its own, written anew.
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
            Name::Host | Name::ContentLength => false,
            _ => self.nominated.contains(field.name),
        }
    }
}

/// Returns true if the sender of a request takes trailers (RFC 9110 §10.1.4). A `TE` that `Connection`
/// does not name may be that of a client further away, of which the sender knows nothing.
#[must_use]
pub fn takes_trailers(version: Version, fields: &Fields) -> bool {
    let is = |name: &'static [u8]| move |element: &[u8]| element.eq_ignore_ascii_case(name);
    version == Version::Http11
        && fields.elements(Name::Te).any(is(b"trailers"))
        && fields.elements(Name::Connection).any(is(b"te"))
}

/// Returns the protocol that a message asks to switch to, or switches to, if it names only one and
/// `Connection` says so (RFC 9110 §7.8).
#[must_use]
pub fn upgrade(version: Version, fields: &Fields) -> Option<&[u8]> {
    let mut protocols = fields.elements(Name::Upgrade);
    let only = protocols.next().filter(|_| protocols.next().is_none())?;
    (version == Version::Http11 && ConnectionOptions::of(version, fields).upgrade).then_some(only)
}

/// A protocol that connections may switch to (RFC 9110 §7.8): a name, perhaps with a version. Case
/// makes no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol(String);

impl Protocol {
    /// Returns its name and version as they were written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if an element of `Upgrade` names it.
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
            return Err(format!("'{text}' is no protocol, such as tcp or SPDY/3.1"));
        }
        match text.to_ascii_lowercase().as_str() {
            "websocket" => Err("WebSocket is passed on without being allowed".into()),
            "h2c" => Err("requests within h2c would pass without rules, users and log".into()),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true if a request has credentials of a scheme that authenticates the connection, not the
/// request: NTLM, or Negotiate (RFC 4559). What follows on the connection is served as if it had the
/// same credentials.
#[must_use]
pub fn authenticates_connection(request: &Fields) -> bool {
    request.all(Name::Authorization).any(is_of_connection)
}

/// Returns true if a response asks for credentials that authenticate the connection.
#[must_use]
pub fn asks_to_authenticate_connection(response: &Fields) -> bool {
    let challenges = response.all_named(b"WWW-Authenticate");
    challenges.flat_map(list::Elements::of).any(is_of_connection)
}

/// Returns true if credentials, or a challenge, begin with the name of such a scheme.
fn is_of_connection(text: &[u8]) -> bool {
    let scheme = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    [&b"NTLM"[..], b"Negotiate"].iter().any(|name| scheme.eq_ignore_ascii_case(name))
}

/// Whether `Via` says that the message has passed `pseudonym` before (RFC 9110 §7.6.3).
#[must_use]
pub fn is_loop(fields: &Fields, pseudonym: &str) -> bool {
    fields.elements(Name::Via).any(|hop| {
        work::count(hop.len());
        let mut words = hop.split(|&b| b == b' ' || b == b'\t').filter(|word| !word.is_empty());
        let received_by = words.nth(1);
        received_by.is_some_and(|by| by.eq_ignore_ascii_case(pseudonym.as_bytes()))
    })
}

/// Whether `name` can stand as a pseudonym in `Via`.
#[must_use]
pub fn is_pseudonym(name: &str) -> bool {
    list::is_token(name.as_bytes())
}

/// The value of `Max-Forwards`; one that is no number is ignored, as one on other methods is.
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
    fn what_connection_names_ends_here_but_not_what_frames_or_routes() {
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
    fn persistence_follows_the_version() {
        let none = fields(&[]);
        assert!(ConnectionOptions::of(Version::Http11, &none).persistent);
        assert!(!ConnectionOptions::of(Version::Http10, &none).persistent);
        let kept = fields(&[("Connection", "Keep-Alive")]);
        assert!(ConnectionOptions::of(Version::Http10, &kept).persistent);
        let both = fields(&[("Connection", "keep-alive, close")]);
        assert!(!ConnectionOptions::of(Version::Http11, &both).persistent);
    }

    #[test]
    fn a_pseudonym_is_found_whole_in_via() {
        let via = fields(&[("Via", "1.1 alpha, HTTP/1.1 Beta (comment)"), ("Via", "1.0 gamma:80")]);
        assert!(is_loop(&via, "beta"));
        assert!(is_loop(&via, "alpha"));
        assert!(!is_loop(&via, "gamma"));
        assert!(!is_loop(&via, "comment"));
    }

    #[test]
    fn trailers_are_taken_by_clients_of_1_1_that_say_so() {
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
    fn one_protocol_that_connection_names_is_an_upgrade() {
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
    fn protocols_are_names_with_or_without_a_version() {
        let spdy: Protocol = "SPDY/3.1".parse().unwrap();
        assert!(spdy.is_named(b"spdy/3.1") && !spdy.is_named(b"SPDY") && !spdy.is_named(b"SPDY/3"));
        for text in ["", "a b", "a,b", "a/", "/1", "a/b/c", "h2c", "H2C", "WebSocket"] {
            assert!(text.parse::<Protocol>().is_err(), "{text}");
        }
    }
}
