//! Passwords that are being verified, and who waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::auth::{Job, Ticket, client_network};
use crate::reactor::Token;
use crate::shares::Shares;

use super::super::surroundings::Hasher;

#[derive(Debug, Default)]
pub(super) struct Hashing {
    asked: BTreeMap<Ticket, Asked>,
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

impl Hashing {
    /// Has `job` run, unless that is under way, and has `client` wait for it; whether that can be.
    ///
    /// No more than `most` are verified at a time. Clients [share](crate::shares) these places: one
    /// that guesses does not keep others out.
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
        if !self.shares.take(Some(network), most) {
            return false;
        }
        if !hasher.ask(job) {
            self.shares.release(Some(&network));
            return false;
        }
        self.asked.insert(ticket, Asked { space, network, waiting: BTreeSet::from([token]) });
        true
    }

    /// What was asked has been answered.
    pub(super) fn answered(&mut self, ticket: &Ticket) -> Option<Asked> {
        let asked = self.asked.remove(ticket)?;
        self.shares.release(Some(&asked.network));
        Some(asked)
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
