//! TLS (RFC 8446, RFC 5246) over connections of the reactor, by rustls: certificates and settings on
//! both sides, and the [`Layer`](crate::reactor::Layer)s that speak it.
//!
//! Nothing here touches a socket, a file or a clock: layers get the wire from the reactor, files are
//! read by the caller, and the time comes from a [`TimeProvider`].

mod certificates;
mod chain_problem;
mod facts;
mod in_flight;
mod material;
mod not_tls;
mod offer;
mod origin;
mod problem;
mod provider;
mod server;
mod server_layer;
mod session;
mod time;
mod verifier;

pub use certificates::{Certificate, Certificates};
pub use facts::{Facts, PeerCertificate};
pub use material::{MaterialError, authorities_of, certificates_of, key_of};
pub use not_tls::NotTls;
pub use origin::{OriginTls, OriginTlsOptions, Profile};
pub use problem::{Problem, ProblemKind};
pub use server::{ClientAuth, ServerTls, ServerTlsOptions};
pub use server_layer::ServerLayer;
pub use session::Session;
pub use time::WallTime;

pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
pub use rustls::time_provider::TimeProvider;
