//! A certificate that the proxy obtains and renews.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::acme::renewal::{Window, poll_at, renew_at, retry_at};
use crate::acme::{AcmeError, AcmeErrorKind, Identifier, RevocationReason};
use crate::tls::Certificate;
use crate::x509::CertificateFacts;

use super::operation::Operation;
use super::turn::Turn;

/// Longest wait, in which a CA that limits the rate of certificates counts a week.
const LONGEST_WAIT: Duration = Duration::from_secs(8 * 24 * 60 * 60);
/// Part of a lifetime for which a new certificate is kept: a CA that always suggests to renew at once
/// is not asked without end.
const REST: f64 = 0.01;
/// Failures to reach the CA for trials after which none is made.
const TRIALS: u32 = 2;

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
    ask_at: Option<SystemTime>,
    /// Time before which a new certificate is not renewed, whatever the CA suggests.
    rests_until: SystemTime,
    /// Random part of the next delay, drawn once for each certificate and each failure.
    fraction: f64,
    /// Failures in a row.
    pub(super) failures: u32,
    pub(super) turn: Turn,
    retry_at: Option<SystemTime>,
    /// Set if the certificate is to be replaced at once, whatever its age.
    replaces_at_once: bool,
    /// Reason for which the certificate is revoked once it was replaced.
    pub(super) revokes: Option<RevocationReason>,
    /// Set once a first certificate was tried out.
    pub(super) is_tried_out: bool,
}

/// Operation that is under way for a certificate.
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

/// Operation that is due for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Issue,
    Ask,
    /// Nothing before this time.
    Later(SystemTime),
}

impl Managed {
    /// Returns a certificate to obtain at one of so many `directories`; `current` was obtained earlier.
    pub(super) fn new(
        identifiers: Vec<Identifier>,
        current: Option<Certificate>,
        fraction: f64,
        directories: usize,
    ) -> Self {
        Self {
            identifiers,
            current,
            issuer: None,
            doing: Doing::Wait,
            window: None,
            ask_at: Some(SystemTime::UNIX_EPOCH),
            rests_until: SystemTime::UNIX_EPOCH,
            fraction,
            failures: 0,
            turn: Turn::new(directories),
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
        // A time that is too far away was noted before the clock was set back.
        let waits = |at: SystemTime| at.duration_since(now).is_ok_and(|left| left <= LONGEST_WAIT);
        if let Some(retry_at) = self.retry_at.filter(|&at| at > now && waits(at)) {
            return Due::Later(retry_at);
        }
        let Some(facts) = self.facts().filter(|_| !self.replaces_at_once) else {
            return Due::Issue;
        };
        let ask_at = self.ask_at.filter(|_| facts.ari_id().is_some());
        if ask_at.is_some_and(|at| at <= now || !waits(at)) {
            return Due::Ask;
        }
        let rests_until = if waits(self.rests_until) { self.rests_until } else { now };
        let renew_at = renew_at(facts, self.window, self.fraction).max(rests_until);
        if now >= renew_at || self.failures > 0 {
            return Due::Issue;
        }
        Due::Later(ask_at.map_or(renew_at, |ask_at| renew_at.min(ask_at)))
    }

    /// Has the certificate replaced at once, and then revoked if there is a reason.
    pub(super) fn replace(&mut self, reason: Option<RevocationReason>) {
        (self.replaces_at_once, self.retry_at) = (true, None);
        self.revokes = reason.or(self.revokes);
    }

    /// Records when the CA suggests to renew, and when to ask again; `None` if the CA never does.
    pub(super) fn suggested(&mut self, suggestion: Option<(Window, SystemTime)>) {
        (self.window, self.ask_at) = suggestion.unzip();
    }

    /// Records that the CA could not be asked when to renew.
    pub(super) fn could_not_ask(&mut self, error: &AcmeError, now: SystemTime) {
        self.ask_at = Some(poll_at(error.retry_after, now));
    }

    /// Records that a first certificate was tried out. Failures to do so are none of the CA's.
    pub(super) fn tried_out(&mut self) {
        (self.is_tried_out, self.failures, self.retry_at) = (true, 0, None);
    }

    /// Replaces the certificate by one that was obtained at the directory `issuer`, one of so many
    /// `directories`. Returns the one before, if it is to be revoked.
    pub(super) fn obtained(
        &mut self,
        certificate: Certificate,
        (issuer, directories): (usize, usize),
        fraction: f64,
        now: SystemTime,
    ) -> Option<Replaced> {
        (self.failures, self.retry_at, self.window) = (0, None, None);
        (self.replaces_at_once, self.fraction) = (false, fraction);
        self.ask_at = Some(now + Duration::from_secs(60));
        self.rests_until = now + certificate.facts.lifetime().mul_f64(REST);
        self.turn.restart();
        let before = self.current.replace(certificate).zip(self.revokes.take());
        let known = self.issuer.replace(issuer).map(|known| vec![known]);
        before.map(|(certificate, reason)| Replaced {
            certificate,
            reason,
            directories: known.unwrap_or_else(|| (0..directories).rev().collect()),
            failed: None,
        })
    }

    /// Records a failure at the directory whose turn it was, or at the one to try out if `in_trial`.
    /// Returns the time of the next attempt.
    pub(super) fn failed(
        &mut self,
        error: &AcmeError,
        in_trial: bool,
        fraction: f64,
        now: SystemTime,
    ) -> SystemTime {
        self.failures = self.failures.saturating_add(1);
        let facts = self.facts().map(AsRef::as_ref);
        let at = match in_trial {
            true => retry_at(facts, self.failures, error.retry_after, fraction, now),
            false => {
                let at = retry_at(facts, self.failures, None, fraction, now);
                self.turn.fail(error.retry_after, at)
            }
        };
        if in_trial && error.kind == AcmeErrorKind::Transport && self.failures >= TRIALS {
            self.tried_out(); // an unreachable CA does not keep the others from issuing
        }
        self.retry_at = Some(at);
        at
    }
}
