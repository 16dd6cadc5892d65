//! Certificates and keys from the text of PEM files (RFC 7468).

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reason why certificates or a key cannot be used, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialError(pub(super) String);

impl fmt::Display for MaterialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MaterialError {}

/// Returns the certificates of a PEM file in their order, at least one.
///
/// # Errors
/// Returns the reason if the file has no certificate or is malformed.
pub fn certificates_of(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => {
            Err(MaterialError("the file has no certificate (-----BEGIN CERTIFICATE-----)".into()))
        }
        Err(error) => Err(malformed(&error)),
    }
}

/// Returns the authorities of a PEM file in their order, at least one.
///
/// # Errors
/// Returns the reason if the file has no certificate, or one that cannot be that of an authority.
pub fn authorities_of(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let authorities = certificates_of(text)?;
    for (place, authority) in (1..).zip(&authorities) {
        RootCertStore::empty().add(authority.clone()).map_err(|error| {
            MaterialError(format!("certificate {place} cannot be that of an authority: {error}"))
        })?;
    }
    Ok(authorities)
}

/// Returns the first private key of a PEM file: PKCS #8, PKCS #1 or SEC 1, not encrypted.
///
/// # Errors
/// Returns the reason if the file has no such key or is malformed.
pub fn key_of(text: &[u8]) -> Result<PrivateKeyDer<'static>, MaterialError> {
    // PKCS #8, and the older form of OpenSSL (RFC 1421 §4.6.1.1).
    let encrypted: [&[u8]; 2] =
        [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"\nProc-Type: 4,ENCRYPTED"];
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(_) if encrypted.iter().any(|mark| contains(text, mark)) => Err(MaterialError(
            "the key is encrypted; decrypt it with 'openssl pkey -in KEY -out NEW'".into(),
        )),
        Err(pem::Error::NoItemsFound) => {
            Err(MaterialError("the file has no private key (-----BEGIN PRIVATE KEY-----)".into()))
        }
        Err(error) => Err(malformed(&error)),
    }
}

fn malformed(error: &pem::Error) -> MaterialError {
    MaterialError(format!("the file is no valid PEM: {error}"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
