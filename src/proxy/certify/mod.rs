//! Certificates that the proxy obtains and renews itself, from a CA that speaks ACME (RFC 8555).
//!
//! The operations are state machines in [`acme`](crate::acme). A [`Certifier`] sends their requests by
//! fetches, answers challenges by the [`Identity`](super::identity::Identity) of the proxy, and puts
//! new certificates in place without touching a connection.

mod account;
mod issue;
mod managed;
mod operation;
mod own_request;
mod revoke;
mod store;
mod turn;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ring::rand::SecureRandom;

use crate::acme::RenewalQuery;
use crate::reactor::{Arena, Driven, Id, Reactor};
use crate::tls::Certificate;

use super::fetch::state::Fetch;
use super::mail::Mail;
use super::settings::acme::AcmeSettings;
use super::shared::Shared;

use account::Accounts;
use managed::{Doing, Due, Managed};
use operation::{Machine, Operation, OperationCx, Outcome};

pub use store::{AcmeStore, Saved, StoredAccount};

/// Obtains the certificates of the settings, and renews them.
#[derive(Debug)]
pub struct Certifier {
    settings: AcmeSettings,
    accounts: Accounts,
    managed: Vec<Managed>,
    store: Box<dyn AcmeStore>,
    random: Arc<dyn SecureRandom + Send + Sync>,
}

impl Driven for Certifier {
    const KIND: u8 = 10;
}

impl Certifier {
    /// Returns a certifier for `settings`, which knows what was stored earlier: accounts, and the
    /// certificates by their place in the settings. What is new goes to `store`.
    #[must_use]
    pub fn new(
        settings: AcmeSettings,
        accounts: Vec<StoredAccount>,
        certificates: Vec<Option<Certificate>>,
        store: Box<dyn AcmeStore>,
        random: Arc<dyn SecureRandom + Send + Sync>,
    ) -> Self {
        let fraction = || fraction(&*random);
        let stored = certificates.into_iter().chain(std::iter::repeat(None));
        let managed = settings.certificates.iter().zip(stored).map(|(identifiers, current)| {
            Managed::new(identifiers.clone(), current, fraction(), settings.directories.len())
        });
        Self {
            managed: managed.collect(),
            accounts: Accounts::new(accounts),
            settings,
            store,
            random,
        }
    }

    /// Serves the certificates that were stored earlier.
    pub(super) fn begin(&self, shared: &mut Shared) {
        for (place, managed) in self.managed.iter().enumerate() {
            if let Some(certificate) = &managed.current {
                shared.identity.obtain(place, self.managed.len(), certificate.clone());
            }
        }
        shared.identity.set_names(self.managed.iter().map(Managed::name).collect());
    }

    /// Continues all operations as far as possible, and sets the time of the next drive.
    pub(super) fn drive(
        &mut self,
        id: Id<Self>,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        fetches: &mut Arena<Fetch>,
    ) {
        if shared.draining {
            return self.end(id, reactor, shared);
        }
        for (place, reason) in shared.identity.take_wanted() {
            self.managed[place].replace(reason);
        }
        let random = Arc::clone(&self.random);
        let mut next: Option<SystemTime> = None;
        for place in 0..self.managed.len() {
            let mut cx = OperationCx {
                owner: id.token(),
                place,
                random: &*random,
                reactor,
                shared,
                fetches,
            };
            let at = self.advance(place, &mut cx);
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        let now = reactor.now();
        let until = |at: SystemTime| at.duration_since(now.wall).unwrap_or_default();
        reactor.set_deadline(id.token(), next.map(|at| now.mono + until(at).min(LONGEST)));
        shared.counters.certificates_failing =
            self.managed.iter().filter(|managed| managed.failures > 0).count();
    }

    /// Ends all operations: no listener answers a challenge any more, and a drain waits for no CA.
    pub(super) fn end(&mut self, id: Id<Self>, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        for managed in &mut self.managed {
            match std::mem::replace(&mut managed.doing, Doing::Wait) {
                Doing::Wait => {}
                Doing::Issue(mut operation, _)
                | Doing::Revoke(mut operation, _)
                | Doing::Ask(mut operation) => operation.leave(reactor, shared),
            }
        }
        reactor.set_deadline(id.token(), None);
    }

    /// Continues what is done about one certificate. Returns the time at which to continue.
    fn advance(&mut self, place: usize, cx: &mut OperationCx<'_>) -> SystemTime {
        loop {
            let now = cx.reactor.now().wall;
            let managed = &mut self.managed[place];
            match std::mem::replace(&mut managed.doing, Doing::Wait) {
                Doing::Wait => match managed.due(now) {
                    Due::Later(at) => return at,
                    Due::Ask => self.ask(place, cx),
                    Due::Issue => self.issue(place, cx),
                },
                Doing::Ask(mut operation) => match operation.drive(cx) {
                    Err(until) => {
                        managed.doing = Doing::Ask(operation);
                        return until;
                    }
                    Ok(Ok(Outcome::Info(Some(info)))) => {
                        managed.suggested(Some((info.window, info.poll_at)));
                    }
                    Ok(Ok(_)) => managed.suggested(None),
                    Ok(Err(error)) => managed.could_not_ask(&error, now),
                },
                Doing::Revoke(mut operation, mut replaced) => match operation.drive(cx) {
                    Err(until) => {
                        managed.doing = Doing::Revoke(operation, replaced);
                        return until;
                    }
                    Ok(Ok(_)) => self.revoked(place, None, cx),
                    Ok(Err(error)) => {
                        replaced.failed.get_or_insert(error);
                        self.revoke(place, replaced, cx);
                    }
                },
                Doing::Issue(mut operation, directory) => match operation.drive(cx) {
                    Err(until) => {
                        managed.doing = Doing::Issue(operation, directory);
                        return until;
                    }
                    Ok(result) => self.concluded(place, result, (&operation, directory), cx),
                },
            }
        }
    }

    /// Begins to ask the CA when to renew a certificate.
    fn ask(&mut self, place: usize, cx: &OperationCx<'_>) {
        let managed = &mut self.managed[place];
        let id = managed.facts().and_then(|facts| facts.ari_id()).unwrap_or_default();
        let directory = self.settings.directories.get(managed.likely_issuer());
        let directory = directory.map_or("", String::as_str);
        match RenewalQuery::new(directory, &id) {
            Ok(query) => managed.doing = Doing::Ask(Operation::new(Machine::Ask(Box::new(query)))),
            Err(error) => managed.could_not_ask(&error, cx.reactor.now().wall),
        }
    }
}

/// Time after which the certifier looks at its certificates in any case: the wall clock may be set.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Returns a random number from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a random time needs no more digits")]
fn fraction(random: &dyn SecureRandom) -> f64 {
    let mut bytes = [0; 8];
    match random.fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) as f64 / u64::MAX as f64,
        Err(_) => 0.5,
    }
}
