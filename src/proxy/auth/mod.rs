//! Who is let in: what is known of users, of those who guess, and of passwords being verified.

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

/// The path that is asked for, by which it is known who has to say who they are.
pub(crate) fn path_of(request: &RequestHead) -> &str {
    request.path_and_query().split('?').next().unwrap_or_default()
}

/// Where users are recognized.
#[derive(Debug)]
pub(super) struct Authentication {
    spaces: Vec<Space>,
    /// Where the spaces are, in their order.
    paths: Vec<PathPrefix>,
    ban: FailureLimit,
    failures: Failures,
    hashing: PendingVerifications,
    /// How many authenticators there were.
    made: u64,
}

/// A protection space, and what is known of its users.
#[derive(Debug)]
struct Space {
    path: PathPrefix,
    settings: auth::AuthSettings,
    authenticator: Authenticator,
    /// Tells the authenticator from others, also those that were before it.
    number: u64,
}

/// State that other rules have put an end to.
#[derive(Debug)]
pub(super) struct Replaced {
    _spaces: Vec<Space>,
    _failures: Option<Failures>,
}

/// What comes of somebody at the door.
pub(super) enum AuthOutcome {
    /// Nobody is asked here; whether the credentials are for another part of this server.
    NotRequired {
        ours: bool,
    },
    Authenticated(Accepted),
    /// A password is being verified; a wake comes.
    Pending(VerifyId),
    Rejected(ExchangeError),
    /// The credentials were wrong.
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

    /// Goes by other rules. Keeps the state of nonces and failures that still applies; returns the rest,
    /// to be freed where that may take its time.
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

    /// Whether somebody may ask for `path` who was recognized as `user`, or as nobody, perhaps by other
    /// rules than those that hold now.
    ///
    /// # Errors
    /// What one is told who may not.
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

    /// Whether there is a user of that name among those who are asked for at `path`; where nobody is
    /// asked for, anywhere.
    pub(super) fn knows(&self, user: &str, path: &str) -> bool {
        match match_path(path, &self.paths) {
            PathMatch::Below(at) => self.spaces[at].authenticator.knows(user),
            PathMatch::Nowhere | PathMatch::Ambiguous => {
                self.spaces.iter().any(|space| space.authenticator.knows(user))
            }
        }
    }

    /// Judges a request for `path` of `client`, which is woken as `token` if that takes a while. No
    /// more than `most` passwords are verified at a time.
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

    /// Whether the credentials of `request` may be an answer to a challenge that was made here.
    /// Clients send those along to paths that nobody has protected (RFC 7617 §2.2).
    fn claims(&self, request: &Request<'_>) -> bool {
        self.spaces.iter().any(|space| space.authenticator.recognizes(request))
    }

    /// Whose credentials are looked at.
    pub(super) fn side(&self) -> Side {
        self.spaces.first().map_or(Side::Proxy, |space| space.settings.side)
    }

    /// A password has been verified: it is remembered what came of it, and who waits asks again.
    pub(super) fn verification_done(&mut self, done: VerifyResult, now: Now, wake: &mut impl Wake) {
        let Some(asked) = self.hashing.answered(&done.ticket()) else { return };
        if let Some(space) = self.spaces.iter_mut().find(|space| space.number == asked.space) {
            let _ = space.authenticator.finish_verification(done, now);
        }
        asked.waiting.into_iter().for_each(|token| wake.wake(token));
    }

    /// A client does not wait for its password any more.
    pub(super) fn leave(&mut self, ticket: &VerifyId, client: Token) {
        self.hashing.leave(ticket, client);
    }

    /// Nobody is asked any more, nor waits.
    pub(super) fn disable(&self, wake: &mut impl Wake) {
        self.hashing.waiting().for_each(|token| wake.wake(token));
    }

    /// How many passwords are being verified.
    pub(super) fn pending(&self) -> usize {
        self.hashing.len()
    }

    /// All who wait for a password.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Token> {
        self.hashing.waiting()
    }
}
