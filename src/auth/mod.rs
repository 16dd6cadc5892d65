//! Who somebody is: Basic (RFC 7617) and Digest (RFC 7616), without I/O.
//!
//! An [`Authenticator`] judges the credentials of each request by the [`Users`] of files that
//! `htpasswd` or `htdigest` wrote. Slow hashes become a [`VerifyJob`], to be run elsewhere; what came of it
//! goes back to [`Authenticator::conclude`]. [`Failures`] says whose guesses are heard no more.
//!
//! Nothing here knows a socket, a clock or randomness: time, secrets and salts are given by the
//! caller. Passwords and what is as good as one are compared in constant time, and are never shown.

mod accounts;
mod algorithm;
mod apr1;
mod authenticator;
pub mod basic;
mod crypt64;
pub mod digest;
pub mod edit;
mod failures;
mod hash;
mod job;
mod line;
mod offer;
mod params;
mod paths;
mod realm;
mod secret;
mod settings;
mod username;
mod users;
mod verdict;

pub use accounts::RealmUsers;
pub use authenticator::Authenticator;
pub use failures::{Failure, FailureLimit, Failures, client_network};
pub use hash::PasswordHash;
pub use job::{VerifyId, VerifyJob, VerifyResult};
pub use line::{StoredSecret, UserEntry};
pub use paths::{PathMatch, PathPrefix, climbs, match_path};
pub use realm::Realm;
pub use secret::{Ha1, Password, Secret};
pub use settings::Settings;
pub use users::{BadLine, UserChanges, Users};
pub use verdict::{Accepted, AuthResult, ChallengeReason, Request, Side};
