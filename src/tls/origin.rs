//! Settings of TLS towards origins.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::{ClientConnection, Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, Connection, RootCertStore};
use sha2::{Digest, Sha256};

use super::certificates::Certificate;
use super::material::MaterialError;
use super::provider::provider;
use super::session::Session;
use super::verifier::OriginVerifier;

/// Sessions that are remembered for resumption, for each way of verification.
const SESSIONS: usize = 256;

/// How an origin is verified. Connections of one profile are not used under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// True if the certificate has to be valid for the host.
    pub is_verified: bool,
    /// Fingerprint of the authorities, the name and the certificate presented: equal options give
    /// equal numbers.
    options: u64,
}

/// Options of [`OriginTls`].
#[derive(Debug, Default)]
pub struct OriginTlsOptions {
    /// Authorities that may issue certificates of origins.
    pub authorities: Vec<CertificateDer<'static>>,
    /// True if the authorities of the Mozilla root program, which this build contains, are trusted.
    pub built_in: bool,
    /// Certificate that is presented to origins that ask.
    pub client: Option<Certificate>,
    /// Hosts whose certificates are not verified, in lower case.
    pub unverified: BTreeSet<String>,
    /// Name to ask for and to verify in place of the URI's host.
    pub server_name: Option<String>,
}

/// TLS towards origins: authorities, sessions to resume, and exceptions.
#[derive(Clone, Debug)]
pub struct OriginTls {
    verified: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
    exempt: BTreeSet<String>,
    fingerprint: u64,
    server_name: Option<ServerName<'static>>,
}

impl OriginTls {
    /// Builds the settings from `options`, on the clock `time`.
    ///
    /// # Errors
    /// Returns the reason if the certificate or key cannot be used, or if the name is none.
    pub fn new(
        options: OriginTlsOptions,
        time: &Arc<dyn TimeProvider>,
    ) -> Result<Self, MaterialError> {
        let fingerprint = options.fingerprint();
        let mut roots = RootCertStore::empty();
        if options.built_in {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        // Bundles of systems contain certificates that are no valid authorities; others count.
        roots.add_parsable_certificates(options.authorities);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = verifier.build().map_err(|error| {
            MaterialError(format!("the authorities for origins cannot be used: {error}"))
        })?;
        let server_name = match options.server_name {
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| {
                MaterialError(format!("'{name}' is neither a host name nor an address"))
            })?),
            None => None,
        };
        let client = options.client.as_ref();
        let config = |accepts_any| {
            let webpki = Arc::clone(&verifier);
            config(Arc::new(OriginVerifier { webpki, accepts_any }), client, time)
        };
        Ok(Self {
            verified: config(false)?,
            unverified: config(true)?,
            exempt: options.unverified,
            fingerprint,
            server_name,
        })
    }

    /// Returns how the origin `host` is verified.
    #[must_use]
    pub fn profile(&self, host: &str) -> Profile {
        Profile { is_verified: !self.exempt.contains(host), options: self.fingerprint }
    }

    /// Returns the layer of a connection to the origin `host`, a name in lower case or an address.
    ///
    /// # Errors
    /// Returns the reason if `host` is no name that a certificate can have.
    pub fn layer(&self, host: &str) -> Result<Session, MaterialError> {
        let connection = self.connection(host, self.profile(host).is_verified)?;
        Ok(Session::new(Connection::Client(connection)))
    }

    /// Returns a connection to the origin `host`, a name in lower case or an address, for a caller that
    /// moves the bytes itself. The certificate is verified if `is_verified`.
    ///
    /// # Errors
    /// Returns the reason if `host` is no name that a certificate can have.
    pub fn connection(
        &self,
        host: &str,
        is_verified: bool,
    ) -> Result<ClientConnection, MaterialError> {
        let name = match (&self.server_name, host.trim_matches(['[', ']']).parse::<IpAddr>()) {
            (Some(name), _) => name.clone(),
            (None, Ok(address)) => ServerName::IpAddress(address.into()),
            (None, Err(_)) => ServerName::try_from(host.trim_end_matches('.').to_owned())
                .map_err(|_| MaterialError(format!("'{host}' is no name of a certificate")))?,
        };
        let config = if is_verified { &self.verified } else { &self.unverified };
        let connection = ClientConnection::new(Arc::clone(config), name);
        connection.map_err(|error| MaterialError(error.to_string()))
    }
}

impl OriginTlsOptions {
    /// Returns a number that differs between options under which connections differ.
    fn fingerprint(&self) -> u64 {
        let mut hash = Sha256::new();
        let built_in: &[u8] = if self.built_in { b"built in" } else { b"" };
        let parts = [built_in].into_iter().chain(self.authorities.iter().map(AsRef::as_ref));
        let chain = self.client.iter().flat_map(|client| &client.key.cert).map(AsRef::as_ref);
        let name = self.server_name.iter().map(String::as_bytes);
        for part in parts.chain([&b"client"[..]]).chain(chain).chain([&b"name"[..]]).chain(name) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

fn config(
    verifier: Arc<OriginVerifier>,
    client: Option<&Certificate>,
    time: &Arc<dyn TimeProvider>,
) -> Result<Arc<ClientConfig>, MaterialError> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::clone(time))
        .with_safe_default_protocol_versions()
        .map_err(|error| MaterialError(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let single = SingleCertAndKey::from(Arc::clone(&client.key));
            builder.with_client_cert_resolver(Arc::new(single))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}
