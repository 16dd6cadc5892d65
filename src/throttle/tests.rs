//! Clients and times for the tests of this module.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::reactor::{Clock, VirtualClock};

use super::client::{ClientKey, ClientUnit};

pub(super) fn start() -> Instant {
    VirtualClock::default().now().mono
}

pub(super) fn address(bits: u32) -> ClientKey {
    ClientKey::of(ClientUnit::Address, IpAddr::V4(bits.into()), None)
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
