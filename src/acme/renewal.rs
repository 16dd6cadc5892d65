//! Time of renewal: by the window that the CA suggests (RFC 9773), by the lifetime without one, and
//! after failures.
//!
//! `fraction` in the functions is a random number from 0 to less than 1. It is drawn once for each
//! window and each failure, so that the time does not move with each call.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use x509_cert::der::DateTime;

use super::error::{AcmeError, clean};
use super::object::{json, malformed, text};
use super::transport::later;
use crate::x509::CertificateFacts;

/// Part of the lifetime after which a certificate is renewed, if the CA suggests no window, and the
/// part over which renewals are spread: two thirds to 0.72 leave a month of 90 days for failures.
const RENEWED_AFTER: f64 = 2.0 / 3.0;
const SPREAD: f64 = 0.05;
/// Part of the lifetime after which a certificate is renewed, whatever window the CA suggests: a CA
/// in error must not let it expire.
const LATEST: f64 = 0.9;
/// Times between two polls of the window: the default and the bounds of RFC 9773 §4.3.1.
const POLL: Duration = Duration::from_secs(6 * 60 * 60);
const LEAST_POLL: Duration = Duration::from_secs(60);
const MOST_POLL: Duration = Duration::from_secs(24 * 60 * 60);
/// Shortest and longest time between two tries after failures. CAs bound failures per hour.
const LEAST_RETRY: Duration = Duration::from_secs(60);
const MOST_RETRY: Duration = Duration::from_secs(6 * 60 * 60);
/// Number of tries that fit at least into the rest of the lifetime.
const TRIES_LEFT: u32 = 10;
/// Number of doublings of the shortest time that exceed the longest one.
const MOST_DOUBLINGS: u32 = 16;

/// Window in which the CA suggests to renew a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Beginning.
    pub start: SystemTime,
    /// End.
    pub end: SystemTime,
}

/// Renewal information of a certificate (RFC 9773 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalInfo {
    /// Window that the CA suggests.
    pub window: Window,
    /// Page that explains the window.
    pub explanation: Option<String>,
    /// Time of the next poll, at which the CA may have moved the window.
    pub poll_at: SystemTime,
}

impl RenewalInfo {
    /// Returns the renewal information in a response body, received now with this time in
    /// `Retry-After`.
    ///
    /// # Errors
    /// [`AcmeError`] if the body has no window, or one that ends before it begins.
    pub fn read(
        body: &[u8],
        retry_after: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Self, AcmeError> {
        let value = json(body)?;
        let window = value.get("suggestedWindow").unwrap_or(&Value::Null);
        let time = |member| {
            let time = text(window, member).and_then(rfc3339);
            time.ok_or_else(|| malformed("suggestedWindow"))
        };
        let window = Window { start: time("start")?, end: time("end")? };
        if window.end < window.start {
            return Err(malformed("suggestedWindow"));
        }
        let explanation = text(&value, "explanationURL").map(clean);
        Ok(Self { window, explanation, poll_at: poll_at(retry_after, now) })
    }
}

/// Returns the URL of a certificate's renewal information: `renewal_info` is that of the directory,
/// `id` the [identifier](CertificateFacts::ari_id) of the certificate.
#[must_use]
pub fn info_url(renewal_info: &str, id: &str) -> String {
    format!("{}/{id}", renewal_info.trim_end_matches('/'))
}

/// Returns the time at which to renew a certificate: a random one in the window, or behind two
/// thirds of the lifetime without a window; no later than at nine tenths of the lifetime. A time in
/// the past means at once.
#[must_use]
pub fn renew_at(facts: &CertificateFacts, window: Option<Window>, fraction: f64) -> SystemTime {
    let fraction = sane(fraction);
    let after = |part| later(facts.not_before, facts.lifetime().mul_f64(part));
    match window {
        Some(Window { start, end }) => {
            let length = end.duration_since(start).unwrap_or_default();
            later(start, length.mul_f64(fraction)).min(after(LATEST))
        }
        None => after(RENEWED_AFTER + SPREAD * fraction),
    }
}

/// Returns the time at which to try a renewal again, at `failures` failures in a row, the last of
/// them now. The delay grows from a minute to six hours, or to a tenth of the time for which the
/// certificate is still valid. `retry_after` is that of the last failure.
#[must_use]
pub fn retry_at(
    facts: Option<&CertificateFacts>,
    failures: u32,
    retry_after: Option<SystemTime>,
    fraction: f64,
    now: SystemTime,
) -> SystemTime {
    let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
    let left = facts.map(|facts| facts.not_after.duration_since(now).unwrap_or_default());
    let most = left.filter(|left| !left.is_zero()).map_or(MOST_RETRY, |left| left / TRIES_LEFT);
    let delay = LEAST_RETRY.saturating_mul(2_u32.saturating_pow(doublings));
    let delay = delay.min(most).min(MOST_RETRY);
    // From half of the delay to the whole, so that failures of many names do not stay in step.
    let delay = delay.mul_f64(0.5 + sane(fraction) / 2.0).max(LEAST_RETRY);
    later(now, delay).max(retry_after.unwrap_or(now))
}

/// Returns the time of the next poll of a window. `retry_after` is that of the last response, or of
/// the last failure.
#[must_use]
pub fn poll_at(retry_after: Option<SystemTime>, now: SystemTime) -> SystemTime {
    let wish = retry_after.unwrap_or_else(|| later(now, POLL));
    wish.clamp(later(now, LEAST_POLL), later(now, MOST_POLL))
}

/// Returns a fraction from 0 to 1, whatever was given.
fn sane(fraction: f64) -> f64 {
    if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) }
}

/// Parses a time (RFC 3339 §5.6). Fractions of seconds are dropped.
fn rfc3339(text: &str) -> Option<SystemTime> {
    let (seconds, rest) = text.split_at_checked("2000-01-01T00:00:00".len())?;
    let time: DateTime = format!("{}Z", seconds.to_ascii_uppercase()).parse().ok()?;
    let fraction =
        rest.strip_prefix('.').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone = fraction.unwrap_or(rest);
    if zone.eq_ignore_ascii_case("z") {
        return Some(time.to_system_time());
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() == 2);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset = Duration::from_secs((hours * 60 + minutes) * 60);
    match zone.as_bytes().first()? {
        b'+' => time.to_system_time().checked_sub(offset),
        b'-' => time.to_system_time().checked_add(offset),
        _ => None,
    }
}
