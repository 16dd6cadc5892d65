//! Group of origins at run time.

mod addresses;
mod check;
mod ejections;
mod orders;
mod places;
mod probes;
mod reconfigure;
mod requests;
mod select;
mod state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use super::change::{Change, ChangeKind};
use super::endpoint::{Endpoint, EndpointId};
use super::health::Down;
use super::order::Orders;
use super::queue::Queue;
use super::random::Random;
use super::retry_budget::Retries;
use super::settings::GroupSettings;
use super::tier::Tier;

/// Most probes under way at once.
pub const MOST_PROBES: usize = 32;
/// Most changes that are kept for [`Group::take_changes`]. Older ones are dropped.
pub const MOST_CHANGES: usize = 1024;

/// Random numbers that the caller supplies.
#[derive(Clone, Copy)]
pub struct Seed {
    /// Start of the numbers for draws and jitter; they need not be secret.
    pub draws: u64,
    /// Key of the values that name endpoints to clients ([`Group::sticky_of`]). Processes that
    /// share the key understand each other's values.
    pub sticky: [u8; 16],
}

/// Shows nothing: the key is secret.
impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Members of a group and the state of their endpoints, for queued requests named by `W`.
///
/// Functions ignore ids that are stale and indexes of members that do not exist. After each call
/// that may free a place, the caller wakes [`take_woken`](Self::take_woken).
#[derive(Debug)]
pub struct Group<W> {
    settings: GroupSettings,
    /// States of the members, in the order of the settings.
    members: Vec<Member>,
    endpoints: Slab<Endpoint>,
    /// Generation of the newest endpoint.
    generation: u32,
    /// Usable endpoints: primary, then backup.
    tiers: [Tier; 2],
    /// Endpoints by the value that names them to clients.
    sticky: BTreeMap<u64, usize>,
    /// Ends of ejections.
    ejected: BTreeSet<(Instant, usize)>,
    /// Next steps of slow starts.
    slow_starts: BTreeSet<(Instant, usize)>,
    /// Next probes of endpoints that are not being probed.
    probes: BTreeSet<(Instant, usize)>,
    /// Number of probes under way.
    probing: usize,
    queue: Queue<W>,
    retries: Retries,
    random: Random,
    seed: Seed,
    changes: VecDeque<Change>,
}

/// State of a member.
#[derive(Debug, Default)]
struct Member {
    endpoints: BTreeSet<usize>,
    /// Last failure to resolve the name.
    unresolved: Option<Down>,
    /// True if the member has no address since its name failed to resolve.
    is_down: bool,
    orders: Orders,
    requests: u64,
    failures: u64,
}

impl<W: Copy + Ord> Group<W> {
    /// Returns a group whose members have no address yet.
    #[must_use]
    pub fn new(settings: GroupSettings, seed: Seed, now: Instant) -> Self {
        Self {
            members: settings.members.iter().map(|_| Member::default()).collect(),
            settings,
            endpoints: Slab::new(),
            generation: 0,
            tiers: <[Tier; 2]>::default(),
            sticky: BTreeMap::new(),
            ejected: BTreeSet::new(),
            slow_starts: BTreeSet::new(),
            probes: BTreeSet::new(),
            probing: 0,
            queue: Queue::new(),
            retries: Retries::new(now),
            random: Random::new(seed.draws),
            seed,
            changes: VecDeque::new(),
        }
    }

    /// Returns the settings in force.
    #[must_use]
    pub const fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// Returns the next time at which the caller calls [`probes_due`](Self::probes_due): for a
    /// probe, the end of an ejection or a step of a slow start.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let probe = self.probes.first().filter(|_| self.probing < MOST_PROBES);
        let firsts = [probe, self.ejected.first(), self.slow_starts.first()];
        firsts.into_iter().flatten().map(|&(at, _)| at).min()
    }

    /// Returns the changes since the last call, at most [`MOST_CHANGES`], oldest first.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes).into()
    }

    /// Returns the index of an endpoint, unless its id is stale.
    fn index(&self, id: EndpointId) -> Option<usize> {
        let index = usize::try_from(id.index).ok()?;
        let endpoint = self.endpoints.get(index)?;
        (endpoint.generation == id.generation).then_some(index)
    }

    fn id(&self, index: usize) -> EndpointId {
        let generation = self.endpoints[index].generation;
        EndpointId { index: u32::try_from(index).expect("a member has few addresses"), generation }
    }

    fn note(&mut self, member: usize, endpoint: Option<usize>, kind: ChangeKind) {
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        let address = endpoint.map(|index| self.endpoints[index].address.clone());
        let member = Arc::clone(&self.settings.members[member].name);
        self.changes.push_back(Change { member, address, kind });
    }
}

/// Groups for tests.
#[cfg(test)]
mod fixture {
    use std::time::Duration;

    use super::*;
    use crate::balance::OriginAddress;
    use crate::balance::ask::{Ask, Outcome, Selection};
    use crate::balance::settings::MemberSettings;
    use crate::reactor::{Clock, VirtualClock};

    /// Group with a clock. Each member `m` has the addresses 127.0.0.`m`, with ports from 1 on.
    pub(super) struct Fixture {
        pub(super) group: Group<u32>,
        pub(super) now: Instant,
    }

    pub(super) fn address(member: usize, port: u16) -> OriginAddress {
        let bits = 0x7f00_0000 + u32::try_from(member).unwrap();
        OriginAddress::Tcp((std::net::Ipv4Addr::from_bits(bits), port).into())
    }

    /// Settings of primary members named `m0`, `m1` and so on, with these weights.
    pub(super) fn settings(weights: &[u32]) -> GroupSettings {
        let member = |(number, &weight): (usize, &u32)| MemberSettings {
            weight,
            ..MemberSettings::new(format!("m{number}").into())
        };
        GroupSettings {
            members: weights.iter().enumerate().map(member).collect(),
            ..GroupSettings::default()
        }
    }

    impl Fixture {
        /// Returns a group whose members have one address each.
        pub(super) fn new(settings: GroupSettings) -> Self {
            let now = VirtualClock::default().now().mono;
            let members = settings.members.len();
            let group = Group::new(settings, Seed { draws: 1, sticky: [2; 16] }, now);
            let mut fixture = Self { group, now };
            (0..members).for_each(|member| fixture.resolve(member, 1));
            fixture.group.take_changes();
            fixture
        }

        pub(super) fn resolve(&mut self, member: usize, addresses: u16) {
            let addresses: Vec<_> = (1..=addresses).map(|port| address(member, port)).collect();
            self.group.set_addresses(member, &addresses, self.now);
            self.group.check();
        }

        pub(super) fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        pub(super) fn seconds(&mut self, seconds: u64) {
            self.pass(Duration::from_secs(seconds));
        }

        pub(super) fn ask(&mut self, ask: &Ask<'_>) -> Selection {
            let selection = self.group.select(ask, self.now);
            self.group.check();
            selection
        }

        /// Selects an endpoint that must exist.
        pub(super) fn pick_with(&mut self, ask: &Ask<'_>) -> EndpointId {
            match self.ask(ask) {
                Selection::Endpoint(id) => id,
                other => panic!("{other:?}"),
            }
        }

        pub(super) fn pick(&mut self) -> EndpointId {
            self.pick_with(&Ask::default())
        }

        /// Begins a request and returns its endpoint.
        pub(super) fn begin(&mut self) -> EndpointId {
            let id = self.pick();
            self.group.begin(id);
            id
        }

        pub(super) fn end(&mut self, id: EndpointId) {
            self.group.end(id, Some(Outcome::Success), self.now);
            self.group.check();
        }

        /// Fails so many requests to an endpoint.
        pub(super) fn fail(&mut self, id: EndpointId, times: usize) {
            for _ in 0..times {
                self.group.begin(id);
                self.group.end(id, Some(Outcome::Failure("reset".into())), self.now);
                self.group.check();
            }
        }

        /// Returns the first endpoint of a member.
        pub(super) fn id(&self, member: usize) -> EndpointId {
            self.group.members(self.now).nth(member).unwrap().endpoints[0].id
        }

        pub(super) fn member_of(&self, id: EndpointId) -> usize {
            self.group.member_of(id).unwrap()
        }

        /// Returns the members of so many selections.
        pub(super) fn picks(&mut self, times: usize) -> Vec<usize> {
            let ids: Vec<EndpointId> = (0..times).map(|_| self.pick()).collect();
            ids.into_iter().map(|id| self.member_of(id)).collect()
        }

        /// Returns the number of selections of each member among so many.
        pub(super) fn shares(&mut self, times: usize) -> Vec<usize> {
            let picks = self.picks(times);
            let members = self.group.settings().members.len();
            (0..members)
                .map(|member| picks.iter().filter(|&&pick| pick == member).count())
                .collect()
        }

        /// Answers the probes that are due, until the clock has advanced by so many seconds.
        pub(super) fn probe(&mut self, seconds: u64, succeeds: impl Fn(usize) -> bool) {
            let end = self.now + Duration::from_secs(seconds);
            while let Some(at) = self.group.next_deadline().filter(|&at| at <= end) {
                self.now = self.now.max(at);
                for id in self.group.probes_due(self.now) {
                    let result = if succeeds(self.member_of(id)) {
                        Ok(())
                    } else {
                        Err("connection refused".into())
                    };
                    self.group.probe_done(id, result, self.now);
                    self.group.check();
                }
            }
            self.now = end;
        }
    }
}

#[cfg(test)]
mod tests;
