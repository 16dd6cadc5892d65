//! A certificate that the proxy obtains and renews.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::acme::renewal::{Window, poll_at, renew_at, retry_at};
use crate::acme::{AcmeError, Identifier, RevocationReason};
use crate::tls::Certificate;
use crate::x509::CertificateFacts;

use super::operation::Operation;

/// A certificate to obtain, the one that there is, and when to act next.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) identifiers: Vec<Identifier>,
    pub(super) current: Option<Certificate>,
    /// Place of the directory at which the certificate was obtained; `None` if an earlier process has
    /// obtained it.
    issuer: Option<usize>,
    pub(super) doing: Doing,
    /// Window in which the CA suggests to renew the certificate, and the time to ask again.
    window: Option<Window>,
    ask_at: SystemTime,
    /// Random part of the next delay, drawn once for each certificate and each failure.
    fraction: f64,
    /// Failures in a row.
    pub(super) failures: u32,
    retry_at: Option<SystemTime>,
    /// Set if the certificate is to be replaced at once, whatever its age.
    replaces_at_once: bool,
    /// Reason for which the certificate is revoked once it was replaced.
    pub(super) revokes: Option<RevocationReason>,
    /// Set once a first certificate was tried out.
    pub(super) is_tried_out: bool,
}

/// What is done about a certificate.
#[derive(Debug)]
pub(super) enum Doing {
    /// Nothing is, until the next time.
    Wait,
    /// A certificate is obtained, at this one of the directories; only to try it out if `None`.
    Issue(Operation, Option<usize>),
    /// A certificate that was replaced is revoked.
    Revoke(Operation, Replaced),
    /// The CA is asked when to renew.
    Ask(Operation),
}

/// A certificate that was replaced, to be revoked.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) certificate: Certificate,
    pub(super) reason: RevocationReason,
    /// Places of the directories that are still to be asked, the next one last.
    pub(super) directories: Vec<usize>,
    /// Failure at the first directory.
    pub(super) failed: Option<AcmeError>,
}

/// What is due for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Issue,
    Ask,
    /// Nothing before this time.
    Later(SystemTime),
}

impl Managed {
    /// Returns a certificate to obtain; `current` was obtained earlier.
    pub(super) fn new(
        identifiers: Vec<Identifier>,
        current: Option<Certificate>,
        fraction: f64,
        now: SystemTime,
    ) -> Self {
        Self {
            identifiers,
            current,
            issuer: None,
            doing: Doing::Wait,
            window: None,
            ask_at: now,
            fraction,
            failures: 0,
            retry_at: None,
            replaces_at_once: false,
            revokes: None,
            is_tried_out: false,
        }
    }

    /// Returns the name under which the certificate is known: its first identifier.
    pub(super) fn name(&self) -> String {
        self.identifiers.first().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn facts(&self) -> Option<&Arc<CertificateFacts>> {
        self.current.as_ref().map(|certificate| &certificate.facts)
    }

    /// Returns the place of the directory that most likely has issued the certificate.
    pub(super) fn likely_issuer(&self) -> usize {
        self.issuer.unwrap_or(0)
    }

    /// Returns what is due `now`.
    pub(super) fn due(&self, now: SystemTime) -> Due {
        if let Some(retry_at) = self.retry_at.filter(|&at| at > now) {
            return Due::Later(retry_at);
        }
        let Some(facts) = self.facts().filter(|_| !self.replaces_at_once) else {
            return Due::Issue;
        };
        if now >= self.ask_at && facts.ari_id().is_some() {
            return Due::Ask;
        }
        let renew_at = renew_at(facts, self.window, self.fraction);
        if now >= renew_at || self.failures > 0 {
            return Due::Issue;
        }
        Due::Later(if facts.ari_id().is_some() { renew_at.min(self.ask_at) } else { renew_at })
    }

    /// Has the certificate replaced at once, and then revoked if there is a reason.
    pub(super) fn replace(&mut self, reason: Option<RevocationReason>) {
        (self.replaces_at_once, self.retry_at) = (true, None);
        self.revokes = reason.or(self.revokes);
    }

    /// Records when the CA suggests to renew, and when to ask again.
    pub(super) fn suggested(&mut self, window: Option<Window>, ask_at: SystemTime) {
        self.window = window;
        self.ask_at = ask_at;
    }

    /// Records that the CA could not be asked when to renew.
    pub(super) fn could_not_ask(&mut self, error: &AcmeError, now: SystemTime) {
        self.ask_at = poll_at(error.retry_after, now);
    }

    /// Records that a first certificate was tried out. Failures to do so are none of the CA's.
    pub(super) fn tried_out(&mut self) {
        (self.is_tried_out, self.failures, self.retry_at) = (true, 0, None);
    }

    /// Replaces the certificate by one that was obtained at one of so many `directories`. Returns the
    /// one before, if it is to be revoked.
    pub(super) fn obtained(
        &mut self,
        certificate: Certificate,
        (issuer, directories): (usize, usize),
        fraction: f64,
        now: SystemTime,
    ) -> Option<Replaced> {
        (self.failures, self.retry_at, self.window) = (0, None, None);
        (self.replaces_at_once, self.fraction) = (false, fraction);
        self.ask_at = now + Duration::from_secs(60);
        let before = self.current.replace(certificate).zip(self.revokes.take());
        let known = self.issuer.replace(issuer).map(|known| vec![known]);
        before.map(|(certificate, reason)| Replaced {
            certificate,
            reason,
            directories: known.unwrap_or_else(|| (0..directories).rev().collect()),
            failed: None,
        })
    }

    /// Records a failure. Returns the time of the next attempt.
    pub(super) fn failed(
        &mut self,
        error: &AcmeError,
        fraction: f64,
        now: SystemTime,
    ) -> SystemTime {
        self.failures = self.failures.saturating_add(1);
        let facts = self.facts().map(AsRef::as_ref);
        let at = retry_at(facts, self.failures, error.retry_after, fraction, now);
        self.retry_at = Some(at);
        at
    }
}
