//! Order of a certificate, as its owner places it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bounds::MOST_IDENTIFIERS;
use super::challenge::ChallengeKind;
use super::error::AcmeError;
use super::identifier::Identifier;

/// Certificate to order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateOrder {
    /// Identifiers that the certificate names, at least one and at most 100.
    pub identifiers: Vec<Identifier>,
    /// Kinds of challenges that can be answered, the preferred one first.
    pub challenges: Vec<ChallengeKind>,
    /// Profile of the CA.
    pub profile: Option<String>,
    /// Identifier of the certificate that the new one replaces (RFC 9773 §5), from
    /// [`CertificateFacts::ari_id`](crate::x509::CertificateFacts::ari_id).
    pub replaces: Option<String>,
}

impl CertificateOrder {
    /// Returns the order, each identifier once, if it can be placed.
    pub(super) fn checked(mut self) -> Result<Self, AcmeError> {
        let mut known = BTreeSet::new();
        self.identifiers.retain(|identifier| known.insert(identifier.clone()));
        if !(1..=MOST_IDENTIFIERS).contains(&self.identifiers.len()) {
            let message = format!("a certificate needs 1 to {MOST_IDENTIFIERS} names or addresses");
            return Err(AcmeError::settings(message));
        }
        if self.challenges.is_empty() {
            return Err(AcmeError::settings("no kind of challenge is offered"));
        }
        Ok(self)
    }

    /// Returns the payload of a new order (RFC 8555 §7.4).
    pub(super) fn payload(&self) -> Value {
        let identifiers: Value = self.identifiers.iter().map(Identifier::to_json).collect();
        let mut payload = json!({ "identifiers": identifiers });
        for (member, value) in [("profile", &self.profile), ("replaces", &self.replaces)] {
            if let Some(value) = value {
                payload[member] = Value::from(value.as_str());
            }
        }
        payload
    }
}
