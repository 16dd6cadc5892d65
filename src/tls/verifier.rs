//! Verification of an origin's certificate, with errors that say which certificate is to blame.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::problem::Problem;

/// Verifier that follows webpki (RFC 5280, RFC 9525), with errors that name what is wrong. Revocation is
/// not checked.
#[derive(Debug)]
pub(super) struct OriginVerifier {
    pub(super) webpki: Arc<WebPkiServerVerifier>,
    /// True if any certificate is accepted, as long as the origin has its key: for origins that the
    /// operator has exempted by name.
    pub(super) accepts_any: bool,
}

impl ServerCertVerifier for OriginVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.accepts_any {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.webpki.verify_server_cert(leaf, chain, name, ocsp, now);
        verified.map_err(|error| match error {
            Error::InvalidCertificate(error) => {
                let presented: Vec<_> = [leaf].into_iter().chain(chain).collect();
                blame(Problem::of_chain(&error, &presented, &name.to_str()))
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.webpki.verify_tls12_signature(message, leaf, signature);
        verified.map_err(|error| of_handshake(error, leaf))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.webpki.verify_tls13_signature(message, leaf, signature);
        verified.map_err(|error| of_handshake(error, leaf))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Says what is wrong if the origin's signature of the handshake cannot be verified.
fn of_handshake(error: Error, leaf: &CertificateDer<'_>) -> Error {
    match error {
        Error::InvalidCertificate(error) => blame(Problem::of_handshake_signature(&error, leaf)),
        error => error,
    }
}

/// Wraps a problem into an error of rustls.
fn blame(problem: Problem) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(problem))))
}
