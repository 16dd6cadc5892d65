//! Endpoints: addresses of members, and what is known of them.

use std::sync::Arc;
use std::time::Instant;

use super::address::OriginAddress;
use super::ejection::Passive;
use super::health::Health;
use super::slow_start::{SlowStart, WHOLE};
use super::tier::Standing;
use super::turn::Turn;

/// Name of an endpoint. The id of an endpoint that was removed is stale: it names no other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Properties of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct EndpointView<'a> {
    /// Index of the member in the settings.
    pub member: usize,
    /// Name of the member.
    pub name: &'a Arc<str>,
    /// Address to connect to.
    pub address: &'a OriginAddress,
    /// Requests in flight.
    pub in_flight: u32,
    /// True if no active check has found the endpoint down.
    pub is_up: bool,
}

/// State of the probes of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The endpoint is not probed.
    Off,
    /// The next probe is due at this time.
    At(Instant),
    /// A probe is under way.
    UnderWay,
}

/// Endpoint of a member.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) generation: u32,
    pub(super) member: usize,
    pub(super) address: OriginAddress,
    /// Value that names the endpoint to clients.
    pub(super) sticky: u64,
    /// Hash that places the endpoint on the ring.
    pub(super) identity: u64,
    pub(super) in_flight: u32,
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) health: Health,
    pub(super) passive: Passive,
    pub(super) slow_start: Option<SlowStart>,
    pub(super) probe: Probe,
    pub(super) turn: Turn,
    /// Standing that the tier has counted, if the endpoint is usable.
    pub(super) standing: Option<Standing>,
}

impl Endpoint {
    /// Returns true if neither active nor passive checks object to the endpoint.
    pub(super) const fn is_good(&self) -> bool {
        self.health.down().is_none() && self.passive.ejection().is_none()
    }

    /// Returns the thousandths of its weight that are in force.
    pub(super) fn thousandths(&self) -> u64 {
        self.slow_start.map_or(WHOLE, |slow| slow.thousandths())
    }
}
