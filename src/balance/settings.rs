//! Settings of a group.

use std::sync::Arc;
use std::time::Duration;

/// Largest weight of a member.
pub const MOST_WEIGHT: u32 = 1000;

/// Policy that selects an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Smooth weighted round robin: exact proportions, spread evenly.
    #[default]
    RoundRobin,
    /// Endpoint with the fewest requests in flight in proportion to its weight; round robin among
    /// equals.
    LeastRequests,
    /// The less loaded one of two endpoints that are drawn by weight.
    TwoChoices,
    /// Consistent hashing of [`Ask::hash`](super::Ask::hash) with bounded load; round robin for
    /// requests without hash.
    Hash,
}

/// Settings of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSettings {
    /// Policy that selects an endpoint.
    pub policy: Policy,
    /// Members, each with another name.
    pub members: Vec<MemberSettings>,
    /// Time in which the weight of an endpoint that came up again, or returned from an ejection,
    /// rises from a tenth to the whole. Zero: the whole weight at once. Under [`Policy::Hash`] the
    /// weight in force counts only for the bound of load, so that keys stay where they are.
    pub slow_start: Duration,
    /// Active checks; `None` without.
    pub health: Option<HealthSettings>,
    /// Ejection of endpoints that fail requests.
    pub passive: PassiveSettings,
    /// Bound of retries.
    pub retry_budget: RetryBudget,
    /// Most requests that wait for a place. 0: none waits.
    pub queue: usize,
    /// Time after which a waiting request fails. The caller enforces it.
    pub queue_timeout: Duration,
    /// Bound of the load of an endpoint under [`Policy::Hash`], in percent of its share by weight
    /// of all requests in flight. 0: no bound; 1 to 99 count as 100.
    pub hash_balance: u32,
}

impl Default for GroupSettings {
    /// Round robin without members, active checks, slow start and queue; a queue timeout of 10 s
    /// and a hash balance of 125 %.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            members: Vec::new(),
            slow_start: Duration::ZERO,
            health: None,
            passive: PassiveSettings::default(),
            retry_budget: RetryBudget::default(),
            queue: 0,
            queue_timeout: Duration::from_secs(10),
            hash_balance: 125,
        }
    }
}

/// Settings of a member: one URL of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// URL as the operator has written it. It names the member across reloads.
    pub name: Arc<str>,
    /// Share of requests, 1 to [`MOST_WEIGHT`], of each of its endpoints. Other values are
    /// clamped.
    pub weight: u32,
    /// True if the member gets requests only while no other member can.
    pub backup: bool,
    /// Most requests in flight to each of its endpoints, at least 1; `None` without bound.
    pub max_requests: Option<u32>,
}

impl MemberSettings {
    /// Returns a primary member of weight 1 without bound of requests.
    #[must_use]
    pub const fn new(name: Arc<str>) -> Self {
        Self { name, weight: 1, backup: false, max_requests: None }
    }
}

/// Settings of active checks: the caller probes each endpoint in intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Time between two probes, from 1 ms to a day. Other values are clamped.
    pub interval: Duration,
    /// Time after which a probe has failed. The caller enforces it.
    pub timeout: Duration,
    /// Successful probes in a row after which an endpoint that is down comes up, at least 1.
    pub rise: u32,
    /// Failed probes in a row after which an endpoint goes down, at least 1.
    pub fall: u32,
    /// Random part of the interval, in percent: each interval is longer or shorter by at most that.
    /// Values above 100 count as 100.
    pub jitter: u32,
}

impl Default for HealthSettings {
    /// A probe every 5 s ± 10 % with 2 s of time; up after 2 successes, down after 3 failures.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            jitter: 10,
        }
    }
}

/// Settings of passive checks: endpoints that fail requests are ejected for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassiveSettings {
    /// Failed requests in a row after which an endpoint is ejected. 0: none is.
    pub failures: u32,
    /// Time of the first ejection. Each further one takes twice the time of the one before.
    pub eject: Duration,
    /// Longest time of an ejection; also the time without ejection after which the next one is half
    /// as long.
    pub eject_max: Duration,
}

impl Default for PassiveSettings {
    /// Ejection after 3 failures, for 10 s at first and 5 minutes at most.
    fn default() -> Self {
        Self { failures: 3, eject: Duration::from_secs(10), eject_max: Duration::from_secs(5 * 60) }
    }
}

/// Bound of retries: a share of requests, and a number that is always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries allowed in percent of requests.
    pub percent: u32,
    /// Retries allowed per second beside that share.
    pub least_per_second: u32,
}

impl Default for RetryBudget {
    /// 20 % and 10 per second.
    fn default() -> Self {
        Self { percent: 20, least_per_second: 10 }
    }
}
