//! Who somebody is: Basic (RFC 7617) and Digest (RFC 7616), without I/O.
//!
//! An [`Authenticator`] judges the credentials of each request by the [`Users`] of files that
//! `htpasswd` or `htdigest` wrote. Slow hashes become a [`VerifyJob`], to be run elsewhere; what came of it
//! goes back to [`Authenticator::finish_verification`]. [`Failures`] says whose guesses are heard no more.
//!
//! Nothing here knows a socket, a clock or randomness: time, secrets and salts are given by the
//! caller. Passwords and what is as good as one are compared in constant time, and are never shown.

mod algorithm;
mod apr1;
mod auth_result;
mod authenticator;
pub mod basic;
mod crypt64;
pub mod digest;
pub mod edit;
mod failures;
mod hash;
mod offer;
mod params;
mod paths;
mod realm;
mod realm_users;
mod secret;
mod settings;
mod user_entry;
mod username;
mod users;
mod verification;

pub use auth_result::{Accepted, AuthResult, ChallengeReason, Request, Side};
pub use authenticator::Authenticator;
pub use failures::{Failure, FailureLimit, Failures, client_network};
pub use hash::PasswordHash;
pub use paths::{PathMatch, PathPrefix, climbs, match_path};
pub use realm::Realm;
pub use realm_users::RealmUsers;
pub use secret::{Ha1, Password, Secret};
pub use settings::AuthSettings;
pub use user_entry::{StoredSecret, UserEntry};
pub use users::{BadLine, UserChanges, Users};
pub use verification::{VerifyId, VerifyJob, VerifyResult};
