//! Keys and certificates for tests: an authority, a server for the origins of scenarios and this machine,
//! and a client. All keys are Ed25519, whose signatures have one length, so that a simulated handshake
//! takes the same bytes in every run.

use std::sync::Arc;

use tidegate::reactor::Clock;
use tidegate::tls::{
    Certificate, CertificateDer, Certificates, OriginTls, OriginTlsOptions, ServerTls,
    ServerTlsOptions, TimeProvider, WallTime, certificates_of, key_of,
};

const AUTHORITY: &[u8] = include_bytes!("ca.pem");
const SERVER: (&[u8], &[u8]) = (include_bytes!("server.pem"), include_bytes!("server.key"));

/// Returns the certificates of the authority.
pub(crate) fn authority() -> Vec<CertificateDer<'static>> {
    certificates_of(AUTHORITY).unwrap()
}

/// Returns the certificate of the server, with its key.
fn server(clock: &impl Clock) -> Certificate {
    let (chain, key) = (certificates_of(SERVER.0).unwrap(), key_of(SERVER.1).unwrap());
    Certificate::new(chain, key, clock.now().wall).unwrap()
}

/// Returns the settings of a server with that certificate.
pub(crate) fn server_tls(clock: &(impl Clock + Clone + Send + Sync + 'static)) -> Arc<ServerTls> {
    Arc::new(ServerTls::new(server_options(clock), &time(clock)).unwrap())
}

/// Returns the options of a server with that certificate.
pub(crate) fn server_options(clock: &impl Clock) -> ServerTlsOptions {
    let certificates = Certificates::new(vec![server(clock)], false);
    ServerTlsOptions { certificates, ..ServerTlsOptions::default() }
}

/// Returns the settings of a client that trusts the authority.
pub(crate) fn origin_tls(clock: &(impl Clock + Clone + Send + Sync + 'static)) -> Arc<OriginTls> {
    let options = OriginTlsOptions { authorities: authority(), ..OriginTlsOptions::default() };
    Arc::new(OriginTls::new(options, &time(clock)).unwrap())
}

pub(crate) fn time(clock: &(impl Clock + Clone + Send + Sync + 'static)) -> Arc<dyn TimeProvider> {
    Arc::new(WallTime(clock.clone()))
}
