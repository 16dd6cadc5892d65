//! Keys on the curve P-256: of accounts, of certificates and of responses to TLS-ALPN-01.

use std::fmt;

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use zeroize::Zeroizing;

use super::error::AcmeError;
use super::pem;

/// Label of a private key in PEM (RFC 7468 §10).
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Key pair with its encoding.
pub(super) struct P256Key {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P256Key").finish_non_exhaustive()
    }
}

impl P256Key {
    /// Returns a new key whose signatures have the form of certificates (RFC 5480).
    pub(super) fn for_certificate(random: &dyn SecureRandom) -> Result<Self, AcmeError> {
        Self::generate(&ECDSA_P256_SHA256_ASN1_SIGNING, random)
    }

    pub(super) fn generate(
        form: &'static EcdsaSigningAlgorithm,
        random: &dyn SecureRandom,
    ) -> Result<Self, AcmeError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(form, random).map_err(|_| {
            AcmeError::key("no key was generated: the system gives no random numbers")
        })?;
        Self::read(form, Zeroizing::new(pkcs8.as_ref().to_vec()), random)
    }

    pub(super) fn from_pem(
        form: &'static EcdsaSigningAlgorithm,
        text: &str,
        random: &dyn SecureRandom,
    ) -> Result<Self, AcmeError> {
        let mut sections = pem::read(PRIVATE_KEY, text).unwrap_or_default();
        match (sections.pop(), sections.is_empty()) {
            (Some(pkcs8), true) => Self::read(form, pkcs8, random),
            _ => Err(AcmeError::key("the text is not one private key in PEM (PKCS#8)")),
        }
    }

    fn read(
        form: &'static EcdsaSigningAlgorithm,
        pkcs8: Zeroizing<Vec<u8>>,
        random: &dyn SecureRandom,
    ) -> Result<Self, AcmeError> {
        let pair = EcdsaKeyPair::from_pkcs8(form, &pkcs8, random).map_err(|error| {
            AcmeError::key(format!("the key is no P-256 key in PKCS#8: {error}"))
        })?;
        Ok(Self { pair, pkcs8 })
    }

    pub(super) fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::write(PRIVATE_KEY, &self.pkcs8))
    }

    pub(super) fn into_pkcs8(self) -> Zeroizing<Vec<u8>> {
        self.pkcs8
    }

    /// Returns the coordinates of the public point, 32 bytes each.
    pub(super) fn coordinates(&self) -> (&[u8], &[u8]) {
        let point = self.pair.public_key().as_ref();
        let coordinates = point.get(1..).unwrap_or_default();
        coordinates.split_at(coordinates.len() / 2)
    }

    /// Returns a signature in the form that the key was made for.
    pub(super) fn sign(
        &self,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, AcmeError> {
        let signature = self.pair.sign(random, message);
        let signature = signature.map_err(|_| {
            AcmeError::key("nothing was signed: the system gives no random numbers")
        })?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Key with the randomness of its signatures, for `rcgen`.
pub(super) struct Signer<'a> {
    pub(super) key: &'a P256Key,
    pub(super) random: &'a dyn SecureRandom,
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message, self.random).map_err(|_| rcgen::Error::RingUnspecified)
    }
}
