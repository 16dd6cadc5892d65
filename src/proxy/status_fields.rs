//! What is said of an exchange in fields: `Cache-Status` (RFC 9211), `Proxy-Status` (RFC 9209), and
//! to users `Authentication-Info` (RFC 9110 §11.6.3).

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use crate::cache::Missing;
use crate::http::{HeadWriter, Status, list};

/// What a user is told who was recognized.
#[derive(Clone, Debug)]
pub(super) struct AuthInfo {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl AuthInfo {
    /// Adds the field.
    pub(super) fn write_to(&self, head: &mut HeadWriter<'_>) {
        head.field(self.name, self.value.as_bytes());
    }
}

/// What this cache did for a response.
#[derive(Clone, Debug, Default)]
pub(super) struct CacheStatus {
    pub(super) hit: bool,
    /// Why the request went to the origin.
    pub(super) forwarded: Option<Forwarded>,
    /// The status the origin answered, if it is not the one passed on.
    pub(super) origin_status: Option<Status>,
    /// Seconds for which what is passed on is fresh yet.
    pub(super) ttl: Option<i64>,
    pub(super) stored: bool,
    /// Whether the response was fetched for somebody else who had asked before.
    pub(super) collapsed: bool,
    /// The key, if it is to be shown.
    pub(super) key: Option<Arc<str>>,
    pub(super) detail: Option<&'static str>,
}

/// Why a request went to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarded {
    Missing(Missing),
    Stale,
    /// The request asked for it.
    Request,
}

impl Forwarded {
    const fn token(self) -> &'static str {
        match self {
            Self::Missing(Missing::Uri) => "uri-miss",
            Self::Missing(Missing::Vary) => "vary-miss",
            Self::Missing(Missing::Part) => "partial",
            Self::Missing(Missing::Method) => "method",
            Self::Missing(Missing::Request) | Self::Request => "request",
            Self::Missing(Missing::Bypass) => "bypass",
            Self::Stale => "stale",
        }
    }
}

impl CacheStatus {
    /// Adds the field: one list member.
    pub(super) fn write_to(&self, head: &mut HeadWriter<'_>, name: &str) {
        head.text("Cache-Status", format_args!("{}{self}", Item(name)));
    }
}

/// The parameters.
impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hit {
            f.write_str("; hit")?;
        }
        if let Some(forwarded) = self.forwarded {
            write!(f, "; fwd={}", forwarded.token())?;
        }
        if let Some(status) = self.origin_status {
            write!(f, "; fwd-status={status}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, "; ttl={ttl}")?;
        }
        if self.stored {
            f.write_str("; stored")?;
        }
        if self.collapsed {
            f.write_str("; collapsed")?;
        }
        if let Some(key) = &self.key {
            write!(f, "; key={}", Quoted(&in_ascii(key)))?;
        }
        match self.detail {
            Some(detail) => write!(f, "; detail={detail}"),
            None => Ok(()),
        }
    }
}

/// Why this proxy answered instead of the origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProxyStatus<'a> {
    /// A registered error type.
    pub(super) error: &'a str,
    pub(super) details: &'a str,
}

impl ProxyStatus<'_> {
    /// Adds the field: one list member.
    pub(super) fn write_to(&self, head: &mut HeadWriter<'_>, name: &str) {
        let (name, details) = (Item(name), Quoted(self.details));
        head.text("Proxy-Status", format_args!("{name}; error={}; details={details}", self.error));
    }
}

/// A name as a token if it is one for structured fields (RFC 9651 §3.3.4), else as a string.
struct Item<'a>(&'a str);

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alphabetic = self.0.starts_with(|c: char| c.is_ascii_alphabetic());
        if alphabetic && list::is_token(self.0.as_bytes()) {
            f.write_str(self.0)
        } else {
            Quoted(self.0).fmt(f)
        }
    }
}

/// Percent-encodes what of a URI is not ASCII (RFC 3987 §3.1).
fn in_ascii(uri: &str) -> Cow<'_, str> {
    if uri.is_ascii() {
        return uri.into();
    }
    let encoded = |byte: u8| match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    uri.bytes().map(encoded).collect::<String>().into()
}

/// A string (RFC 9651 §3.3.3); what it may not hold is left out.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars().filter(|c| matches!(c, ' '..='~')) {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut HeadWriter<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut HeadWriter::resume(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_are_written_as_the_specifications_have_them() {
        let hit = CacheStatus { hit: true, ttl: Some(-5), ..Default::default() };
        let line = written(|head| hit.write_to(head, "tidegate"));
        assert_eq!(line, "Cache-Status: tidegate; hit; ttl=-5\r\n");
        let miss = CacheStatus {
            forwarded: Some(Forwarded::Missing(Missing::Uri)),
            stored: true,
            collapsed: true,
            key: Some("http://h.test/\u{e4}\"\\".into()),
            ..Default::default()
        };
        let line = written(|head| miss.write_to(head, "1st"));
        let parameters =
            "; fwd=uri-miss; stored; collapsed; key=\"http://h.test/%C3%A4\\\"\\\\\"\r\n";
        assert_eq!(line, format!("Cache-Status: \"1st\"{parameters}"));
        let error = ProxyStatus { error: "dns_error", details: "a \"b\"\n\u{e4}" };
        let line = written(|head| error.write_to(head, "t"));
        assert_eq!(line, "Proxy-Status: t; error=dns_error; details=\"a \\\"b\\\"\"\r\n");
    }
}
