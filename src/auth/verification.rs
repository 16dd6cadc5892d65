//! Verification of passwords on another thread, because their hashes are slow; and a memory of the
//! results.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::basic::Credentials;
use super::hash::PasswordHash;
use super::secret::{Keyed, Password, Secret};

/// Verification of one password, to be run where it may take its time.
#[derive(Clone, Debug)]
pub struct VerifyJob {
    hash: PasswordHash,
    password: Password,
    user: Arc<str>,
    /// True if the hash is the user's own. If not, the result is negative after the same work.
    known: bool,
    ticket: VerifyId,
}

/// Identifier of a verification. Two jobs with the same id have the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerifyId([u8; 32]);

/// Result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyResult {
    pub(super) user: Arc<str>,
    pub(super) ticket: VerifyId,
    pub(super) good: bool,
}

impl VerifyJob {
    /// Returns the job to verify `sent` against `hash`, which is the user's own if `known`.
    pub(super) fn new(hash: &PasswordHash, sent: Credentials, known: bool, key: &Secret) -> Self {
        let parts = [hash.as_str().as_bytes(), sent.user.as_bytes(), sent.password.as_bytes()];
        let ticket = VerifyId(key.mac(if known { "known" } else { "unknown" }, &parts));
        Self { hash: hash.clone(), password: sent.password, user: sent.user.into(), known, ticket }
    }

    /// Returns the id of the verification.
    #[must_use]
    pub const fn ticket(&self) -> VerifyId {
        self.ticket
    }

    /// Verifies the password. Takes milliseconds to seconds.
    #[must_use]
    pub fn run(&self) -> VerifyResult {
        let same = self.hash.verify(&self.password);
        VerifyResult { user: self.user.clone(), ticket: self.ticket, good: same && self.known }
    }

    /// Returns the result without running the job, because it is known.
    pub(super) fn done(&self, good: bool) -> VerifyResult {
        VerifyResult { user: self.user.clone(), ticket: self.ticket, good }
    }
}

impl VerifyResult {
    /// Returns the id of the verification.
    #[must_use]
    pub const fn ticket(&self) -> VerifyId {
        self.ticket
    }

    /// Returns true if the password is the user's.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.good
    }
}

/// Results of the latest jobs.
#[derive(Debug)]
pub(super) struct Verdicts {
    known: LruCache<VerifyId, (bool, Instant), Keyed>,
    lifetime: Duration,
}

/// Most results that are remembered.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

impl Verdicts {
    pub(super) fn new(lifetime: Duration, secret: &Secret) -> Self {
        Self { known: LruCache::with_hasher(MOST, secret.hasher()), lifetime }
    }

    pub(super) fn get(&mut self, ticket: &VerifyId, now: Instant) -> Option<bool> {
        let (good, since) = *self.known.get(ticket)?;
        if now.saturating_duration_since(since) < self.lifetime {
            return Some(good);
        }
        self.known.pop(ticket);
        None
    }

    pub(super) fn put(&mut self, done: &VerifyResult, now: Instant) {
        self.known.put(done.ticket, (done.good, now));
    }
}
