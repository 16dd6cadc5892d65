//! Requests and responses between an operation and its driver.

use std::time::{Duration, SystemTime};

use super::bounds::{MOST_JSON, MOST_NONCE, MOST_RETRY_AFTER};
use super::error::AcmeError;

/// Action that an operation requests of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<T> {
    /// Send a request, then report its response or the failure to get one. Redirects are not
    /// followed.
    Send(Request),
    /// Wait until this time, or until the response of the request sent is reported.
    Wait(SystemTime),
    /// Take the result. The operation is over.
    Done(T),
    /// Take the failure. The operation is over.
    Failed(AcmeError),
}

/// Method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
}

/// Request to a CA. The driver adds `Host`, `User-Agent` and `Content-Length`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// URL with the scheme `https`, or `http` if that of the directory is `http`.
    pub url: String,
    /// Value of `Content-Type`, if the request has content.
    pub content_type: Option<&'static str>,
    /// Value of `Accept`, if the response must have this type.
    pub accept: Option<&'static str>,
    /// Content, empty unless the method is POST.
    pub body: Vec<u8>,
    /// Largest content in bytes that is read of the response. The driver may stop reading behind
    /// it, and reports what it has read.
    pub most: usize,
}

/// Response of a CA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Value of `Replay-Nonce` (RFC 8555 §6.5.1).
    pub replay_nonce: Option<&'a str>,
    /// Value of `Location`.
    pub location: Option<&'a str>,
    /// Value of `Retry-After` (RFC 9110 §10.2.3).
    pub retry_after: Option<&'a str>,
    /// Content.
    pub body: &'a [u8],
}

impl Response<'_> {
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Returns the content, as far as a problem document may reach.
    pub(super) fn json_part(&self) -> &[u8] {
        self.body.get(..MOST_JSON).unwrap_or(self.body)
    }

    /// Returns the nonce, if it is base64url (RFC 8555 §6.5.1).
    pub(super) fn nonce(&self) -> Option<&str> {
        self.replay_nonce.filter(|nonce| nonce.len() <= MOST_NONCE && is_base64_url(nonce))
    }

    /// Returns the time that `Retry-After` names, at most a week from now.
    pub(super) fn retry_time(&self, now: SystemTime) -> Option<SystemTime> {
        let value = self.retry_after?.trim();
        let latest = later(now, MOST_RETRY_AFTER);
        let time = match value.parse() {
            Ok(seconds) => later(now, Duration::from_secs(seconds).min(MOST_RETRY_AFTER)),
            Err(_) => httpdate::parse_http_date(value).ok()?,
        };
        Some(time.clamp(now, latest))
    }
}

/// Returns a later time, or the same if the clock cannot name it.
pub(super) fn later(now: SystemTime, by: Duration) -> SystemTime {
    now.checked_add(by).unwrap_or(now)
}

/// Returns true if a text is not empty and has characters of base64url only.
pub(super) fn is_base64_url(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_plain)
}
