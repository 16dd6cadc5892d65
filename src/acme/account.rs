//! Accounts at a CA (RFC 8555 §7.3) and their keys.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use ring::hmac;
use ring::rand::SecureRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::AcmeError;
use super::jws::Jws;
use super::key::P256Key;
use super::object::Directory;

/// Account at a CA: settings and key. The account is registered when it is first needed.
#[derive(Clone, Debug)]
pub struct Account {
    /// URL of the CA's directory.
    pub directory: String,
    /// Key that signs requests.
    pub key: Arc<AccountKey>,
    /// URL of the account, if it is registered. Without it, the CA is asked: it returns the URL of
    /// the account with this key, and registers the account if there is none.
    pub url: Option<String>,
    /// Email addresses for notices of the CA.
    pub contacts: Vec<String>,
    /// True if the operator agrees to the CA's terms of service.
    pub terms_agreed: bool,
    /// Account at the CA outside ACME, which some CAs require.
    pub external: Option<ExternalAccount>,
}

impl Account {
    /// Returns the payload that registers the account, or finds it by its key (RFC 8555 §7.3).
    pub(super) fn registration(&self, directory: &Directory) -> Result<Value, AcmeError> {
        if let (Some(terms), false) = (&directory.terms_of_service, self.terms_agreed) {
            return Err(AcmeError::settings(format!(
                "the CA requires that you agree to its terms of service: {terms}"
            )));
        }
        let mut payload = json!({ "termsOfServiceAgreed": self.terms_agreed });
        if !self.contacts.is_empty() {
            let contacts = self.contacts.iter().map(|email| format!("mailto:{email}"));
            payload["contact"] = contacts.collect();
        }
        match &self.external {
            Some(external) => {
                let binding = external.bind(&self.key, &directory.new_account);
                payload["externalAccountBinding"] = binding;
            }
            None if directory.external_account_required => {
                return Err(AcmeError::settings(
                    "the CA requires an external account; configure the key identifier and the MAC \
                     key that the CA hands out",
                ));
            }
            None => {}
        }
        Ok(payload)
    }
}

/// Private key of an account, on the curve P-256.
#[derive(Debug)]
pub struct AccountKey(P256Key);

impl AccountKey {
    /// Returns a new key.
    ///
    /// # Errors
    /// [`AcmeError`] if the system gives no random numbers.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, AcmeError> {
        P256Key::generate(&ECDSA_P256_SHA256_FIXED_SIGNING, random).map(Self)
    }

    /// Returns the key in a PEM text with one section, in PKCS#8.
    ///
    /// # Errors
    /// [`AcmeError`] if the text holds anything but one P-256 key.
    pub fn from_pem(text: &str, random: &dyn SecureRandom) -> Result<Self, AcmeError> {
        P256Key::from_pem(&ECDSA_P256_SHA256_FIXED_SIGNING, text, random).map(Self)
    }

    /// Returns the key in PEM, in PKCS#8.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.0.to_pem()
    }

    /// Returns the public key as a JSON Web Key (RFC 7517), its members in the order and without
    /// the spaces that RFC 7638 §3 requires.
    #[must_use]
    pub fn jwk(&self) -> String {
        let (x, y) = self.0.coordinates();
        let [x, y] = [x, y].map(|coordinate| BASE64_URL.encode(coordinate));
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
    }

    /// Returns the thumbprint of the key (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        BASE64_URL.encode(Sha256::digest(self.jwk()))
    }

    /// Returns the key authorization of a token (RFC 8555 §8.1).
    #[must_use]
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint())
    }

    /// Returns a signature in the form of JWS (RFC 7518 §3.4).
    pub(super) fn sign(
        &self,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, AcmeError> {
        self.0.sign(message, random)
    }
}

/// Account that the operator has at a CA outside ACME (RFC 8555 §7.3.4).
#[derive(Clone)]
pub struct ExternalAccount {
    key_id: String,
    mac_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl ExternalAccount {
    /// Returns the account with this key identifier and this key in base64url, as CAs hand them
    /// out.
    ///
    /// # Errors
    /// [`AcmeError`] if the key is empty or not base64url.
    pub fn new(key_id: &str, mac_key: &str) -> Result<Self, AcmeError> {
        let decoded = BASE64_URL.decode(mac_key.trim().trim_end_matches('=').as_bytes());
        let mac_key = decoded.ok().map(Zeroizing::new).filter(|key| !key.is_empty());
        let wrong =
            "the MAC key of the external account is not base64url; copy it as the CA shows it";
        let mac_key = mac_key.ok_or_else(|| AcmeError::settings(wrong))?;
        Ok(Self { key_id: key_id.to_owned(), mac_key })
    }

    /// Returns the JWS that binds an account key to this account, for a request to `url`.
    pub(super) fn bind(&self, key: &AccountKey, url: &str) -> Value {
        let protected = json!({ "alg": "HS256", "kid": self.key_id, "url": url });
        let mac_key = hmac::Key::new(hmac::HMAC_SHA256, &self.mac_key);
        let jws = Jws::new(&protected, &key.jwk());
        let signature = hmac::sign(&mac_key, jws.signed().as_bytes());
        jws.with_signature(signature.as_ref())
    }
}
