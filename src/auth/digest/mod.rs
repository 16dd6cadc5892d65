//! Scheme `Digest` (RFC 7616): the password is never sent, and credentials are valid once.
//!
//! The only quality of protection supported is `auth`; `auth-int` would need the whole content
//! before anything can be answered. Credentials without a quality of protection, as in RFC 2069,
//! are malformed, because they can be replayed.

mod challenge;
pub(super) mod credentials;
pub(super) mod extended;
mod nonce;
mod uri;
mod window;

use std::time::SystemTime;

use crate::auth::auth_result::{Accepted, AuthResult, ChallengeReason, Request};
use crate::auth::realm_users::{AccountMatch, Decoy, RealmUsers};
use crate::auth::secret::{Secret, same};
use crate::auth::settings::AuthSettings;

pub use crate::auth::algorithm::Algorithm;

pub use crate::auth::username::Named;
use challenge::Space;
pub use credentials::Credentials;
use nonce::Nonces;

/// Protection space of Digest.
#[derive(Debug)]
pub(super) struct Digest {
    space: Space,
    nonces: Nonces,
}

impl Digest {
    pub(super) fn new(settings: &AuthSettings, secret: &Secret) -> Self {
        let AuthSettings { realm, domain, userhash, nonce_lifetime, .. } = settings;
        Self {
            space: Space { realm: realm.clone(), domain: domain.join(" "), userhash: *userhash },
            nonces: Nonces::new(secret.clone(), *nonce_lifetime),
        }
    }

    /// Returns the challenges of one response, the best algorithm first. Only algorithms that all
    /// Digest users have an entry for are offered.
    pub(super) fn challenges(
        &mut self,
        accounts: &RealmUsers,
        stale: bool,
        now: SystemTime,
    ) -> impl Iterator<Item = String> {
        let nonce = self.nonces.make(now);
        let space = &self.space;
        accounts.algorithms().map(move |algorithm| space.challenge(algorithm, &nonce, stale))
    }

    /// Verifies the credentials `sent` with `request`.
    ///
    /// Only a client that knows the password is told that a nonce is stale or was used: any other
    /// client would learn from that whether a guess was right (RFC 7616 §3.3).
    pub(super) fn verify(
        &mut self,
        sent: &Credentials,
        request: &Request<'_>,
        (accounts, nobody): (&RealmUsers, &Decoy),
        now: SystemTime,
    ) -> AuthResult {
        if !uri::means(&sent.uri, request.target) {
            return AuthResult::Misdirected;
        }
        let Some(algorithm) = self.offered(sent, accounts) else {
            return AuthResult::Challenge(ChallengeReason::NotOffered);
        };
        let (whose, ha1) = accounts.for_digest(&sent.user, algorithm, nobody);
        let [expected, proof] = algorithm.responses(ha1, request.method, sent);
        let right = same(sent.response.as_bytes(), expected.as_bytes());
        let user = match whose {
            AccountMatch::Users(user) if right => user,
            AccountMatch::WithoutEntry => return AuthResult::Challenge(ChallengeReason::NoEntry),
            AccountMatch::Users(_) | AccountMatch::Decoy => {
                return AuthResult::Challenge(ChallengeReason::Wrong);
            }
        };
        match self.nonces.fresh(&sent.nonce, now) {
            None if self.nonces.is_known(&sent.nonce) => {
                AuthResult::Challenge(ChallengeReason::Stale)
            }
            None => AuthResult::Challenge(ChallengeReason::Unknown),
            Some(stamp) if !self.nonces.take(stamp, sent.count()) => {
                AuthResult::Challenge(ChallengeReason::Replayed)
            }
            Some(stamp) => {
                let next = self.nonces.is_ending(stamp, now).then(|| self.nonces.make(now));
                let info = challenge::info(&proof, sent, next.as_deref());
                AuthResult::Accepted(Accepted { user: user.name.clone(), info: Some(info) })
            }
        }
    }

    /// Returns the algorithm of the credentials, if they may answer a challenge that was made here.
    fn offered(&self, sent: &Credentials, accounts: &RealmUsers) -> Option<Algorithm> {
        let of = sent.algorithm.as_deref().map_or(Some(Algorithm::Md5), Algorithm::from_name)?;
        let hidden = matches!(sent.user, Named::Hashed(_));
        let offered = sent.realm == self.space.realm.as_str()
            && sent.qop.eq_ignore_ascii_case("auth")
            && accounts.algorithms().any(|other| other == of)
            && (self.space.userhash || !hidden);
        offered.then_some(of)
    }
}
