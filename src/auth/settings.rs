//! Settings of authentication.

use std::time::Duration;

use super::auth_result::Side;
use super::realm::Realm;

/// Settings of authentication in one protection space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// Side that authenticates.
    pub side: Side,
    /// Realm of the protection space.
    pub realm: Realm,
    /// True if Basic is offered. It sends the password, which only TLS hides.
    pub basic: bool,
    /// True if Digest is offered.
    pub digest: bool,
    /// True if Digest offers to hide users' names (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// URIs that share a protection space (§3.3), absolute or as paths. An empty list means the
    /// whole server; a proxy has none.
    pub domain: Vec<String>,
    /// Lifetime of a nonce.
    pub nonce_lifetime: Duration,
    /// Time for which the results of verifying passwords are remembered, whether right or wrong.
    pub remembered: Duration,
}

impl AuthSettings {
    /// Returns settings with both schemes, nonces valid for five minutes, and results remembered
    /// for one.
    #[must_use]
    pub const fn new(side: Side, realm: Realm) -> Self {
        Self {
            side,
            realm,
            basic: true,
            digest: true,
            userhash: false,
            domain: Vec::new(),
            nonce_lifetime: Duration::from_secs(300),
            remembered: Duration::from_secs(60),
        }
    }
}
