//! Helpers of a proxy for simulations in which no name is found and no password verified.

use std::net::IpAddr;

use tidegate::auth::VerifyJob;
use tidegate::proxy::{NameResolver, PasswordVerifier};

/// Never answers, and verifies nothing.
#[derive(Debug)]
pub(crate) struct Unused;

impl NameResolver for Unused {
    fn ask(&mut self, _: &str, _: Option<IpAddr>) {}
}

impl PasswordVerifier for Unused {
    fn ask(&mut self, _: VerifyJob, _: usize) -> bool {
        false
    }
}
