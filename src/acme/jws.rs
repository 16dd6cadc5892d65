//! JSON Web Signatures in the flattened form (RFC 7515 §7.2.2).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use serde_json::{Value, json};

/// Header and payload to be signed, in base64url.
pub(super) struct Jws {
    protected: String,
    payload: String,
}

impl Jws {
    pub(super) fn new(protected: &Value, payload: &str) -> Self {
        Self {
            protected: BASE64_URL.encode(protected.to_string()),
            payload: BASE64_URL.encode(payload),
        }
    }

    /// Returns the input of the signature (RFC 7515 §5.1).
    pub(super) fn signed(&self) -> String {
        format!("{}.{}", self.protected, self.payload)
    }

    pub(super) fn with_signature(self, signature: &[u8]) -> Value {
        let signature = BASE64_URL.encode(signature);
        json!({ "protected": self.protected, "payload": self.payload, "signature": signature })
    }
}
