//! ACME client (RFC 8555) and renewal policy (RFC 9773), sans-IO: certificates from a CA, for the
//! names and addresses that clients use.
//!
//! [`Issuance`], [`Revocation`] and [`RenewalQuery`] return the requests to send and take the
//! responses. Their driver owns the sockets, the clock, the random numbers and the files; all times
//! are [`SystemTime`](std::time::SystemTime). The driver also answers for the challenges of an
//! issuance. [`renewal`] decides when a certificate is renewed.

mod account;
mod authorizations;
mod bounds;
mod certificate;
mod challenge;
mod error;
mod identifier;
mod issuance;
mod jws;
mod key;
mod object;
mod order;
mod pem;
mod problem;
mod query;
pub mod renewal;
mod revocation;
mod session;
mod transport;

pub use account::{Account, AccountKey, ExternalAccount};
pub use bounds::{MOST_CHAIN, MOST_IDENTIFIERS, MOST_JSON, MOST_REQUESTS, OPERATION_TIME};
pub use certificate::Issued;
pub use challenge::{Challenge, ChallengeCertificate, ChallengeKind, http_answer, http_token};
pub use error::{AcmeError, AcmeErrorKind};
pub use identifier::Identifier;
pub use issuance::Issuance;
pub use object::{Directory, check_directory};
pub use order::CertificateOrder;
pub use problem::Problem;
pub use query::RenewalQuery;
pub use revocation::{Revocation, RevocationReason};
pub use transport::{Action, Method, Request, Response};
