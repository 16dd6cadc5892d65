//! Accounts at CAs, one for each directory.

use std::sync::Arc;

use ring::rand::SecureRandom;

use crate::acme::{Account, AccountKey, AcmeError};
use crate::proxy::settings::acme::AcmeSettings;

use super::store::{AcmeStore, Saved, StoredAccount};

/// Accounts that are known, with their keys as they are stored.
#[derive(Debug)]
pub(super) struct Accounts(Vec<StoredAccount>);

impl Accounts {
    pub(super) const fn new(stored: Vec<StoredAccount>) -> Self {
        Self(stored)
    }

    /// Returns the account at a directory. A new one is stored before it is used, so that its key is
    /// never lost.
    ///
    /// # Errors
    /// Returns the reason if a key cannot be generated or read.
    pub(super) fn get(
        &mut self,
        directory: &str,
        settings: &AcmeSettings,
        random: &dyn SecureRandom,
        store: &mut dyn AcmeStore,
    ) -> Result<Account, AcmeError> {
        let known = self.0.iter().find(|account| account.directory == directory);
        let (key, url) = match known {
            Some(stored) => (AccountKey::from_pem(&stored.key_pem, random)?, stored.url.clone()),
            None => {
                let key = AccountKey::generate(random)?;
                let directory = directory.to_owned();
                let stored = StoredAccount { directory, key_pem: key.to_pem(), url: None };
                store.save(Saved::Account(stored.clone()));
                self.0.push(stored);
                (key, None)
            }
        };
        Ok(Account {
            directory: directory.to_owned(),
            key: Arc::new(key),
            url,
            contacts: settings.contacts.clone(),
            terms_agreed: true,
            external: settings.external.clone(),
        })
    }

    /// Records the URL of the account at a directory.
    pub(super) fn registered(&mut self, directory: &str, url: &str, store: &mut dyn AcmeStore) {
        let known = self.0.iter_mut().find(|account| account.directory == directory);
        if let Some(account) = known.filter(|account| account.url.as_deref() != Some(url)) {
            account.url = Some(url.to_owned());
            store.save(Saved::Account(account.clone()));
        }
    }
}
