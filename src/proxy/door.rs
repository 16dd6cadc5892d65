//! Who is let in: what is known of users, of those who guess, and of passwords being verified.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::auth::{self, Authenticator, Done, FailureLimit, Failures, Job, Secret, Ticket, Users};
use crate::auth::{Accepted, Request, Verdict, Why};
use crate::reactor::{Token, Wake};
use crate::time::Now;

use super::error::ExchangeError;
use super::surroundings::Hasher;

/// Whom a proxy lets in, and how it recognizes them.
#[derive(Clone, Debug)]
pub struct AuthRules {
    /// How they are recognized.
    pub settings: auth::Settings,
    /// Who they are.
    pub users: Users,
    /// How often a client may be wrong.
    pub ban: FailureLimit,
}

/// Where users are recognized.
#[derive(Debug)]
pub(super) struct Door {
    settings: auth::Settings,
    ban: FailureLimit,
    authenticator: Authenticator,
    failures: Failures,
    /// Passwords that are being verified, and who waits for that.
    asked: BTreeMap<Ticket, BTreeSet<Token>>,
}

/// What comes of somebody at the door.
pub(super) enum Knock {
    In(Accepted),
    /// A password is being verified; a wake comes.
    Wait,
    Out(ExchangeError),
}

impl Door {
    pub(super) fn new(rules: AuthRules, secrets: &mut Secrets) -> Self {
        let AuthRules { settings, users, ban } = rules;
        let secret = secrets.draw();
        Self {
            authenticator: Authenticator::new(settings.clone(), users, &secret),
            failures: Failures::new(ban, &secret),
            asked: BTreeMap::new(),
            settings,
            ban,
        }
    }

    /// Goes by other rules. What is known of nonces and of those who guess is kept if it can be.
    pub(super) fn reload(&mut self, rules: AuthRules, secrets: &mut Secrets) {
        if rules.settings == self.settings {
            self.authenticator.replace_users(rules.users);
        } else {
            let secret = secrets.draw();
            self.authenticator = Authenticator::new(rules.settings.clone(), rules.users, &secret);
            self.settings = rules.settings;
        }
        if rules.ban != self.ban {
            self.failures = Failures::new(rules.ban, &secrets.draw());
            self.ban = rules.ban;
        }
    }

    pub(super) const fn side(&self) -> auth::Side {
        self.settings.side
    }

    /// What somebody is told who does not say who it is.
    pub(super) fn stranger(&self) -> ExchangeError {
        ExchangeError::WhoIsThere { side: self.side(), why: Why::Missing, challenges: Vec::new() }
    }

    /// Judges a request of `client`, which is woken as `token` if that takes a while. No more than
    /// `most` passwords are verified at a time.
    pub(super) fn knock(
        &mut self,
        request: &Request<'_>,
        client: (IpAddr, Token),
        now: Now,
        hasher: &mut dyn Hasher,
        most: usize,
    ) -> Knock {
        let (address, token) = client;
        if let Some(left) = self.failures.refused(address, now.mono) {
            return Knock::Out(ExchangeError::GuessedTooOften(left));
        }
        match self.authenticator.verify(request, now) {
            Verdict::Accepted(accepted) => Knock::In(accepted),
            Verdict::Malformed(what) => Knock::Out(ExchangeError::BadCredentials(what)),
            Verdict::NeedsHashing(job) => self.wait_for(*job, token, hasher, most),
            Verdict::Challenge(why) => {
                if why.is_failure() {
                    self.failures.add(address, now.mono);
                }
                let challenges = self.authenticator.challenges(why, now.wall);
                Knock::Out(ExchangeError::WhoIsThere { side: self.side(), why, challenges })
            }
        }
    }

    fn wait_for(&mut self, job: Job, token: Token, hasher: &mut dyn Hasher, most: usize) -> Knock {
        let ticket = job.ticket();
        if let Some(waiting) = self.asked.get_mut(&ticket) {
            waiting.insert(token);
            return Knock::Wait;
        }
        if self.asked.len() >= most || !hasher.ask(job) {
            return Knock::Out(ExchangeError::Overloaded);
        }
        self.asked.insert(ticket, BTreeSet::from([token]));
        Knock::Wait
    }

    /// A password has been verified: it is remembered what came of it, and who waits asks again.
    pub(super) fn hashed(&mut self, done: Done, now: Now, wake: &mut impl Wake) {
        let waiting = self.asked.remove(&done.ticket()).unwrap_or_default();
        let _ = self.authenticator.conclude(done, now);
        waiting.into_iter().for_each(|token| wake.wake(token));
    }

    /// Nobody is asked any more, nor waits.
    pub(super) fn open_to_all(self, wake: &mut impl Wake) {
        self.asked.into_values().flatten().for_each(|token| wake.wake(token));
    }
}

/// Draws secrets from numbers that nobody outside can know: another one each time, as of two
/// authenticators with the same neither would know which nonces the other has seen used.
#[derive(Debug)]
pub(super) struct Secrets {
    keys: [u64; 2],
    drawn: u64,
}

impl Secrets {
    pub(super) const fn new(keys: [u64; 2]) -> Self {
        Self { keys, drawn: 0 }
    }

    fn draw(&mut self) -> Secret {
        self.drawn += 1;
        let mut bytes = [0; 32];
        for (bytes, part) in bytes.chunks_exact_mut(8).zip([self.keys[0], self.keys[1], self.drawn])
        {
            bytes.copy_from_slice(&part.to_be_bytes());
        }
        Secret::new(bytes)
    }
}
