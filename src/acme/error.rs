//! Failures of an operation, as one line for the operator.

use std::fmt;
use std::time::SystemTime;

use super::bounds::MOST_TEXT;

/// Failure of an operation. It is displayed as one line without control characters, which states
/// what failed, what the CA said and what the operator can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeError {
    /// Side that the failure comes from.
    pub kind: AcmeErrorKind,
    /// Time before which the CA wants no further try.
    pub retry_after: Option<SystemTime>,
    pub(super) message: String,
}

/// Side that a failure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeErrorKind {
    /// The settings cannot work; a further try fails, too.
    Settings,
    /// The CA cannot be reached.
    Transport,
    /// The CA has refused the request or the identifiers.
    Refused,
    /// The CA has sent a response that breaks RFC 8555 or exceeds a bound.
    Protocol,
    /// The certificate issued is not the one that was ordered.
    Certificate,
    /// The operation has exceeded its time or its number of requests.
    Deadline,
    /// A key could not be generated or used.
    Key,
}

impl AcmeError {
    pub(super) fn new(kind: AcmeErrorKind, message: impl Into<String>) -> Self {
        Self { kind, retry_after: None, message: message.into() }
    }

    /// Returns the failure that a certificate is which cannot be used, for the reason `why`.
    #[must_use]
    pub fn unusable(why: &str) -> Self {
        let message = format!("the new certificate cannot be used: {}", clean(why));
        Self::new(AcmeErrorKind::Certificate, message)
    }

    pub(super) fn settings(message: impl Into<String>) -> Self {
        Self::new(AcmeErrorKind::Settings, message)
    }

    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::new(AcmeErrorKind::Protocol, message)
    }

    pub(super) fn key(message: impl Into<String>) -> Self {
        Self::new(AcmeErrorKind::Key, message)
    }

    /// Returns the failure with the step that failed in front of its message.
    pub(super) fn at(mut self, step: &str) -> Self {
        self.message = format!("{step}: {}", self.message);
        self
    }
}

impl fmt::Display for AcmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AcmeError {}

/// Returns foreign text for a message: bounded, with a space in place of each control character.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::new();
    for char in text.chars() {
        if clean.len() >= MOST_TEXT {
            clean.push_str("...");
            break;
        }
        clean.push(if char.is_control() { ' ' } else { char });
    }
    clean
}
