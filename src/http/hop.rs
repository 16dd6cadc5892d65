//! Fields that concern one connection only, and are not passed on (RFC 9110 §7.6.1).

use super::fields::{Field, Fields, Name};
use super::list;
use super::version::Version;

/// What a message says of its connection.
#[derive(Clone, Debug)]
pub struct Hop<'a> {
    /// Whether the connection can stay open after this message, as far as its sender goes
    /// (RFC 9112 §9.3).
    pub persistent: bool,
    /// Whether `Connection` names `upgrade`.
    pub upgrade: bool,
    /// The names in `Connection` beside the options above.
    nominated: Vec<&'a [u8]>,
}

impl<'a> Hop<'a> {
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
        Self { persistent, upgrade, nominated }
    }

    /// Whether `field` ends here: by its name, or because `Connection` names it.
    ///
    /// `Host` and the fields that frame the message are not taken away by naming them: each side
    /// has its own, written anew.
    #[must_use]
    pub fn ends_here(&self, field: &Field<'_>) -> bool {
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
            _ => self.nominated.iter().any(|name| field.is_named(name)),
        }
    }
}

/// Whether a program behind CGI or WSGI, which know `-` and `_` in names as one, would take `field`
/// for one that frames or routes the message, or tells who has asked.
#[must_use]
pub fn is_lookalike(field: &Field<'_>) -> bool {
    if field.id != Name::Other || !field.name.contains(&b'_') {
        return false;
    }
    let name: Vec<u8> = field.name.iter().map(|&b| if b == b'_' { b'-' } else { b }).collect();
    matches!(
        Name::from_bytes(&name),
        Name::ContentLength
            | Name::TransferEncoding
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::ProxyAuthorization
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedProto
    )
}

/// Whether some origins take what `field` says for the target of the request, or for a part of it.
#[must_use]
pub fn is_other_target(field: &Field<'_>) -> bool {
    const NAMES: [&[u8]; 4] =
        [b"x-original-url", b"x-original-uri", b"x-rewrite-url", b"x-script-name"];
    let same = |a: u8, b: u8| a.eq_ignore_ascii_case(&b) || a == b'_' && b == b'-';
    let is = |name: &[u8]| {
        name.len() == field.name.len() && field.name.iter().zip(name).all(|(&a, &b)| same(a, b))
    };
    field.id == Name::Other && NAMES.into_iter().any(is)
}

/// Whether `Upgrade` asks for WebSocket (RFC 6455) and for nothing else.
#[must_use]
pub fn is_websocket(fields: &Fields) -> bool {
    let mut protocols = fields.elements(Name::Upgrade);
    protocols.next().is_some_and(|p| p.eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
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
pub fn has_passed(fields: &Fields, pseudonym: &str) -> bool {
    fields.elements(Name::Via).any(|hop| {
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
        let hop = Hop::of(Version::Http11, &fields);
        assert!(!hop.persistent);
        let passed: Vec<_> = fields.iter().filter(|f| !hop.ends_here(f)).map(|f| f.name).collect();
        assert_eq!(passed, [&b"X-Public"[..], b"Host", b"Content-Length"]);
    }

    #[test]
    fn persistence_follows_the_version() {
        let none = fields(&[]);
        assert!(Hop::of(Version::Http11, &none).persistent);
        assert!(!Hop::of(Version::Http10, &none).persistent);
        let kept = fields(&[("Connection", "Keep-Alive")]);
        assert!(Hop::of(Version::Http10, &kept).persistent);
        let both = fields(&[("Connection", "keep-alive, close")]);
        assert!(!Hop::of(Version::Http11, &both).persistent);
    }

    #[test]
    fn a_pseudonym_is_found_whole_in_via() {
        let via = fields(&[("Via", "1.1 alpha, HTTP/1.1 Beta (comment)"), ("Via", "1.0 gamma:80")]);
        assert!(has_passed(&via, "beta"));
        assert!(has_passed(&via, "alpha"));
        assert!(!has_passed(&via, "gamma"));
        assert!(!has_passed(&via, "comment"));
    }

    #[test]
    fn other_targets_are_known_in_any_spelling() {
        let fields = fields(&[
            ("X-Original-URL", "/a"),
            ("x-rewrite_url", "/a"),
            ("X_Original_Uri", "/a"),
            ("X-Script-Name", "/a"),
            ("X-Original-Host", "h"),
            ("X-Rewrite-URLs", "/a"),
        ]);
        let found: Vec<bool> = fields.iter().map(|field| is_other_target(&field)).collect();
        assert_eq!(found, [true, true, true, true, false, false]);
    }

    #[test]
    fn only_websocket_alone_is_an_upgrade() {
        assert!(is_websocket(&fields(&[("Upgrade", "WebSocket")])));
        assert!(!is_websocket(&fields(&[("Upgrade", "websocket, h2c")])));
        assert!(!is_websocket(&fields(&[("Upgrade", "h2c")])));
    }
}
