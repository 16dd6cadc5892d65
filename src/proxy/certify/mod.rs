//! Certificates that the proxy obtains and renews itself, from a CA that speaks ACME (RFC 8555).
//!
//! The operations are state machines in [`acme`](crate::acme). A [`Certifier`] sends their requests by
//! fetches, answers challenges by the [`Identity`](super::identity::Identity) of the proxy, and puts
//! new certificates in place without touching a connection.

mod account;
mod managed;
mod operation;
mod own_request;
mod store;
mod turn;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ring::rand::SecureRandom;

use crate::acme::{AcmeError, CertificateOrder, Issuance, Issued, RenewalQuery, Revocation};
use crate::http::date;
use crate::reactor::{Arena, Driven, Id, Reactor};
use crate::tls::{Certificate, certificates_of, key_of};

use super::fetch::state::Fetch;
use super::mail::Mail;
use super::settings::acme::AcmeSettings;
use super::shared::Shared;

use account::Accounts;
use managed::{Doing, Due, Managed, Replaced};
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

    /// Ends all operations: no listener answers a challenge any more, and a drain does not wait for a CA.
    fn end(&mut self, id: Id<Self>, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
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

    /// Begins to obtain a certificate: a first one is tried out where that was asked for.
    fn issue(&mut self, place: usize, cx: &mut OperationCx<'_>) {
        let managed = &self.managed[place];
        let is_first = managed.current.is_none() && !managed.is_tried_out;
        let staging = self.settings.staging.clone().filter(|_| is_first);
        let number = managed.turn.place();
        let (directory, number) = match staging {
            Some(staging) => (staging, None),
            None => (self.settings.directories[number].clone(), Some(number)),
        };
        let replaces = managed.facts().and_then(|facts| facts.ari_id());
        let order = CertificateOrder {
            identifiers: managed.identifiers.clone(),
            challenges: self.settings.challenges.clone(),
            profile: self.settings.profile.clone(),
            replaces: replaces.filter(|_| number == Some(managed.likely_issuer())),
        };
        let account = self.accounts.get(&directory, &self.settings, cx.random, &mut *self.store);
        let issuance = account.and_then(|account| Issuance::new(account, order));
        match issuance {
            Ok(issuance) => {
                let operation = Operation::new(Machine::Issue(Box::new(issuance)));
                self.managed[place].doing = Doing::Issue(operation, number);
            }
            Err(error) => self.failed(place, &error, number.is_none(), cx),
        }
    }

    /// Takes the result of an issuance.
    fn concluded(
        &mut self,
        place: usize,
        result: Result<Outcome, AcmeError>,
        (operation, directory): (&Operation, Option<usize>),
        cx: &mut OperationCx<'_>,
    ) {
        let url = match directory {
            Some(number) => self.settings.directories.get(number),
            None => self.settings.staging.as_ref(),
        };
        if let (Some(url), Some(account)) = (url, operation.account_url()) {
            self.accounts.registered(url, account, &mut *self.store);
        }
        match result {
            Ok(Outcome::Issued(issued)) => match directory {
                Some(number) => self.issued(place, &issued, number, cx),
                None => {
                    self.managed[place].tried_out();
                    let name = self.managed[place].name();
                    cx.shared.notices.push(format!("the certificate for {name} can be obtained"));
                }
            },
            Ok(Outcome::Revoked | Outcome::Info(_)) => {}
            Err(error) => self.failed(place, &error, directory.is_none(), cx),
        }
    }

    /// Puts a certificate of this directory in place, stores it, and revokes the one before if that was
    /// asked for.
    fn issued(
        &mut self,
        place: usize,
        issued: &Issued,
        directory: usize,
        cx: &mut OperationCx<'_>,
    ) {
        let now = cx.reactor.now().wall;
        let certificate = certificates_of(issued.chain_pem.as_bytes())
            .and_then(|chain| Certificate::new(chain, key_of(issued.key_pem.as_bytes())?, now));
        let certificate = match certificate {
            Ok(certificate) => certificate,
            Err(error) => {
                return self.failed(place, &AcmeError::unusable(&error.to_string()), false, cx);
            }
        };
        let places = self.managed.len();
        let managed = &mut self.managed[place];
        cx.shared.identity.obtain(place, places, certificate.clone());
        cx.shared.counters.certificates_issued += 1;
        let until = date::format(certificate.facts.not_after);
        let from = (directory, self.settings.directories.len());
        let replaced = managed.obtained(certificate, from, fraction(cx.random), now);
        let name = managed.name();
        cx.shared
            .notices
            .push(format!("new certificate for {name}, valid until {}", until.as_str()));
        let (chain_pem, key_pem) = (issued.chain_pem.clone(), issued.key_pem.clone());
        self.store.save(Saved::Certificate { name, chain_pem, key_pem });
        if let Some(replaced) = replaced {
            self.revoke(place, replaced, cx);
        }
    }

    /// Begins to revoke a certificate at the next directory that may have issued it.
    fn revoke(&mut self, place: usize, mut replaced: Replaced, cx: &mut OperationCx<'_>) {
        while let Some(number) = replaced.directories.pop() {
            let directory = &self.settings.directories[number];
            let account = self.accounts.get(directory, &self.settings, cx.random, &mut *self.store);
            let der = replaced.certificate.der();
            match account.and_then(|account| Revocation::new(account, der, replaced.reason)) {
                Ok(revocation) => {
                    let operation = Operation::new(Machine::Revoke(Box::new(revocation)));
                    self.managed[place].doing = Doing::Revoke(operation, replaced);
                    return;
                }
                Err(error) => {
                    replaced.failed.get_or_insert(error);
                }
            }
        }
        self.revoked(place, replaced.failed, cx);
    }

    fn revoked(&self, place: usize, error: Option<AcmeError>, cx: &mut OperationCx<'_>) {
        let name = self.managed[place].name();
        cx.shared.notices.push(match error {
            None => format!("the replaced certificate for {name} was revoked"),
            Some(error) => format!("the replaced certificate for {name} was not revoked: {error}"),
        });
    }

    /// Records a failure, and tells the operator what it means for clients.
    fn failed(
        &mut self,
        place: usize,
        error: &AcmeError,
        in_trial: bool,
        cx: &mut OperationCx<'_>,
    ) {
        let now = cx.reactor.now().wall;
        let managed = &mut self.managed[place];
        let attempt = managed.failures + 1;
        let at = managed.failed(error, in_trial, fraction(cx.random), now);
        cx.shared.counters.certificate_failures += 1;
        let meanwhile = match managed.facts() {
            None => "there is none yet".to_owned(),
            Some(facts) if facts.not_after < now => "the one in use has EXPIRED".to_owned(),
            Some(facts) => {
                format!("the one in use is valid until {}", date::format(facts.not_after).as_str())
            }
        };
        cx.shared.notices.push(format!(
            "no new certificate for {}, attempt {}: {error}; {meanwhile}; next attempt at {}",
            managed.name(),
            attempt,
            date::format(at).as_str()
        ));
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
