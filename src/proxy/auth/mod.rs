//! Who is let in: what is known of users, of those who guess, and of passwords being verified.

mod secrets;
mod verification;

use std::net::IpAddr;

use crate::auth::{
    self, Accepted, Authenticator, Done, Failure, FailureLimit, Failures, PathPrefix, Place,
    Request, Side, Ticket, Verdict, Why, place,
};
use crate::http::RequestHead;
use crate::proxy::environment::Hasher;
use crate::proxy::error::{ExchangeError, Unserved};
use crate::proxy::settings::auth::{AuthRules, ProtectionSpace};
use crate::reactor::{Token, Wake};
use crate::time::Now;

pub(super) use secrets::Secrets;
use verification::Hashing;

/// The path that is asked for, by which it is known who has to say who they are.
pub(crate) fn path_of(request: &RequestHead) -> &str {
    request.path_and_query().split('?').next().unwrap_or_default()
}

/// Where users are recognized.
#[derive(Debug)]
pub(super) struct Door {
    spaces: Vec<Space>,
    /// Where the spaces are, in their order.
    paths: Vec<PathPrefix>,
    ban: FailureLimit,
    failures: Failures,
    hashing: Hashing,
    /// How many authenticators there were.
    made: u64,
}

/// A protection space, and what is known of its users.
#[derive(Debug)]
struct Space {
    path: PathPrefix,
    settings: auth::Settings,
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
pub(super) enum Knock {
    /// Nobody is asked here; whether the credentials are for another part of this server.
    Open {
        ours: bool,
    },
    In(Accepted),
    /// A password is being verified; a wake comes.
    Wait(Ticket),
    Out(ExchangeError),
    /// The credentials were wrong.
    Wrong(ExchangeError, Option<Failure>),
}

impl Door {
    pub(super) fn new(rules: AuthRules, secrets: &mut Secrets) -> Self {
        let mut door = Self {
            spaces: Vec::new(),
            paths: Vec::new(),
            ban: rules.ban,
            failures: Failures::new(rules.ban, &secrets.draw()),
            hashing: Hashing::default(),
            made: 0,
        };
        door.reload(rules, secrets);
        door
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
    pub(super) fn admits(&self, user: Option<&str>, path: &str) -> Result<(), ExchangeError> {
        let why = match (place(path, &self.paths), user) {
            (Place::Nowhere, _) => return Ok(()),
            (Place::Ambiguous, _) => {
                return Err(ExchangeError::Unserved(Unserved::AmbiguousPath));
            }
            (Place::Below(_), None) => Why::Missing,
            (Place::Below(at), Some(user)) if self.spaces[at].authenticator.knows(user) => {
                return Ok(());
            }
            (Place::Below(_), Some(_)) => Why::Wrong,
        };
        Err(ExchangeError::WhoIsThere { side: self.side(), why, challenges: Vec::new() })
    }

    /// Whether there is a user of that name among those who are asked for at `path`; where nobody is
    /// asked for, anywhere.
    pub(super) fn knows(&self, user: &str, path: &str) -> bool {
        match place(path, &self.paths) {
            Place::Below(at) => self.spaces[at].authenticator.knows(user),
            Place::Nowhere | Place::Ambiguous => {
                self.spaces.iter().any(|space| space.authenticator.knows(user))
            }
        }
    }

    /// Judges a request for `path` of `client`, which is woken as `token` if that takes a while. No
    /// more than `most` passwords are verified at a time.
    pub(super) fn knock(
        &mut self,
        request: &Request<'_>,
        path: &str,
        client: (IpAddr, Token),
        now: Now,
        hasher: &mut dyn Hasher,
        most: usize,
    ) -> Knock {
        let space = match place(path, &self.paths) {
            Place::Below(at) => &mut self.spaces[at],
            Place::Nowhere => return Knock::Open { ours: self.claims(request) },
            Place::Ambiguous => {
                return Knock::Out(ExchangeError::Unserved(Unserved::AmbiguousPath));
            }
        };
        if let Some(left) = self.failures.refused(client.0, now.mono) {
            return Knock::Out(ExchangeError::GuessedTooOften(left));
        }
        match space.authenticator.verify(request, now) {
            Verdict::Accepted(accepted) => Knock::In(accepted),
            Verdict::Malformed(what) => Knock::Out(ExchangeError::BadCredentials(what)),
            Verdict::Misdirected => Knock::Out(ExchangeError::MisdirectedCredentials),
            Verdict::NeedsHashing(job) => {
                let ticket = job.ticket();
                match self.hashing.ask(*job, space.number, client, hasher, most) {
                    true => Knock::Wait(ticket),
                    false => Knock::Out(ExchangeError::Overloaded),
                }
            }
            Verdict::Challenge(why) => {
                let challenges = space.authenticator.challenges(why, now.wall);
                let side = space.settings.side;
                let error = ExchangeError::WhoIsThere { side, why, challenges };
                if why.is_failure() {
                    Knock::Wrong(error, self.failures.add(client.0, now.mono))
                } else {
                    Knock::Out(error)
                }
            }
        }
    }

    /// Whether the credentials of `request` may be an answer to a challenge that was made here.
    /// Clients send those along to paths that nobody has protected (RFC 7617 §2.2).
    fn claims(&self, request: &Request<'_>) -> bool {
        self.spaces.iter().any(|space| space.authenticator.claims(request))
    }

    /// Whose credentials are looked at.
    pub(super) fn side(&self) -> Side {
        self.spaces.first().map_or(Side::Proxy, |space| space.settings.side)
    }

    /// A password has been verified: it is remembered what came of it, and who waits asks again.
    pub(super) fn hashed(&mut self, done: Done, now: Now, wake: &mut impl Wake) {
        let Some(asked) = self.hashing.answered(&done.ticket()) else { return };
        if let Some(space) = self.spaces.iter_mut().find(|space| space.number == asked.space) {
            let _ = space.authenticator.conclude(done, now);
        }
        asked.waiting.into_iter().for_each(|token| wake.wake(token));
    }

    /// A client does not wait for its password any more.
    pub(super) fn leave(&mut self, ticket: &Ticket, client: Token) {
        self.hashing.leave(ticket, client);
    }

    /// Nobody is asked any more, nor waits.
    pub(super) fn open_to_all(&self, wake: &mut impl Wake) {
        self.hashing.waiting().for_each(|token| wake.wake(token));
    }

    /// How many passwords are being verified.
    pub(super) fn hashing(&self) -> usize {
        self.hashing.len()
    }

    /// All who wait for a password.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Token> {
        self.hashing.waiting()
    }
}
