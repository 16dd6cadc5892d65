//! Answers of log servers.

use std::time::{Duration, SystemTime};

use serde_json::Value;

/// Longest time that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);
/// Most characters of a reason.
const LONGEST_REASON: usize = 200;

/// Result of sending a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server has taken the batch, except so many lines.
    Taken(u64),
    /// The batch is to be sent again, not before this time has passed.
    Later(Duration, String),
    /// The server will not take the batch.
    Refused(String),
}

impl Answer {
    /// Reads a response: its status code, `Retry-After` and content. 429 and 5xx are temporary.
    #[must_use]
    pub fn of(status: u16, retry_after: Option<&[u8]>, content: &[u8], now: SystemTime) -> Self {
        match status {
            200..=299 => Self::Taken(rejected(content)),
            429 | 500..=599 => {
                let wait = retry_after.and_then(|value| wait(value, now)).unwrap_or_default();
                Self::Later(wait, format!("status {status}{}", excerpt(content)))
            }
            _ => Self::Refused(format!("status {status}{}", excerpt(content))),
        }
    }
}

/// Returns the time of `Retry-After` (RFC 9110 §10.2.3) from `now`.
fn wait(value: &[u8], now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Returns the number of log records that a server of OTLP has taken and dropped (`partialSuccess`).
fn rejected(content: &[u8]) -> u64 {
    let number = serde_json::from_slice(content).ok().and_then(|answer: Value| {
        let number = answer.get("partialSuccess")?.get("rejectedLogRecords")?;
        number.as_u64().or_else(|| number.as_str()?.parse().ok())
    });
    number.unwrap_or(0)
}

/// Returns the beginning of a content as one line, for a notice.
fn excerpt(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let line = text.lines().next().unwrap_or_default().trim();
    let line: String =
        line.chars().filter(|char| !char.is_control()).take(LONGEST_REASON).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}
