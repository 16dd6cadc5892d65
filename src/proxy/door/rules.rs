//! What is protected, and for whom.

use crate::auth::{self, Authenticator, FailureLimit, PathPrefix, Secret, Users};

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
    pub settings: auth::Settings,
    /// Who they are.
    pub users: Users,
}

impl ProtectionSpace {
    /// The schemes with which somebody can be recognized, the best first.
    #[must_use]
    pub fn schemes(&self) -> Vec<&'static str> {
        let (settings, users) = (self.settings.clone(), self.users.clone());
        Authenticator::new(settings, users, &Secret::new([0; 32])).schemes()
    }
}
