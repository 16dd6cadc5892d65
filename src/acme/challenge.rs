//! Challenges, and the responses to them: HTTP-01 (RFC 8555 §8.3) and TLS-ALPN-01 (RFC 8737).

use std::fmt;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName};
use ring::rand::SecureRandom;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::AcmeError;
use super::identifier::Identifier;
use super::key::{P256Key, Signer};

/// Path below which HTTP-01 asks for tokens.
const WELL_KNOWN: &str = "/.well-known/acme-challenge/";

/// Kind of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeKind {
    /// The CA fetches the key authorization over HTTP, on port 80.
    Http01,
    /// The CA asks for a certificate with the key authorization, on port 443.
    TlsAlpn01,
}

impl ChallengeKind {
    /// Returns the kind with this name, `http-01` or `tls-alpn-01`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Http01, Self::TlsAlpn01].into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the name of the kind, as the protocol spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Challenge that must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Identifier that the CA validates.
    pub identifier: Identifier,
    /// Kind.
    pub kind: ChallengeKind,
    /// Token, in base64url.
    pub token: String,
    /// Key authorization: the content of the response to HTTP-01, and what the certificate of
    /// TLS-ALPN-01 proves.
    pub key_authorization: String,
}

impl Challenge {
    /// Returns the certificate that answers TLS-ALPN-01, for handshakes that ask for
    /// [`Identifier::server_name`] and offer the protocol `acme-tls/1`.
    ///
    /// # Errors
    /// [`AcmeError`] if no key can be generated.
    pub fn certificate(
        &self,
        random: &dyn SecureRandom,
    ) -> Result<ChallengeCertificate, AcmeError> {
        let key = P256Key::for_certificate(random)?;
        let failure = |error| AcmeError::key(format!("no certificate for tls-alpn-01: {error}"));
        let mut params = CertificateParams::new([self.identifier.to_string()]).map_err(failure)?;
        params.distinguished_name = DistinguishedName::new();
        let digest = Sha256::digest(&self.key_authorization);
        params.custom_extensions.push(CustomExtension::new_acme_identifier(&digest));
        let certificate = params.self_signed(&Signer { key: &key, random }).map_err(failure)?;
        Ok(ChallengeCertificate { certificate: certificate.der().to_vec(), key: key.into_pkcs8() })
    }
}

/// Certificate that answers TLS-ALPN-01.
#[derive(Clone)]
pub struct ChallengeCertificate {
    /// Certificate in DER.
    pub certificate: Vec<u8>,
    /// Its private key in DER (PKCS#8).
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for ChallengeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeCertificate").finish_non_exhaustive()
    }
}

/// Returns the token that a request path of HTTP-01 asks for, or `None` for other paths.
#[must_use]
pub fn http_token(path: &str) -> Option<&str> {
    path.strip_prefix(WELL_KNOWN).filter(|token| super::transport::is_base64_url(token))
}

/// Returns the content that answers a request of HTTP-01 for `path`, of type
/// `application/octet-stream`; `None` if no challenge has the token of the path.
pub fn http_answer<'a>(
    path: &str,
    mut challenges: impl Iterator<Item = &'a Challenge>,
) -> Option<&'a str> {
    let token = http_token(path)?;
    let is_asked = |it: &&Challenge| it.kind == ChallengeKind::Http01 && it.token == token;
    challenges.find(is_asked).map(|challenge| challenge.key_authorization.as_str())
}
