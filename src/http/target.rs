//! The four forms of request target (RFC 9112 §3.2), split without changing a byte.

use crate::work;

use super::fields::Span;
use super::method::Method;
use super::parse_error::ParseError;

/// Form of a request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`, to an origin.
    Origin,
    /// `http://host/path?query`, to a proxy.
    Absolute,
    /// `host:port`, with CONNECT.
    Authority,
    /// `*`, with OPTIONS.
    Asterisk,
}

/// A host with an optional port, as in a target or a `Host` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets, as spelled in the message.
    pub host: &'a str,
    /// The port, 1 to 65535, if there is one.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `host [":" port]` (RFC 3986 §3.2, without userinfo). An empty port counts as none.
    ///
    /// # Errors
    /// [`ParseError::UserInfo`] or [`ParseError::Authority`].
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        work::count(4 * text.len()); // user, UTF-8, the end of the host, its characters
        if text.contains(&b'@') {
            return Err(ParseError::UserInfo);
        }
        let text = std::str::from_utf8(text).map_err(|_| ParseError::Authority)?;
        let host_end = if text.starts_with('[') {
            text.find(']').map_or(text.len(), |bracket| bracket + 1)
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (host, rest) = text.split_at(host_end);
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
            None => return Err(ParseError::Authority),
        };
        if is_host(host) { Ok(Self { host, port }) } else { Err(ParseError::Authority) }
    }
}

fn parse_port(digits: &str) -> Result<u16, ParseError> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse().ok().filter(|&port| plain && port > 0);
    port.ok_or(ParseError::Authority)
}

/// Returns true for a name of letters, digits and `-._~`, and for an IPv6 address in brackets. RFC
/// 3986 allows more (percent-encoding, sub-delimiters). Such names reach no host, and different
/// programs would look up different ones.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

/// Parts of a target, as ranges of its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) form: Form,
    pub(super) whole: Span,
    pub(super) scheme: Span,
    pub(super) host: Span,
    pub(super) port: Option<u16>,
    /// Path and query. In an absolute target it may be empty or begin with the query.
    pub(super) path: Span,
}

impl Target {
    /// Splits `text`, a part of `head`, as the target of a request with `method`.
    ///
    /// Path and query may have the characters that browsers send there. With `relaxed`, they may
    /// also have some that RFC 3986 forbids (`"<>`). None of these has a second meaning. A host may
    /// have none of them.
    pub(super) fn parse(
        text: &[u8],
        head: &[u8],
        method: Method,
        relaxed: bool,
    ) -> Result<Self, ParseError> {
        work::count(3 * text.len()); // characters, the end of the scheme, that of the host
        if !text.iter().all(|&b| is_target_byte(b) || (relaxed && is_relaxed_byte(b))) {
            return Err(ParseError::Target);
        }
        let empty = Span::default();
        let whole = Span::of(text, head);
        let split =
            Self { form: Form::Origin, whole, scheme: empty, host: empty, port: None, path: whole };
        if method == Method::Connect {
            if text.starts_with(b"/") || text == b"*" || scheme_end(text).is_some() {
                return Err(ParseError::TargetForm);
            }
            let authority = Authority::parse(text)?;
            let port = Some(authority.port.ok_or(ParseError::Authority)?);
            let host = Span::of(authority.host.as_bytes(), head);
            return Ok(Self { form: Form::Authority, host, port, path: empty, ..split });
        }
        if text.starts_with(b"/") {
            return Ok(split);
        }
        if text == b"*" {
            let allowed = method == Method::Options;
            return if allowed {
                Ok(Self { form: Form::Asterisk, ..split })
            } else {
                Err(ParseError::TargetForm)
            };
        }
        let scheme_end = scheme_end(text).ok_or(ParseError::TargetForm)?;
        let after = &text[scheme_end + 3..];
        let authority_end =
            after.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(after.len());
        let authority = Authority::parse(&after[..authority_end])?;
        Ok(Self {
            form: Form::Absolute,
            scheme: Span::of(&text[..scheme_end], head),
            host: Span::of(authority.host.as_bytes(), head),
            port: authority.port,
            path: Span::of(&after[authority_end..], head),
            ..split
        })
    }
}

/// Returns the end of the scheme in `scheme://…`.
fn scheme_end(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|&b| b == b':')?;
    let valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let is_scheme = text[..end].iter().all(valid) && text.first()?.is_ascii_alphabetic();
    (is_scheme && text[end..].starts_with(b"://")).then_some(end)
}

/// Returns true for the characters of RFC 3986 §2 except `#`, as a target has no fragment; for
/// those that browsers do not encode in a path or query (WHATWG URL §1.3); and for non-ASCII bytes,
/// which programs send unencoded.
const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'/'
                | b'?'
                | b'['
                | b']'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'%'
                | b'|'
                | b'{'
                | b'}'
                | b'^'
                | b'`'
                | b'\\'
        )
}

const fn is_relaxed_byte(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(
        method: Method,
        text: &str,
    ) -> Result<(Form, String, Option<u16>, String), ParseError> {
        let head = text.as_bytes();
        let target = Target::parse(head, head, method, false)?;
        let text = |span: Span| String::from_utf8(span.within(head).to_vec()).unwrap();
        Ok((target.form, text(target.host), target.port, text(target.path)))
    }

    #[test]
    fn four_forms_are_distinguished() {
        let get = |text| parse(Method::Get, text).unwrap();
        assert_eq!(get("/a?b"), (Form::Origin, "".into(), None, "/a?b".into()));
        assert_eq!(get("http://h.test/a"), (Form::Absolute, "h.test".into(), None, "/a".into()));
        assert_eq!(get("http://h:81?q"), (Form::Absolute, "h".into(), Some(81), "?q".into()));
        assert_eq!(get("http://[::1]:8/"), (Form::Absolute, "[::1]".into(), Some(8), "/".into()));
        assert_eq!(get("http://h:/"), (Form::Absolute, "h".into(), None, "/".into()));
        let connect = parse(Method::Connect, "h.test:443").unwrap();
        assert_eq!(connect, (Form::Authority, "h.test".into(), Some(443), "".into()));
        assert_eq!(parse(Method::Options, "*").unwrap().0, Form::Asterisk);
    }

    #[test]
    fn form_must_fit_the_method() {
        for (method, text) in [
            (Method::Get, "*"),
            (Method::Get, "h.test:443"),
            (Method::Get, "h.test"),
            (Method::Connect, "/a"),
            (Method::Connect, "http://h.test/"),
            (Method::Connect, "*"),
        ] {
            assert_eq!(parse(method, text), Err(ParseError::TargetForm), "{method:?} {text}");
        }
    }

    #[test]
    fn invalid_host_or_port_is_refused() {
        for text in [
            "http:///",
            "http://?q",
            "http://:80/",
            "http://h:0/",
            "http://h:65536/",
            "http://h:+8/",
            "http://h:8a/",
            "http://[::1/",
            "http://[::1]8/",
            "http://[v1.x]/",
            "http://a%62c/",
            "http://h,i/",
            "http://[1.2.3.4]/",
            "http://[fe80::1%25eth0]/",
            "http://h:80:80/",
        ] {
            assert_eq!(parse(Method::Get, text), Err(ParseError::Authority), "{text}");
        }
        for text in ["h.test", "h.test:", "h.test:0", "h.test:99999", "h.test:443/", "h,i:443"] {
            assert_eq!(parse(Method::Connect, text), Err(ParseError::Authority), "{text}");
        }
        assert_eq!(parse(Method::Connect, "u@h.test:443"), Err(ParseError::UserInfo));
        assert_eq!(parse(Method::Get, "http://u:p@h/"), Err(ParseError::UserInfo));
    }

    #[test]
    fn browser_characters_are_allowed_in_a_path_but_not_in_a_host() {
        for text in ["|", "{}", "^", "\\", "`", "[]", "'", "\u{e4}", "\u{202e}"] {
            let path = format!("http://h/a{text}?b{text}");
            let read = parse(Method::Get, &path).unwrap();
            assert_eq!(read, (Form::Absolute, "h".into(), None, format!("/a{text}?b{text}")));
            for target in [
                format!("http://a{text}b/"),
                format!("http://{text}/"),
                format!("http://h{text}:80/"),
            ] {
                assert_eq!(parse(Method::Get, &target), Err(ParseError::Authority), "{target}");
            }
            assert_eq!(parse(Method::Connect, &format!("h{text}:443")), Err(ParseError::Authority));
        }
        assert_eq!(parse(Method::Get, "http://good.test\\@evil.test/"), Err(ParseError::UserInfo));
    }

    #[test]
    fn characters_no_url_has_are_refused_unless_relaxed() {
        for byte in [b'"', b'<', b'>'] {
            let text = [b"/a", &[byte][..], b"b"].concat();
            assert_eq!(Target::parse(&text, &text, Method::Get, false), Err(ParseError::Target));
            assert!(Target::parse(&text, &text, Method::Get, true).is_ok());
        }
        for text in [&b"/a#b"[..], b"/a\tb", b"/a b", b"/\x7f", b"/\0"] {
            assert_eq!(Target::parse(text, text, Method::Get, true), Err(ParseError::Target));
        }
    }
}
