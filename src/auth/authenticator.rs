//! All of it together: a request in, a verdict out.

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

/// Bytes of the stack in which looking at a password may leave copies.
const STACK: usize = 4 * 1024;

/// Recognizes users by their credentials.
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
    /// Recognizes the users of `accounts`, which were made for the same settings. What it makes and
    /// remembers is bound to `secret`, side and realm. Of two with the same secret neither knows which
    /// nonces the other has seen used.
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

    /// Recognizes other users from now on, in constant time. Nonces stay good; of verdicts only
    /// those count that are about hashes that are still there.
    pub fn replace_accounts(&mut self, accounts: Arc<RealmUsers>) {
        self.accounts = accounts;
    }

    /// Whose door it is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.settings.side
    }

    /// Whether there is a user of that name.
    #[must_use]
    pub fn knows(&self, user: &str) -> bool {
        self.accounts.has(user)
    }

    /// Judges the credentials of `request`.
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

    /// Whether `request` has credentials that may be an answer to a challenge of this realm: of Basic,
    /// which does not say for which one they are, all.
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

    /// What comes of a request whose job is done. It is remembered.
    pub fn finish_verification(&mut self, done: VerifyResult, now: Now) -> AuthResult {
        self.verdicts.put(&done, now.mono);
        verdict(done)
    }

    /// The values of the fields [`Side::challenge`] of a response that says `why`, a line each, the
    /// best scheme first.
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

/// The scheme, and what follows it after white space (RFC 9110 §11.4).
fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
    (&value[..end], value[end..].trim_ascii())
}

/// Judges by a line of Digest, which takes no time.
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
