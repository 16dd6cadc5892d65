//! Passwords that are being verified, and who waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::auth::{VerifyId, VerifyJob, client_network};
use crate::proxy::environment::PasswordVerifier;
use crate::reactor::Token;
use crate::shares::Shares;

#[derive(Debug, Default)]
pub(super) struct PendingVerifications {
    asked: BTreeMap<VerifyId, Asked>,
    /// Places of those who have asked first.
    shares: Shares<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Asked {
    /// Which authenticator wants to know.
    pub(super) space: u64,
    /// Who has asked first.
    network: IpAddr,
    pub(super) waiting: BTreeSet<Token>,
}

impl PendingVerifications {
    /// Has `job` run, unless that is under way, and has `client` wait for it; whether that can be.
    ///
    /// No more than `most` are verified at a time. Clients [share](crate::shares) these places, and
    /// the first job of each comes before the further jobs of any: a client that guesses neither keeps
    /// another client out nor holds it up.
    pub(super) fn ask(
        &mut self,
        job: VerifyJob,
        space: u64,
        client: (IpAddr, Token),
        verifier: &mut dyn PasswordVerifier,
        most: usize,
    ) -> bool {
        let (network, token) = (client_network(client.0), client.1);
        let ticket = job.ticket();
        if let Some(asked) = self.asked.get_mut(&ticket) {
            asked.waiting.insert(token);
            return true;
        }
        let others = self.shares.held(&network);
        if !self.shares.take(Some(network), most) {
            return false;
        }
        if !verifier.ask(job, others) {
            self.shares.release(Some(&network));
            return false;
        }
        self.asked.insert(ticket, Asked { space, network, waiting: BTreeSet::from([token]) });
        true
    }

    /// What was asked has been answered.
    pub(super) fn answered(&mut self, ticket: &VerifyId) -> Option<Asked> {
        let asked = self.asked.remove(ticket)?;
        self.shares.release(Some(&asked.network));
        Some(asked)
    }

    /// `client` does not wait any more. The password is verified all the same.
    pub(super) fn leave(&mut self, ticket: &VerifyId, client: Token) {
        if let Some(asked) = self.asked.get_mut(ticket) {
            asked.waiting.remove(&client);
        }
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// All who wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Token> {
        self.asked.values().flat_map(|asked| asked.waiting.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::auth::{
        AuthResult, AuthSettings, Authenticator, RealmUsers, Request, Secret, Side, Users,
    };
    use crate::http::Fields;
    use crate::reactor::{Arena, Clock, Driven, VirtualClock};

    /// Records how many jobs the client of each job had already.
    #[derive(Debug, Default)]
    struct Ranks(Vec<usize>);

    impl PasswordVerifier for Ranks {
        fn ask(&mut self, _: VerifyJob, others: usize) -> bool {
            self.0.push(others);
            true
        }
    }

    struct Waiter;

    impl Driven for Waiter {
        const KIND: u8 = 1;
    }

    /// Makes a job of each password.
    fn jobs() -> impl FnMut(&str) -> VerifyJob {
        let settings = AuthSettings::new(Side::Proxy, "a realm".parse().unwrap());
        let mut users = Users::default();
        let line = b"alice:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
        users.read("users", line).unwrap();
        let accounts = Arc::new(RealmUsers::new(users, &settings));
        let mut authenticator = Authenticator::new(settings, accounts, &Secret::new([7; 32]));
        let clock = VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1 << 30));
        move |password| {
            let credentials = STANDARD.encode(format!("alice:{password}"));
            let mut fields = Fields::default();
            fields.push(b"Proxy-Authorization", format!("Basic {credentials}").as_bytes());
            let request = Request { method: "GET", target: "/", fields: &fields };
            match authenticator.verify(&request, clock.now()) {
                AuthResult::NeedsHashing(job) => *job,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn first_password_of_a_client_comes_before_further_ones_of_others() {
        let (mut hashing, mut ranks, mut job) =
            (PendingVerifications::default(), Ranks::default(), jobs());
        let token = Arena::new().insert(Waiter).token();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut ask = |client, job| hashing.ask(job, 0, (client, token), &mut ranks, 8);
        let first = job("1");
        let ticket = first.ticket();
        assert!(
            ask(one, first) && ask(one, job("2")) && ask(one, job("3")) && ask(other, job("4"))
        );
        assert!(ask(one, job("2")), "the same question takes no place");
        hashing.answered(&ticket);
        assert!(hashing.ask(job("5"), 0, (one, token), &mut ranks, 8));
        assert_eq!(ranks.0, [0, 1, 2, 0, 2]);
    }
}
