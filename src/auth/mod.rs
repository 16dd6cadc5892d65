//! Authentication of users: Basic (RFC 7617) and Digest (RFC 7616), without I/O.
//!
//! An [`Authenticator`] verifies the credentials of each request against [`Users`], read from files
//! in the format of `htpasswd` or `htdigest`. A slow hash becomes a [`VerifyJob`], which the caller
//! runs on another thread; its result goes to [`Authenticator::finish_verification`]. [`Failures`]
//! bans clients that guess.
//!
//! Nothing here knows a socket, a clock or randomness: the caller supplies time, secrets and salts.
//! Passwords and their equivalents are compared in constant time, and never shown.

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
