//! Cryptography of TLS: ring, or aws-lc with the feature of that name.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ProducesTickets;

/// Returns the algorithms of TLS connections.
pub(super) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// Returns a maker of session tickets, whose keys last six hours. `None` if the system has no random
/// numbers: sessions are not resumed then.
pub(super) fn ticketer() -> Option<Arc<dyn ProducesTickets>> {
    #[cfg(feature = "aws-lc")]
    let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "aws-lc"))]
    let ticketer = rustls::crypto::ring::Ticketer::new();
    ticketer.ok()
}
