//! The ACME client against a CA within the test, which verifies each signature, nonce, response to
//! a challenge and certificate request; and the policy of renewal.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod account;
mod ca;
mod challenge;
mod issuance;
mod jws;
mod malformed;
mod properties;
mod query;
mod refused;
mod renewal;
mod revocation;
mod world;
