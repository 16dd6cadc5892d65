//! `Cache-Status` (RFC 9211) and `Proxy-Status` (RFC 9209): what happened, in structured fields.

use std::fmt::Write;

use crate::cache::Missing;
use crate::http::{Status, list};

/// What this cache did for a response.
#[derive(Clone, Copy, Debug, Default)]
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
            Self::Missing(Missing::Method) => "method",
            Self::Missing(Missing::Request) | Self::Request => "request",
            Self::Missing(Missing::Bypass) => "bypass",
            Self::Stale => "stale",
        }
    }
}

impl CacheStatus {
    /// The field's value: one list member.
    pub(super) fn write(&self, name: &str) -> String {
        let mut out = item(name);
        if self.hit {
            out.push_str("; hit");
        }
        if let Some(forwarded) = self.forwarded {
            out.push_str("; fwd=");
            out.push_str(forwarded.token());
        }
        // Writing to a String does not fail.
        if let Some(status) = self.origin_status {
            let _ = write!(out, "; fwd-status={status}");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(out, "; ttl={ttl}");
        }
        if self.stored {
            out.push_str("; stored");
        }
        if self.collapsed {
            out.push_str("; collapsed");
        }
        if let Some(detail) = self.detail {
            out.push_str("; detail=");
            out.push_str(detail);
        }
        out
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
    /// The field's value: one list member.
    pub(super) fn write(&self, name: &str) -> String {
        format!("{}; error={}; details={}", item(name), self.error, string(self.details))
    }
}

/// A name as a token if it is one for structured fields (RFC 9651 §3.3.4), else as a string.
fn item(name: &str) -> String {
    let token =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && list::is_token(name.as_bytes());
    if token { name.to_owned() } else { string(name) }
}

/// A string (RFC 9651 §3.3.3); what it may not hold is left out.
fn string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_written_as_the_specifications_have_them() {
        let hit = CacheStatus { hit: true, ttl: Some(-5), ..Default::default() };
        assert_eq!(hit.write("tidegate"), "tidegate; hit; ttl=-5");
        let miss = CacheStatus {
            forwarded: Some(Forwarded::Missing(Missing::Uri)),
            stored: true,
            collapsed: true,
            ..Default::default()
        };
        assert_eq!(miss.write("1st"), "\"1st\"; fwd=uri-miss; stored; collapsed");
        let error = ProxyStatus { error: "dns_error", details: "a \"b\"\n\u{e4}" };
        assert_eq!(error.write("t"), "t; error=dns_error; details=\"a \\\"b\\\"\"");
    }
}
