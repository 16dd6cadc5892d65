//! Passwords that are being verified, and who waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::auth::{Job, Ticket, client_network};
use crate::reactor::Token;

use super::super::surroundings::Hasher;

#[derive(Debug, Default)]
pub(super) struct Hashing {
    asked: BTreeMap<Ticket, Asked>,
}

#[derive(Debug)]
pub(super) struct Asked {
    /// Which authenticator wants to know.
    pub(super) space: u64,
    /// Who has asked first.
    network: IpAddr,
    pub(super) waiting: BTreeSet<Token>,
}

impl Hashing {
    /// Has `job` run, unless that is under way, and has `client` wait for it; whether that can be.
    ///
    /// No more than `most` are verified at a time, and of one client's no more than half of that:
    /// who guesses must not keep others out.
    pub(super) fn ask(
        &mut self,
        job: Job,
        space: u64,
        client: (IpAddr, Token),
        hasher: &mut dyn Hasher,
        most: usize,
    ) -> bool {
        let (network, token) = (client_network(client.0), client.1);
        let ticket = job.ticket();
        if let Some(asked) = self.asked.get_mut(&ticket) {
            asked.waiting.insert(token);
            return true;
        }
        let own = self.asked.values().filter(|asked| asked.network == network).count();
        if self.asked.len() >= most || own >= most.div_ceil(2) || !hasher.ask(job) {
            return false;
        }
        self.asked.insert(ticket, Asked { space, network, waiting: BTreeSet::from([token]) });
        true
    }

    /// What was asked has been answered.
    pub(super) fn answered(&mut self, ticket: &Ticket) -> Option<Asked> {
        self.asked.remove(ticket)
    }

    /// `client` does not wait any more. The password is verified all the same.
    pub(super) fn leave(&mut self, ticket: &Ticket, client: Token) {
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
