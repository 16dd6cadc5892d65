//! Settings of TLS towards clients.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{AlertDescription, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

use super::certificates::{Certificate, Certificates};
use super::material::MaterialError;
use super::provider::{provider, ticketer};

/// Protocol that is spoken inside (RFC 7301).
const HTTP: &[u8] = b"http/1.1";
/// Protocol of a certificate authority that checks who serves a name (RFC 8737 §4).
pub(super) const ACME_TLS_1: &[u8] = b"acme-tls/1";

/// Certificates that clients present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients may present a certificate, which is verified.
    Optional,
    /// Clients without a valid certificate are refused.
    #[default]
    Required,
}

/// Options of [`ServerTls`].
#[derive(Clone, Debug, Default)]
pub struct ServerTlsOptions {
    /// Certificates of this server.
    pub certificates: Certificates,
    /// Authorities that issue certificates of clients; without any, clients are not asked.
    pub client_authorities: Vec<CertificateDer<'static>>,
    /// Need of clients for a certificate, if there are authorities.
    pub client_auth: ClientAuth,
}

/// TLS towards clients: certificates, sessions that can be resumed, and verification of clients.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    /// Answers to challenges of a certificate authority, by name.
    challenges: HashMap<String, Arc<ServerConfig>>,
    time: Arc<dyn TimeProvider>,
    fingerprint: [u8; 32],
}

impl ServerTlsOptions {
    /// Returns the hash of all that is served and asked for. A key has its public part in the
    /// certificate.
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let chains = self.certificates.list().iter().map(|certificate| &certificate.key.cert);
        for list in chains.chain([&self.client_authorities]) {
            hash.update((list.len() as u64).to_be_bytes());
            for der in list {
                hash.update((der.len() as u64).to_be_bytes());
                hash.update(der);
            }
        }
        hash.finalize().into()
    }
}

impl ServerTls {
    /// Builds the settings from `options`, on the clock `time`.
    ///
    /// # Errors
    /// Returns the reason if the authorities cannot be used.
    pub fn new(
        options: ServerTlsOptions,
        time: &Arc<dyn TimeProvider>,
    ) -> Result<Self, MaterialError> {
        let fingerprint = options.fingerprint();
        let certificates = Arc::new(options.certificates);
        let versions = ServerConfig::builder_with_details(provider(), Arc::clone(time))
            .with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| MaterialError(error.to_string()))?;
        let builder = if options.client_authorities.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for authority in options.client_authorities {
                roots.add(authority).map_err(|error| {
                    MaterialError(format!("an authority for clients cannot be used: {error}"))
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            let verifier = match options.client_auth {
                ClientAuth::Optional => verifier.allow_unauthenticated(),
                ClientAuth::Required => verifier,
            };
            let verifier = verifier.build().map_err(|error| {
                MaterialError(format!("the authorities for clients cannot be used: {error}"))
            })?;
            builder.with_client_cert_verifier(verifier)
        };
        let resolver: Arc<Certificates> = Arc::clone(&certificates);
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP.to_vec()];
        config.send_tls13_tickets = 1;
        if let Some(ticketer) = ticketer() {
            config.ticketer = ticketer;
        }
        let (config, time) = (Arc::new(config), Arc::clone(time));
        Ok(Self { config, certificates, challenges: HashMap::new(), time, fingerprint })
    }

    /// Returns the same settings with further certificates, and with `answers` to clients that ask for
    /// a name by the protocol of challenges (RFC 8737).
    #[must_use]
    pub fn with<'a>(
        &self,
        further: Vec<Certificate>,
        answers: impl Iterator<Item = &'a (String, Certificate)>,
    ) -> Self {
        let certificates = Arc::new(self.certificates.and(further));
        let resolver: Arc<Certificates> = Arc::clone(&certificates);
        let mut config = (*self.config).clone();
        config.cert_resolver = resolver;
        let challenge = |(name, certificate): &(String, Certificate)| {
            Some((name.clone(), self.challenge(certificate)?))
        };
        let challenges = answers.filter_map(challenge).collect();
        Self { config: Arc::new(config), certificates, challenges, ..self.clone() }
    }

    /// Returns the settings with which a challenge is answered: no client has to present a certificate.
    fn challenge(&self, certificate: &Certificate) -> Option<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_details(provider(), Arc::clone(&self.time));
        let builder = builder.with_safe_default_protocol_versions().ok()?.with_no_client_auth();
        let only = Certificates::new(vec![certificate.clone()], false);
        let mut config = builder.with_cert_resolver(Arc::new(only));
        config.alpn_protocols = vec![ACME_TLS_1.to_vec()];
        Some(Arc::new(config))
    }

    /// Returns a number that differs between settings with other certificates or authorities, before
    /// others are [added](Self::with).
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Returns the certificates of this server.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Chooses how a client is served, or the alert that refuses it.
    pub(super) fn choose(
        &self,
        hello: &ClientHello<'_>,
        name: Option<&str>,
    ) -> Result<Arc<ServerConfig>, AlertDescription> {
        let asks_acme =
            hello.alpn().is_some_and(|mut alpn| alpn.any(|protocol| protocol == ACME_TLS_1));
        if asks_acme {
            let challenge = name.and_then(|name| self.challenges.get(name));
            return challenge.cloned().ok_or(AlertDescription::UnrecognisedName);
        }
        match self.certificates.choose(name).next() {
            Some(_) => Ok(Arc::clone(&self.config)),
            None => Err(AlertDescription::UnrecognisedName),
        }
    }
}
