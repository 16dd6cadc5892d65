//! Authentication of clients: protection spaces, failed attempts, and passwords being verified.

mod secrets;
mod verification;

use std::net::IpAddr;

use crate::auth::{
    self, Accepted, AuthResult, Authenticator, ChallengeReason, Failure, FailureLimit, Failures,
    PathMatch, PathPrefix, Request, Side, VerifyId, VerifyResult, match_path,
};
use crate::http::RequestHead;
use crate::proxy::environment::PasswordVerifier;
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::settings::auth::{AuthRules, ProtectionSpace};
use crate::reactor::{Token, Wake};
use crate::time::Now;

pub(super) use secrets::Secrets;
use verification::PendingVerifications;

/// Returns the path of the request, without the query: it selects the protection space.
pub(crate) fn path_of(request: &RequestHead) -> &str {
    request.path_and_query().split('?').next().unwrap_or_default()
}

/// The protection spaces of a proxy, and the state of authentication.
#[derive(Debug)]
pub(super) struct Authentication {
    spaces: Vec<Space>,
    /// Paths of the spaces, in the order of `spaces`.
    paths: Vec<PathPrefix>,
    ban: FailureLimit,
    failures: Failures,
    hashing: PendingVerifications,
    /// Authenticators created so far.
    made: u64,
}

/// A protection space, with the state of its users.
#[derive(Debug)]
struct Space {
    path: PathPrefix,
    settings: auth::AuthSettings,
    authenticator: Authenticator,
    /// Serial number of the authenticator: a verification that ends after a reload finds no other.
    number: u64,
}

/// State that a reload has replaced, to be freed off the loop.
#[derive(Debug)]
pub(super) struct Replaced {
    _spaces: Vec<Space>,
    _failures: Option<Failures>,
}

/// Result of authenticating one request.
pub(super) enum AuthOutcome {
    /// The path is not protected. `ours` is true if the credentials may belong to another
    /// protection space of this proxy.
    NotRequired {
        ours: bool,
    },
    Authenticated(Accepted),
    /// The password is being verified; the client is woken when that is done.
    Pending(VerifyId),
    Rejected(ExchangeError),
    /// The password is wrong or the user unknown; the failure was counted.
    BadCredentials(ExchangeError, Option<Failure>),
}

impl Authentication {
    pub(super) fn new(rules: AuthRules, secrets: &mut Secrets) -> Self {
        let mut authentication = Self {
            spaces: Vec::new(),
            paths: Vec::new(),
            ban: rules.ban,
            failures: Failures::new(rules.ban, &secrets.draw()),
            hashing: PendingVerifications::default(),
            made: 0,
        };
        authentication.reload(rules, secrets);
        authentication
    }

    /// Applies new rules. Keeps the nonces of spaces whose path and settings are unchanged, and the
    /// failures if the ban is; returns the replaced state, which may take long to free.
    pub(super) fn reload(&mut self, rules: AuthRules, secrets: &mut Secrets) -> Replaced {
        let mut old = std::mem::take(&mut self.spaces);
        self.paths = rules.spaces.iter().map(|space| space.path.clone()).collect();
        for ProtectionSpace { path, settings, accounts } in rules.spaces {
            let same = |old: &Space| (&old.path, &old.settings) == (&path, &settings);
            let space = if let Some(at) = old.iter().position(same) {
                let mut space = old.swap_remove(at);
                space.authenticator.replace_accounts(accounts);
                space
            } else {
                self.made += 1;
                let authenticator = Authenticator::new(settings.clone(), accounts, &secrets.draw());
                Space { path, settings, authenticator, number: self.made }
            };
            self.spaces.push(space);
        }
        let failures = (rules.ban != self.ban).then(|| {
            self.ban = rules.ban;
            let failures = Failures::new(rules.ban, &secrets.draw());
            std::mem::replace(&mut self.failures, failures)
        });
        Replaced { _spaces: old, _failures: failures }
    }

    /// Checks that `user`, or an unauthenticated client, may use `path`. The user may have been
    /// authenticated under earlier rules.
    ///
    /// # Errors
    /// Returns the refusal, without challenges.
    pub(super) fn check_user(&self, user: Option<&str>, path: &str) -> Result<(), ExchangeError> {
        let why = match (match_path(path, &self.paths), user) {
            (PathMatch::Nowhere, _) => return Ok(()),
            (PathMatch::Ambiguous, _) => {
                return Err(ExchangeError::NotSupported(NotSupported::AmbiguousPath));
            }
            (PathMatch::Below(_), None) => ChallengeReason::Missing,
            (PathMatch::Below(at), Some(user)) if self.spaces[at].authenticator.knows(user) => {
                return Ok(());
            }
            (PathMatch::Below(_), Some(_)) => ChallengeReason::Wrong,
        };
        Err(ExchangeError::AuthenticationRequired {
            side: self.side(),
            why,
            challenges: Vec::new(),
        })
    }

    /// Returns true if `user` is known in the protection space of `path`; for an unprotected path,
    /// in any space.
    pub(super) fn knows(&self, user: &str, path: &str) -> bool {
        match match_path(path, &self.paths) {
            PathMatch::Below(at) => self.spaces[at].authenticator.knows(user),
            PathMatch::Nowhere | PathMatch::Ambiguous => {
                self.spaces.iter().any(|space| space.authenticator.knows(user))
            }
        }
    }

    /// Authenticates a request for `path`. `client` is the address to which failures are charged,
    /// and the token to wake once a password is verified. At most `most` passwords are verified at
    /// a time.
    pub(super) fn authenticate(
        &mut self,
        request: &Request<'_>,
        path: &str,
        client: (IpAddr, Token),
        now: Now,
        verifier: &mut dyn PasswordVerifier,
        most: usize,
    ) -> AuthOutcome {
        let space = match match_path(path, &self.paths) {
            PathMatch::Below(at) => &mut self.spaces[at],
            PathMatch::Nowhere => return AuthOutcome::NotRequired { ours: self.claims(request) },
            PathMatch::Ambiguous => {
                return AuthOutcome::Rejected(ExchangeError::NotSupported(
                    NotSupported::AmbiguousPath,
                ));
            }
        };
        if let Some(left) = self.failures.refused(client.0, now.mono) {
            return AuthOutcome::Rejected(ExchangeError::TooManyFailures(left));
        }
        match space.authenticator.verify(request, now) {
            AuthResult::Accepted(accepted) => AuthOutcome::Authenticated(accepted),
            AuthResult::Malformed(what) => {
                AuthOutcome::Rejected(ExchangeError::BadCredentials(what))
            }
            AuthResult::Misdirected => AuthOutcome::Rejected(ExchangeError::MisdirectedCredentials),
            AuthResult::NeedsHashing(job) => {
                let ticket = job.ticket();
                match self.hashing.ask(*job, space.number, client, verifier, most) {
                    true => AuthOutcome::Pending(ticket),
                    false => AuthOutcome::Rejected(ExchangeError::Overloaded),
                }
            }
            AuthResult::Challenge(why) => {
                let challenges = space.authenticator.challenges(why, now.wall);
                let side = space.settings.side;
                let error = ExchangeError::AuthenticationRequired { side, why, challenges };
                if why.is_failure() {
                    AuthOutcome::BadCredentials(error, self.failures.add(client.0, now.mono))
                } else {
                    AuthOutcome::Rejected(error)
                }
            }
        }
    }

    /// Returns true if the credentials of `request` may answer a challenge of this proxy. Clients
    /// send such credentials to unprotected paths, too (RFC 7617 §2.2).
    fn claims(&self, request: &Request<'_>) -> bool {
        self.spaces.iter().any(|space| space.authenticator.recognizes(request))
    }

    /// Returns the side whose credential fields are read.
    pub(super) fn side(&self) -> Side {
        self.spaces.first().map_or(Side::Proxy, |space| space.settings.side)
    }

    /// Returns true if clients wait for the result of a verification.
    pub(super) fn awaits(&self, ticket: &VerifyId) -> bool {
        self.hashing.contains(ticket)
    }

    /// Records the result of a verification, and wakes the clients that wait for it: they
    /// authenticate again.
    pub(super) fn verification_done(&mut self, done: VerifyResult, now: Now, wake: &mut impl Wake) {
        let Some(asked) = self.hashing.answered(&done.ticket()) else { return };
        if let Some(space) = self.spaces.iter_mut().find(|space| space.number == asked.space) {
            let _ = space.authenticator.finish_verification(done, now);
        }
        asked.waiting.into_iter().for_each(|token| wake.wake(token));
    }

    /// Stops waiting for a verification on behalf of `client`.
    pub(super) fn leave(&mut self, ticket: &VerifyId, client: Token) {
        self.hashing.leave(ticket, client);
    }

    /// Wakes all waiting clients: authentication is no longer required.
    pub(super) fn disable(&self, wake: &mut impl Wake) {
        self.hashing.waiting().for_each(|token| wake.wake(token));
    }

    /// Returns the number of passwords being verified.
    pub(super) fn pending(&self) -> usize {
        self.hashing.len()
    }

    /// Returns the clients that wait for a verification.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Token> {
        self.hashing.waiting()
    }
}
