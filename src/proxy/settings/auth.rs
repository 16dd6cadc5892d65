//! What is protected, and for whom.

use std::sync::Arc;

use crate::auth::{self, FailureLimit, PathPrefix, RealmUsers, Users};

/// Whom a proxy lets in, and how it recognizes them.
#[derive(Clone, Debug)]
pub struct AuthRules {
    /// What is protected; of those that a path is below, the longest counts. A forward proxy has one
    /// for everything.
    pub spaces: Vec<ProtectionSpace>,
    /// How often a client may be wrong.
    pub ban: FailureLimit,
}

/// What one set of credentials is good for (RFC 9110 §11.5).
#[derive(Clone, Debug)]
pub struct ProtectionSpace {
    /// Where it is.
    pub path: PathPrefix,
    /// How users are recognized.
    pub settings: auth::AuthSettings,
    /// Its users, indexed for `settings`.
    pub accounts: Arc<RealmUsers>,
}

impl ProtectionSpace {
    /// A space at `path` for `users`. Takes time by their number.
    #[must_use]
    pub fn new(path: PathPrefix, settings: auth::AuthSettings, users: Users) -> Self {
        let accounts = Arc::new(RealmUsers::new(users, &settings));
        Self { path, settings, accounts }
    }

    /// The schemes with which somebody can be recognized, the best first.
    #[must_use]
    pub fn schemes(&self) -> Vec<&'static str> {
        self.accounts.schemes(&self.settings)
    }
}
