//! Certificate that is ordered: its key, its request, and the checks of what the CA issues.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, PublicKeyData};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::bounds::{MOST_CERTIFICATES, MOST_CHAIN};
use super::error::{AcmeError, AcmeErrorKind};
use super::identifier::Identifier;
use super::key::{P256Key, Signer};
use super::pem;
use crate::x509::CertificateFacts;

/// Label of a certificate in PEM (RFC 7468 §5).
const CERTIFICATE: &str = "CERTIFICATE";

/// Certificate that was issued.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// Certificate and intermediates in PEM, the certificate first.
    pub chain_pem: String,
    /// Private key of the certificate in PEM (PKCS#8).
    pub key_pem: Zeroizing<String>,
    /// Facts of the certificate.
    pub facts: CertificateFacts,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Key and request of a certificate.
#[derive(Debug)]
pub(super) struct CertificateRequest {
    key: P256Key,
    /// Certificate request in DER (PKCS#10).
    pub(super) der: Vec<u8>,
    public_key: Vec<u8>,
}

impl CertificateRequest {
    /// Returns the request of a certificate for `identifiers`, with a new key.
    pub(super) fn new(
        identifiers: &[Identifier],
        random: &dyn SecureRandom,
    ) -> Result<Self, AcmeError> {
        let key = P256Key::for_certificate(random)?;
        let failure = |error| AcmeError::key(format!("no certificate request: {error}"));
        let names: Vec<String> = identifiers.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).map_err(failure)?;
        params.distinguished_name = DistinguishedName::new();
        let signer = Signer { key: &key, random };
        let der = params.serialize_request(&signer).map_err(failure)?.der().to_vec();
        let public_key = signer.subject_public_key_info();
        Ok(Self { key, der, public_key })
    }

    /// Returns the certificate in a chain that a CA has issued for this request.
    pub(super) fn accept(
        &self,
        chain: &[u8],
        identifiers: &[Identifier],
    ) -> Result<Issued, AcmeError> {
        if chain.len() > MOST_CHAIN {
            return Err(AcmeError::protocol("the certificate chain has more than 256 KiB"));
        }
        let wrong = |why: String| AcmeError::new(AcmeErrorKind::Certificate, why);
        let text = std::str::from_utf8(chain).ok();
        let sections = text.and_then(|text| pem::read(CERTIFICATE, text)).unwrap_or_default();
        let (Some(leaf), 1..=MOST_CERTIFICATES) = (sections.first(), sections.len()) else {
            let most = MOST_CERTIFICATES;
            return Err(wrong(format!("the chain is not 1 to {most} certificates in PEM")));
        };
        let facts = CertificateFacts::of(leaf).map_err(|error| wrong(error.to_string()))?;
        if facts.public_key != self.public_key {
            return Err(wrong("the certificate has another key than the request".to_owned()));
        }
        let lacking = identifiers.iter().find(|identifier| !facts.covers(&identifier.to_string()));
        if let Some(identifier) = lacking {
            return Err(wrong(format!("the certificate does not name {identifier}")));
        }
        let chain_pem = sections.iter().map(|der| pem::write(CERTIFICATE, der)).collect();
        Ok(Issued { chain_pem, key_pem: self.key.to_pem(), facts })
    }
}
