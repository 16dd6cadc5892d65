//! What a certifier keeps beyond the end of the process.

use zeroize::Zeroizing;

/// Keeps accounts and certificates. The loop does not wait: failures are reported to the operator by
/// the embedder.
pub trait AcmeStore: std::fmt::Debug {
    /// Stores `saved` in place of what was stored under the same name.
    fn save(&mut self, saved: Saved);
}

/// Something to store.
#[derive(Clone, Debug)]
pub enum Saved {
    /// An account.
    Account(StoredAccount),
    /// A certificate.
    Certificate {
        /// First identifier of the certificate.
        name: String,
        /// The certificate and its chain (PEM).
        chain_pem: String,
        /// The key (PEM).
        key_pem: Zeroizing<String>,
    },
}

/// An account at a CA.
#[derive(Clone)]
pub struct StoredAccount {
    /// URL of the CA's directory.
    pub directory: String,
    /// The key (PEM).
    pub key_pem: Zeroizing<String>,
    /// URL of the account, once it was registered.
    pub url: Option<String>,
}

impl std::fmt::Debug for StoredAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { directory, url, .. } = self;
        f.debug_struct("StoredAccount")
            .field("directory", directory)
            .field("url", url)
            .finish_non_exhaustive()
    }
}
