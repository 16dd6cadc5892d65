//! Cookies that clients can read but not forge.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::request::Request;

/// Signs and verifies cookies of sessions: value, expiry and name are bound by HMAC-SHA-256 (RFC 2104).
///
/// The value is not encrypted. It stays valid until it expires, also after a logout: an application that
/// has to end sessions keeps a number of each session, and puts that into the value.
#[derive(Clone)]
pub struct SignedCookies {
    key: Hmac<Sha256>,
}

impl SignedCookies {
    /// Returns a signer with a secret `key`: 32 random bytes or more, the same after a restart.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { key: Hmac::new_from_slice(key).expect("a key may have any length") }
    }

    /// Returns the value of `Set-Cookie` for a cookie that expires `lifetime` after the `request`. Scripts
    /// cannot read it, forms of other sites do not send it, and if the client speaks TLS, it is never sent
    /// in the clear.
    #[must_use]
    pub fn set_cookie(
        &self,
        name: &str,
        value: &str,
        lifetime: Duration,
        request: &Request,
    ) -> String {
        let expiry = seconds(request.received()).saturating_add(lifetime.as_secs());
        let signed = format!("{}.{expiry}", encode(value));
        let signature = encode(self.mac(name, &signed).finalize().into_bytes());
        let secure = if request.is_secure() { "; Secure" } else { "" };
        let age = lifetime.as_secs();
        format!(
            "{name}={signed}.{signature}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax{secure}"
        )
    }

    /// Returns the value of `Set-Cookie` that removes the cookie.
    #[must_use]
    pub fn remove_cookie(name: &str) -> String {
        format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
    }

    /// Returns the value of the cookie, if the request has it, the signature is right and the cookie has not
    /// expired.
    #[must_use]
    pub fn read(&self, name: &str, request: &Request) -> Option<String> {
        let (signed, signature) = request.cookie(name)?.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(name, signed).verify_slice(&signature).ok()?;
        let (value, expiry) = signed.split_once('.')?;
        let is_valid = expiry.parse::<u64>().ok()? > seconds(request.received());
        let value = BASE64_URL_SAFE_NO_PAD.decode(value).ok().filter(|_| is_valid)?;
        String::from_utf8(value).ok()
    }

    fn mac(&self, name: &str, signed: &str) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        [name, "=", signed].iter().for_each(|part| mac.update(part.as_bytes()));
        mac
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl std::fmt::Debug for SignedCookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedCookies").finish_non_exhaustive()
    }
}
