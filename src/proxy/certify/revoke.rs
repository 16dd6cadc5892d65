//! Revocation of a certificate that was replaced.

use crate::acme::{AcmeError, Revocation};

use super::Certifier;
use super::managed::{Doing, Replaced};
use super::operation::{Machine, Operation, OperationCx};

impl Certifier {
    /// Begins to revoke a certificate at the next directory that may have issued it.
    pub(super) fn revoke(
        &mut self,
        place: usize,
        mut replaced: Replaced,
        cx: &mut OperationCx<'_>,
    ) {
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

    pub(super) fn revoked(&self, place: usize, error: Option<AcmeError>, cx: &mut OperationCx<'_>) {
        let name = self.managed[place].name();
        cx.shared.notices.push(match error {
            None => format!("the replaced certificate for {name} was revoked"),
            Some(error) => format!("the replaced certificate for {name} was not revoked: {error}"),
        });
    }
}
