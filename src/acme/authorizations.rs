//! Authorizations of an order (RFC 8555 §7.5), each with the challenge that is answered for it.

use super::account::Account;
use super::challenge::Challenge;
use super::error::AcmeError;
use super::identifier::Identifier;
use super::object::{Authorization, OfferedChallenge};
use super::order::CertificateOrder;

/// Authorizations of an order. `at` in the methods is the place of one in the order.
#[derive(Debug, Default)]
pub(super) struct Authorizations(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    url: String,
    state: State,
    /// Identifier, once the authorization was read.
    identifier: Option<Identifier>,
    /// Challenge that was chosen, with its URL.
    chosen: Option<(Challenge, String)>,
    /// Number of times that the CA was polled.
    polls: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The CA was not yet asked to validate the challenge.
    New,
    /// The CA validates the challenge.
    Accepted,
    Valid,
}

/// State of an authorization at the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The CA waits to be asked to validate the challenge.
    Unasked,
    /// The CA validates the challenge, which was found this number of times.
    Validating(u32),
    Valid,
}

impl Authorizations {
    pub(super) fn new(urls: &[String]) -> Self {
        let entry = |url: &String| Entry {
            url: url.clone(),
            state: State::New,
            identifier: None,
            chosen: None,
            polls: 0,
        };
        Self(urls.iter().map(entry).collect())
    }

    pub(super) fn url(&self, at: usize) -> String {
        self.0.get(at).map(|entry| entry.url.clone()).unwrap_or_default()
    }

    pub(super) fn challenge_url(&self, at: usize) -> String {
        let chosen = self.0.get(at).and_then(|entry| entry.chosen.as_ref());
        chosen.map(|(_, url)| url.clone()).unwrap_or_default()
    }

    /// Returns the challenges of the authorizations that are not yet valid.
    pub(super) fn challenges(&self) -> impl Iterator<Item = &Challenge> {
        let open = self.0.iter().filter(|entry| entry.state != State::Valid);
        open.filter_map(|entry| entry.chosen.as_ref().map(|(challenge, _)| challenge))
    }

    /// Returns the place of the next authorization to read, and true if it was never read; `None`
    /// once all are valid. The CA is asked to validate all before the first is polled.
    pub(super) fn next(&self) -> Option<(usize, bool)> {
        let find = |state| self.0.iter().position(|entry| entry.state == state);
        let new = find(State::New).map(|at| (at, true));
        new.or_else(|| find(State::Accepted).map(|at| (at, false)))
    }

    /// Returns the name of an authorization for messages.
    pub(super) fn name(&self, at: usize) -> String {
        let entry = self.0.get(at);
        let identifier = entry.and_then(|entry| entry.identifier.as_ref());
        let chosen = entry.and_then(|entry| entry.chosen.as_ref());
        match (identifier, chosen) {
            (Some(name), Some((challenge, _))) => {
                format!("authorization of {name} by {}", challenge.kind)
            }
            (Some(name), None) => format!("authorization of {name}"),
            (None, _) => "authorization".to_owned(),
        }
    }

    /// Records that the CA validates a challenge.
    pub(super) fn accepted(&mut self, at: usize) {
        if let Some(entry) = self.0.get_mut(at) {
            (entry.state, entry.polls) = (State::Accepted, 1);
        }
    }

    /// Reads the state of an authorization.
    pub(super) fn read(
        &mut self,
        at: usize,
        body: &[u8],
        account: &Account,
        order: &CertificateOrder,
    ) -> Result<Reading, AcmeError> {
        let authorization = Authorization::read(body, &account.directory)?;
        let identifier = &authorization.identifier;
        let Some(entry) = self.0.get_mut(at).filter(|_| order.identifiers.contains(identifier))
        else {
            let message = format!("the authorization is for {identifier}, which was not ordered");
            return Err(AcmeError::protocol(message));
        };
        entry.identifier = Some(identifier.clone());
        match authorization.status.as_str() {
            "valid" => {
                entry.state = State::Valid;
                Ok(Reading::Valid)
            }
            "pending" => entry.pending(&authorization, account, order),
            status => Err(failure(&authorization, status)),
        }
    }
}

impl Entry {
    /// Chooses the challenge, or counts a poll.
    fn pending(
        &mut self,
        authorization: &Authorization,
        account: &Account,
        order: &CertificateOrder,
    ) -> Result<Reading, AcmeError> {
        let offered = choose(authorization, order)?;
        let challenge = Challenge {
            identifier: authorization.identifier.clone(),
            kind: offered.kind,
            token: offered.token.clone(),
            key_authorization: account.key.key_authorization(&offered.token),
        };
        self.chosen = Some((challenge, offered.url.clone()));
        if self.state == State::New && offered.status == "pending" {
            return Ok(Reading::Unasked);
        }
        self.state = State::Accepted;
        self.polls += 1;
        Ok(Reading::Validating(self.polls))
    }
}

/// Returns the challenge of the most preferred kind.
fn choose<'a>(
    authorization: &'a Authorization,
    order: &CertificateOrder,
) -> Result<&'a OfferedChallenge, AcmeError> {
    let offered = |kind| authorization.challenges.iter().find(move |offer| offer.kind == kind);
    order.challenges.iter().find_map(|&kind| offered(kind)).ok_or_else(|| {
        let kinds: Vec<&str> = order.challenges.iter().map(|kind| kind.as_str()).collect();
        let (identifier, kinds) = (&authorization.identifier, kinds.join(" or "));
        AcmeError::settings(format!("the CA does not offer {kinds} for {identifier}"))
    })
}

/// Returns the failure that an authorization with a final status is.
fn failure(authorization: &Authorization, status: &str) -> AcmeError {
    let problem = authorization.challenges.iter().find_map(|offer| offer.problem.clone());
    match problem {
        Some(problem) => problem.into_invalid(status),
        None => AcmeError::protocol(format!("the CA has set the status '{status}'")),
    }
}
