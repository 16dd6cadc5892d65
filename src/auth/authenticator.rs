//! Authentication of a request, by whichever scheme its credentials use.

use std::sync::Arc;
use std::time::SystemTime;

use crate::auth::digest::{self, Digest};
use crate::time::Now;

use super::auth_result::{Accepted, AuthResult, ChallengeReason, Request, Side};
use super::basic;
use super::realm::Realm;
use super::realm_users::{Decoy, RealmUsers};
use super::secret::{Secret, wiping_stack};
use super::settings::AuthSettings;
use super::users::User;
use super::verification::{Verdicts, VerifyJob, VerifyResult};

/// Bytes of the stack in which verifying a password may leave copies.
const STACK: usize = 4 * 1024;

/// Verifies the credentials of requests for one protection space.
#[derive(Debug)]
pub struct Authenticator {
    settings: AuthSettings,
    secret: Secret,
    accounts: Arc<RealmUsers>,
    nobody: Decoy,
    digest: Digest,
    verdicts: Verdicts,
}

impl Authenticator {
    /// Returns an authenticator for the users of `accounts`, which must have been indexed for the
    /// same settings. Nonces and remembered results are bound to `secret`, side and realm. Two
    /// authenticators with the same secret do not know which nonces the other has seen used.
    #[must_use]
    pub fn new(settings: AuthSettings, accounts: Arc<RealmUsers>, secret: &Secret) -> Self {
        let place = [settings.side.challenge().as_bytes(), settings.realm.as_str().as_bytes()];
        let secret = Secret::new(secret.mac("authenticator", &place));
        Self {
            accounts,
            nobody: Decoy::new(&secret),
            digest: Digest::new(&settings, &secret),
            verdicts: Verdicts::new(settings.remembered, &secret),
            settings,
            secret,
        }
    }

    /// Replaces the users in constant time. Nonces stay valid; a remembered result counts only if
    /// its hash is still in use.
    pub fn replace_accounts(&mut self, accounts: Arc<RealmUsers>) {
        self.accounts = accounts;
    }

    /// Returns the side that authenticates.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.settings.side
    }

    /// Returns true if there is a user of that name.
    #[must_use]
    pub fn knows(&self, user: &str) -> bool {
        self.accounts.has(user)
    }

    /// Verifies the credentials of `request`.
    #[must_use]
    pub fn verify(&mut self, request: &Request<'_>, now: Now) -> AuthResult {
        let mut values = request.fields.all(self.settings.side.credentials());
        let Some(value) = values.next() else {
            return AuthResult::Challenge(ChallengeReason::Missing);
        };
        if values.next().is_some() {
            return AuthResult::Malformed("there are several sets of credentials");
        }
        let (scheme, rest) = split(value);
        if self.settings.basic && scheme.eq_ignore_ascii_case(b"Basic") {
            wiping_stack::<STACK, _>(|| self.verify_basic(rest, now))
        } else if self.settings.digest && scheme.eq_ignore_ascii_case(b"Digest") {
            self.verify_digest(rest, request, now)
        } else {
            AuthResult::Challenge(ChallengeReason::NotOffered)
        }
    }

    /// Returns true if `request` has credentials that may answer a challenge of this realm. Basic
    /// credentials do not name their realm, so all of them may.
    #[must_use]
    pub fn recognizes(&self, request: &Request<'_>) -> bool {
        let AuthSettings { basic, digest, .. } = self.settings;
        request.fields.all(self.settings.side.credentials()).any(|value| {
            let (scheme, rest) = split(value);
            let realm = || digest::Credentials::parse(rest).ok().map(|sent| sent.realm);
            basic && scheme.eq_ignore_ascii_case(b"Basic")
                || digest
                    && scheme.eq_ignore_ascii_case(b"Digest")
                    && realm().as_deref() == Some(self.settings.realm.as_str())
        })
    }

    fn verify_basic(&mut self, token: &[u8], now: Now) -> AuthResult {
        let sent = match basic::Credentials::parse(token) {
            Ok(sent) => sent,
            Err(what) => return AuthResult::Malformed(what),
        };
        let Some((user, known)) = self.accounts.for_basic(&sent.user, &self.nobody) else {
            return AuthResult::Challenge(ChallengeReason::NotOffered);
        };
        let Some(hash) = user.hash() else {
            return verify_plain(user, known, &sent, self.accounts.realm());
        };
        let job = VerifyJob::new(hash, sent, known, &self.secret);
        match self.verdicts.get(&job.ticket(), now.mono) {
            Some(good) => verdict(job.done(good)),
            None => AuthResult::NeedsHashing(Box::new(job)),
        }
    }

    fn verify_digest(&mut self, params: &[u8], request: &Request<'_>, now: Now) -> AuthResult {
        match digest::Credentials::parse(params) {
            Ok(sent) => {
                let known = (&*self.accounts, &self.nobody);
                self.digest.verify(&sent, request, known, now.wall)
            }
            Err(what) => AuthResult::Malformed(what),
        }
    }

    /// Returns the result of a request whose job is done, and remembers it.
    pub fn finish_verification(&mut self, done: VerifyResult, now: Now) -> AuthResult {
        self.verdicts.put(&done, now.mono);
        verdict(done)
    }

    /// Returns the values of the fields [`Side::challenge`] for a response with this reason: one
    /// value a line, the best scheme first.
    #[must_use]
    pub fn challenges(&mut self, why: ChallengeReason, now: SystemTime) -> Vec<String> {
        let mut challenges = Vec::new();
        if self.settings.digest {
            challenges.extend(self.digest.challenges(&self.accounts, why.is_stale(), now));
        }
        if self.settings.basic && self.accounts.has_basic() {
            challenges.push(basic::challenge(self.accounts.realm()));
        }
        challenges
    }
}

/// Splits credentials into the scheme and the rest after white space (RFC 9110 §11.4).
fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
    (&value[..end], value[end..].trim_ascii())
}

/// Verifies the password against Digest entries, which takes no time.
fn verify_plain(user: &User, known: bool, sent: &basic::Credentials, realm: &Realm) -> AuthResult {
    let matches = |&of: &digest::Algorithm| {
        user.ha1(realm, of).map(|ha1| of.matches(ha1, &sent.user, realm, &sent.password))
    };
    let good = digest::Algorithm::ALL.iter().find_map(matches).unwrap_or(false);
    if good && known {
        AuthResult::Accepted(Accepted { user: user.name.clone(), info: None })
    } else {
        AuthResult::Challenge(ChallengeReason::Wrong)
    }
}

fn verdict(done: VerifyResult) -> AuthResult {
    if done.good {
        AuthResult::Accepted(Accepted { user: done.user, info: None })
    } else {
        AuthResult::Challenge(ChallengeReason::Wrong)
    }
}
