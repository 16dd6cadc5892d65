//! Digest fields that the server sends: challenges, and the proof that it knows the user's secret.

use crate::auth::algorithm::Algorithm;
use crate::auth::params::quoted;
use crate::auth::realm::Realm;

use super::credentials::Credentials;

/// Parameters that all challenges of a protection space share.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) realm: Realm,
    /// URIs, separated by spaces; an empty text means the whole server.
    pub(super) domain: String,
    pub(super) userhash: bool,
}

impl Space {
    /// Returns a challenge (RFC 7616 §3.3).
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

/// Returns the value of `Authentication-Info` for the credentials `sent` (§3.5): the `proof` that
/// the server knows the user's secret, and the `next` nonce if there is one.
pub(super) fn info(proof: &str, sent: &Credentials, next: Option<&str>) -> String {
    let cnonce = quoted(&sent.cnonce);
    let info = format!("qop=auth, rspauth=\"{proof}\", cnonce={cnonce}, nc={}", sent.nc);
    match next {
        None => info,
        Some(next) => format!("nextnonce=\"{next}\", {info}"),
    }
}
