//! Verification of signed requests, as a server does it (RFC 8555 §6.2).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Parts of a flattened JWS.
pub(crate) struct Jws {
    pub(crate) protected: Value,
    pub(crate) payload: Vec<u8>,
    signed: String,
    signature: Vec<u8>,
}

impl Jws {
    pub(crate) fn read(value: &Value) -> Self {
        let part = |member: &str| value[member].as_str().unwrap();
        let decode = |member| BASE64_URL.decode(part(member)).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 3, "a flattened JWS has three members");
        Self {
            protected: serde_json::from_slice(&decode("protected")).unwrap(),
            payload: decode("payload"),
            signed: format!("{}.{}", part("protected"), part("payload")),
            signature: decode("signature"),
        }
    }

    pub(crate) fn verify(&self, jwk: &Value) {
        assert_eq!(self.protected["alg"], "ES256");
        assert_eq!((&jwk["kty"], &jwk["crv"]), (&Value::from("EC"), &Value::from("P-256")));
        let coordinate = |name: &str| BASE64_URL.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(self.signed.as_bytes(), &self.signature).expect("the signature is valid");
    }

    pub(crate) fn verify_mac(&self, key: &[u8]) {
        assert_eq!(self.protected["alg"], "HS256");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        ring::hmac::verify(&key, self.signed.as_bytes(), &self.signature).expect("a valid MAC");
    }
}

/// Returns the thumbprint of a key, by the letter of RFC 7638 §3.
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let members = ["crv", "kty", "x", "y"].map(|name| format!("\"{name}\":{}", jwk[name]));
    BASE64_URL.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}
