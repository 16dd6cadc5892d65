//! Fields about an exchange: `Cache-Status` (RFC 9211), `Proxy-Status` (RFC 9209) and
//! `Authentication-Info` (RFC 9110 §11.6.3).

use std::borrow::Cow;
use std::sync::Arc;

use crate::http::{HeadWriter, Status, list, push_decimal};
use crate::proxy::observe::outcome::Forwarded;

/// `Authentication-Info`, or `Proxy-Authentication-Info`, for an authenticated user.
#[derive(Clone, Debug)]
pub(crate) struct AuthInfo {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl AuthInfo {
    /// Adds the field.
    pub(crate) fn write_to(&self, head: &mut HeadWriter<'_>) {
        head.field(self.name, self.value.as_bytes());
    }
}

/// Handling of a request by this cache (RFC 9211 §2).
#[derive(Clone, Debug, Default)]
pub(crate) struct CacheStatus {
    /// True if the response came from the cache (`hit`).
    pub(super) hit: bool,
    /// Reason for which the request was forwarded (`fwd`).
    pub(super) forwarded: Option<Forwarded>,
    /// Status of the origin's response, if the client gets another one (`fwd-status`).
    pub(super) origin_status: Option<Status>,
    /// Remaining freshness lifetime in seconds; negative for a stale response (`ttl`).
    pub(super) ttl: Option<i64>,
    /// True if the response was stored (`stored`).
    pub(super) stored: bool,
    /// True if the request was collapsed with an earlier one (`collapsed`).
    pub(super) collapsed: bool,
    /// Cache key, if the operator has it shown (`key`).
    pub(super) key: Option<Arc<str>>,
    /// Reason in the words of this proxy (`detail`).
    pub(super) detail: Option<&'static str>,
}

impl CacheStatus {
    /// Adds the field: one list member.
    pub(crate) fn write_to(&self, head: &mut HeadWriter<'_>, name: &str) {
        head.value("Cache-Status", |out| {
            push_item(out, name);
            self.push_parameters(out);
        });
    }

    fn push_parameters(&self, out: &mut Vec<u8>) {
        if self.hit {
            push(out, "; hit");
        }
        if let Some(forwarded) = self.forwarded {
            push(out, "; fwd=");
            push(out, forwarded.token());
        }
        if let Some(status) = self.origin_status {
            push(out, "; fwd-status=");
            push_decimal(out, status.code().into());
        }
        if let Some(ttl) = self.ttl {
            push(out, "; ttl=");
            push(out, if ttl < 0 { "-" } else { "" });
            push_decimal(out, ttl.unsigned_abs());
        }
        if self.stored {
            push(out, "; stored");
        }
        if self.collapsed {
            push(out, "; collapsed");
        }
        if let Some(key) = &self.key {
            push(out, "; key=");
            push_quoted(out, &in_ascii(key));
        }
        if let Some(detail) = self.detail {
            push(out, "; detail=");
            push(out, detail);
        }
    }
}

/// Reason for which this proxy responds instead of the origin (RFC 9209 §2).
#[derive(Clone, Copy, Debug)]
pub(super) struct ProxyStatus<'a> {
    /// Error type of the IANA registry.
    pub(super) error: &'a str,
    pub(super) details: &'a str,
    /// Number of the alert that the origin has sent (RFC 9209 §2.3.15).
    pub(super) alert: Option<u8>,
}

impl ProxyStatus<'_> {
    /// Adds the field: one list member.
    pub(super) fn write_to(&self, head: &mut HeadWriter<'_>, name: &str) {
        head.value("Proxy-Status", |out| {
            push_item(out, name);
            push(out, "; error=");
            push(out, self.error);
            if let Some(alert) = self.alert {
                push(out, "; alert-id=");
                push(out, &alert.to_string());
            }
            push(out, "; details=");
            push_quoted(out, self.details);
        });
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a name as a token if it is one for structured fields (RFC 9651 §3.3.4), else as a string.
fn push_item(out: &mut Vec<u8>, name: &str) {
    let alphabetic = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if alphabetic && list::is_token(name.as_bytes()) {
        push(out, name);
    } else {
        push_quoted(out, name);
    }
}

/// Percent-encodes the characters of a URI that are not ASCII (RFC 3987 §3.1).
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

/// Appends a string (RFC 9651 §3.3.3). Characters that a string may not hold are left out.
fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes().filter(|byte| matches!(byte, b' '..=b'~')) {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::MissReason;

    fn written(write: impl Fn(&mut HeadWriter<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut HeadWriter::resume(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_follow_their_specifications() {
        let hit = CacheStatus { hit: true, ttl: Some(-5), ..Default::default() };
        let line = written(|head| hit.write_to(head, "tidegate"));
        assert_eq!(line, "Cache-Status: tidegate; hit; ttl=-5\r\n");
        let miss = CacheStatus {
            forwarded: Some(Forwarded::Missing(MissReason::Uri)),
            stored: true,
            collapsed: true,
            key: Some("http://h.test/\u{e4}\"\\".into()),
            ..Default::default()
        };
        let line = written(|head| miss.write_to(head, "1st"));
        let parameters =
            "; fwd=uri-miss; stored; collapsed; key=\"http://h.test/%C3%A4\\\"\\\\\"\r\n";
        assert_eq!(line, format!("Cache-Status: \"1st\"{parameters}"));
        let error = ProxyStatus { error: "dns_error", details: "a \"b\"\n\u{e4}", alert: None };
        let line = written(|head| error.write_to(head, "t"));
        assert_eq!(line, "Proxy-Status: t; error=dns_error; details=\"a \\\"b\\\"\"\r\n");
        let error = ProxyStatus { error: "tls_alert_received", details: "x", alert: Some(40) };
        let line = written(|head| error.write_to(head, "t"));
        assert_eq!(
            line,
            "Proxy-Status: t; error=tls_alert_received; alert-id=40; details=\"x\"\r\n"
        );
    }
}
