//! Authentication rules: protection spaces and their users.

use std::sync::Arc;

use crate::auth::{self, FailureLimit, PathPrefix, RealmUsers, Users};

/// Protection spaces of a proxy, and the ban of clients that fail to authenticate.
#[derive(Clone, Debug)]
pub struct AuthRules {
    /// The protection spaces. Among those that contain a path, the one with the longest path
    /// applies. A forward proxy has one, for everything.
    pub spaces: Vec<ProtectionSpace>,
    /// Authentication failures after which a client is banned.
    pub ban: FailureLimit,
}

/// A protection space: the scope of one set of credentials (RFC 9110 §11.5).
#[derive(Clone, Debug)]
pub struct ProtectionSpace {
    /// The path below which the space lies.
    pub path: PathPrefix,
    /// Realm, schemes and other settings of authentication.
    pub settings: auth::AuthSettings,
    /// The users, indexed for `settings`.
    pub accounts: Arc<RealmUsers>,
}

impl ProtectionSpace {
    /// Creates a space at `path`. Takes time in proportion to the number of users.
    #[must_use]
    pub fn new(path: PathPrefix, settings: auth::AuthSettings, users: Users) -> Self {
        let accounts = Arc::new(RealmUsers::new(users, &settings));
        Self { path, settings, accounts }
    }

    /// Returns the schemes that are offered, the strongest first.
    #[must_use]
    pub fn schemes(&self) -> Vec<&'static str> {
        self.accounts.schemes(&self.settings)
    }
}
