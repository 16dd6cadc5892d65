//! Passwords being verified, and the clients that wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::auth::{VerifyId, VerifyJob, client_network};
use crate::proxy::environment::PasswordVerifier;
use crate::reactor::Token;
use crate::shares::Shares;

#[derive(Debug, Default)]
pub(super) struct PendingVerifications {
    asked: BTreeMap<VerifyId, Asked>,
    /// Places in use, by the network whose client asked first.
    shares: Shares<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Asked {
    /// Serial number of the authenticator that gets the result.
    pub(super) space: u64,
    /// The network of the client that asked first, which holds the place.
    network: IpAddr,
    pub(super) waiting: BTreeSet<Token>,
}

impl PendingVerifications {
    /// Runs `job`, unless the same password is being verified already, and registers `client` to be
    /// woken. Returns false if there is no place for it.
    ///
    /// At most `most` jobs run or wait for a thread. Clients [share](crate::shares) these places,
    /// and the first job of a client runs before the further jobs of any: a client that guesses
    /// passwords neither excludes nor delays another one.
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

    /// Removes a finished job, and frees its place.
    pub(super) fn answered(&mut self, ticket: &VerifyId) -> Option<Asked> {
        let asked = self.asked.remove(ticket)?;
        self.shares.release(Some(&asked.network));
        Some(asked)
    }

    /// Forgets that `client` waits. The job runs to its end, so that its result can be remembered.
    pub(super) fn leave(&mut self, ticket: &VerifyId, client: Token) {
        if let Some(asked) = self.asked.get_mut(ticket) {
            asked.waiting.remove(&client);
        }
    }

    /// Returns true if a job is in progress.
    pub(super) fn contains(&self, ticket: &VerifyId) -> bool {
        self.asked.contains_key(ticket)
    }

    /// Returns the number of jobs in progress.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Returns the waiting clients.
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

    /// Records, for each job, how many others its client had in progress.
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

    /// Returns a function that makes the job to verify a password.
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
    fn first_password_of_a_client_precedes_further_ones_of_others() {
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
        assert!(ask(one, job("2")), "a password being verified takes no second place");
        hashing.answered(&ticket);
        assert!(hashing.ask(job("5"), 0, (one, token), &mut ranks, 8));
        assert_eq!(ranks.0, [0, 1, 2, 0, 2]);
    }
}
