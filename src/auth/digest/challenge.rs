//! What Digest says of itself: challenges, and proof that the server knows the user too.

use crate::auth::algorithm::Algorithm;
use crate::auth::params::quoted;
use crate::auth::realm::Realm;

use super::credentials::Credentials;

/// What is the same in all challenges of a protection space.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) realm: Realm,
    /// URIs, with spaces between them; none means all of the server.
    pub(super) domain: String,
    pub(super) userhash: bool,
}

impl Space {
    /// A challenge (RFC 7616 §3.3).
    pub(super) fn challenge(&self, algorithm: Algorithm, nonce: &str, stale: bool) -> String {
        let realm = quoted(self.realm.as_str());
        let mut out = format!("Digest realm={realm}, ");
        if !self.domain.is_empty() {
            out += &format!("domain={}, ", quoted(&self.domain));
        }
        out += &format!("nonce=\"{nonce}\", ");
        if stale {
            out += "stale=true, ";
        }
        out += &format!("algorithm={}, qop=\"auth\", charset=UTF-8", algorithm.name());
        if self.userhash {
            out += ", userhash=true";
        }
        out
    }
}

/// The value of `Authentication-Info` for what `sent` asked for (§3.5): the `proof` that the server
/// knows the user too, and perhaps the `next` nonce.
pub(super) fn info(proof: &str, sent: &Credentials, next: Option<&str>) -> String {
    let cnonce = quoted(&sent.cnonce);
    let info = format!("qop=auth, rspauth=\"{proof}\", cnonce={cnonce}, nc={}", sent.nc);
    match next {
        None => info,
        Some(next) => format!("nextnonce=\"{next}\", {info}"),
    }
}
