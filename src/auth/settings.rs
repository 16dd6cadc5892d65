//! How users are recognized.

use std::time::Duration;

use super::auth_result::Side;
use super::realm::Realm;

/// How users are recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// Whose door it is.
    pub side: Side,
    /// What is protected.
    pub realm: Realm,
    /// Whether Basic is offered: it sends the password, which only TLS hides.
    pub basic: bool,
    /// Whether Digest is offered.
    pub digest: bool,
    /// Whether Digest offers to hide users' names (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// URIs that share a protection space (§3.3): absolute, or paths. None means the whole server;
    /// a proxy has none.
    pub domain: Vec<String>,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// How long it is remembered which passwords are right and which wrong.
    pub remembered: Duration,
}

impl AuthSettings {
    /// Both schemes, nonces for five minutes, verdicts for one.
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
