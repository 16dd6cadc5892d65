//! Facts of a certificate (RFC 5280): names, dates and keys, for logs, warnings and renewal, sans-IO.
//!
//! A [`CertificateFacts`] says what a certificate states. It does not say whether the statements
//! are true: no signature and no chain is verified here.

mod extension;
mod host;
mod key;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

pub use key::KeyAlgorithm;

/// Largest certificate in bytes that is read. Certificates of servers have a few KiB.
const MOST_BYTES: usize = 64 * 1024;

/// Facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Subject as text (RFC 4514), escaped and shortened for a log line.
    pub subject: String,
    /// Issuer as text, in the same form.
    pub issuer: String,
    /// Common name of the subject, if it has exactly one.
    pub common_name: Option<String>,
    /// True if subject and issuer are the same name.
    pub is_self_issued: bool,
    /// DNS names of the subject alternative name, in lower case, wildcards as they stand. Names
    /// with other characters than those of host names are left out.
    pub dns_names: Vec<String>,
    /// IP addresses of the subject alternative name.
    pub addresses: Vec<IpAddr>,
    /// First time at which the certificate is valid.
    pub not_before: SystemTime,
    /// Last second in which the certificate is valid.
    pub not_after: SystemTime,
    /// Algorithm of the subject's key.
    pub key_algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo in DER. Two certificates with equal values have the same key.
    pub public_key: Vec<u8>,
    /// Content octets of the serial number's DER encoding, with the leading zero that keeps a
    /// number positive.
    pub serial_number: Vec<u8>,
    /// Key identifier of the authority key identifier (RFC 5280 §4.2.1.1).
    pub authority_key_identifier: Option<Vec<u8>>,
}

impl CertificateFacts {
    /// Returns the facts of one certificate in DER.
    ///
    /// # Errors
    /// [`X509Error`] if the certificate is larger than 64 KiB or is no strict DER encoding of
    /// RFC 5280.
    pub fn of(der: &[u8]) -> Result<Self, X509Error> {
        if der.len() > MOST_BYTES {
            return Err(X509Error("the certificate is larger than 64 KiB".to_owned()));
        }
        let certificate = Certificate::from_der(der)?;
        let facts = certificate.tbs_certificate();
        let names = extension::alternative_names(facts)?;
        let key = facts.subject_public_key_info();
        Ok(Self {
            subject: text::of_name(facts.subject()),
            issuer: text::of_name(facts.issuer()),
            common_name: text::common_name(facts.subject()),
            is_self_issued: facts.subject() == facts.issuer(),
            dns_names: names.dns,
            addresses: names.addresses,
            not_before: facts.validity().not_before.to_system_time(),
            not_after: facts.validity().not_after.to_system_time(),
            key_algorithm: KeyAlgorithm::of(key),
            public_key: key.to_der()?,
            serial_number: facts.serial_number().as_bytes().to_vec(),
            authority_key_identifier: extension::authority_key_identifier(facts)?,
        })
    }

    /// Returns true if the certificate names `host`: an IP address, or a host name in any case,
    /// perhaps with a final dot. A wildcard stands for exactly one label (RFC 9525 §6.3). The
    /// common name is not considered.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        match host::address(host) {
            Some(address) => self.addresses.contains(&address),
            None => self.dns_names.iter().any(|name| host::matches(name, host)),
        }
    }

    /// Returns the unique identifier of the certificate for renewal information (RFC 9773 §4.1), or
    /// `None` without an authority key identifier.
    #[must_use]
    pub fn ari_id(&self) -> Option<String> {
        let authority = self.authority_key_identifier.as_ref()?;
        let [authority, serial] =
            [authority, &self.serial_number].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        Some(format!("{authority}.{serial}"))
    }

    /// Returns the lifetime, zero if the certificate ends before it begins.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.not_after.duration_since(self.not_before).unwrap_or_default()
    }

    /// Returns the fraction of the lifetime that is left: 1 before the certificate is valid, 0 once
    /// it has expired.
    #[must_use]
    pub fn life_left(&self, now: SystemTime) -> f64 {
        let lifetime = self.lifetime();
        let left = self.not_after.duration_since(now).unwrap_or_default();
        if lifetime.is_zero() || left.is_zero() {
            return 0.0;
        }
        left.div_duration_f64(lifetime).min(1.0)
    }
}

/// Reason why a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X509Error(String);

impl fmt::Display for X509Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for X509Error {}

impl From<x509_cert::der::Error> for X509Error {
    fn from(error: x509_cert::der::Error) -> Self {
        Self(format!("the certificate is no strict DER encoding of RFC 5280: {error}"))
    }
}
