//! Issuance of a certificate: begun, put in place and stored, or failed.

use crate::acme::{AcmeError, CertificateOrder, Issuance, Issued};
use crate::http::date;
use crate::tls::{Certificate, certificates_of, key_of};

use super::managed::Doing;
use super::operation::{Machine, Operation, OperationCx, Outcome};
use super::{Certifier, Saved, fraction};

impl Certifier {
    /// Begins to obtain a certificate: a first one is tried out where that was asked for.
    pub(super) fn issue(&mut self, place: usize, cx: &mut OperationCx<'_>) {
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
    pub(super) fn concluded(
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
