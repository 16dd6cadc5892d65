//! Bans in force, by network and by their ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::access::Cidr;
use crate::work::{LOOK_UP, count};

use super::action::BanAction;
use super::entry::Entry;

/// Networks with their bans, one for each action. A ban that has ended stays until it is removed,
/// and has no effect.
///
/// If there is no room for another ban, the ban by a rule that ends first is removed. Bans by the
/// operator are removed only for another one by the operator.
#[derive(Debug)]
pub(super) struct InForce {
    networks: HashMap<Cidr, [Option<Held>; BanAction::ALL.len()]>,
    /// Number of networks by family (true for IPv4) and prefix length.
    lengths: BTreeMap<(bool, u8), usize>,
    /// Ends of the bans by rules.
    rules: BTreeSet<End>,
    /// Ends of the bans by the operator.
    operator: BTreeSet<End>,
    bound: usize,
}

/// Ban of a network.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) since: SystemTime,
    pub(super) until: SystemTime,
    pub(super) ends: Instant,
    pub(super) offences: u32,
    pub(super) by_operator: bool,
    pub(super) why: Arc<str>,
}

/// End of a ban; ends sort by time.
type End = (Instant, Cidr, BanAction);

impl InForce {
    /// Returns a table with room for `bound` bans, or one if `bound` is 0.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            networks: HashMap::new(),
            lengths: BTreeMap::new(),
            rules: BTreeSet::new(),
            operator: BTreeSet::new(),
            bound: bound.max(1),
        }
    }

    /// Returns the number of bans.
    pub(super) fn len(&self) -> usize {
        self.rules.len() + self.operator.len()
    }

    /// Returns true if there is no ban.
    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Returns the ban of `network` with `action`.
    pub(super) fn get(&self, network: &Cidr, action: BanAction) -> Option<&Held> {
        count(LOOK_UP);
        self.networks.get(network)?[action as usize].as_ref()
    }

    /// Returns the strongest ban in force on `address`; of equal ones, the one that ends last.
    pub(super) fn find(&self, address: IpAddr, now: Instant) -> Option<(Cidr, BanAction, &Held)> {
        let is_v4 = address.to_canonical().is_ipv4();
        let lengths = self.lengths.range((is_v4, 0)..=(is_v4, u8::MAX));
        let networks = lengths.filter_map(|(&(_, length), _)| {
            count(LOOK_UP);
            self.networks.get_key_value(&Cidr::around(address, length)?)
        });
        let bans = networks.filter_map(|(&network, bans)| {
            let mut bans = BanAction::ALL.into_iter().zip(bans).rev();
            let (action, held) = bans.find_map(|(action, held)| {
                Some((action, held.as_ref().filter(|held| held.ends > now)?))
            })?;
            Some((network, action, held))
        });
        bans.max_by_key(|(_, action, held)| (*action, held.ends))
    }

    /// Stores a ban, which replaces one of the same network and action. Returns the ban that was
    /// removed to make room.
    ///
    /// # Errors
    /// The ban, if there is room for bans by the operator only.
    pub(super) fn insert(
        &mut self,
        network: Cidr,
        action: BanAction,
        held: Held,
    ) -> Result<Option<(Cidr, BanAction, Held)>, Held> {
        let replaces = self.remove(&network, action).is_some();
        let mut displaced = None;
        if !replaces && self.len() >= self.bound {
            let of_operator = self.operator.first().filter(|_| held.by_operator);
            let Some(&(_, network, action)) = self.rules.first().or(of_operator) else {
                return Err(held);
            };
            displaced = self.remove(&network, action).map(|held| (network, action, held));
        }
        count(3 * LOOK_UP);
        self.ends(held.by_operator).insert((held.ends, network, action));
        let bans = self.networks.entry(network).or_insert_with(|| {
            *self.lengths.entry(length(&network)).or_default() += 1;
            Default::default()
        });
        bans[action as usize] = Some(held);
        Ok(displaced)
    }

    /// Removes and returns the ban of `network` with `action`.
    pub(super) fn remove(&mut self, network: &Cidr, action: BanAction) -> Option<Held> {
        count(3 * LOOK_UP);
        let bans = self.networks.get_mut(network)?;
        let held = bans[action as usize].take()?;
        if bans.iter().all(Option::is_none) {
            self.networks.remove(network);
            let length = length(network);
            if let Some(networks) = self.lengths.get_mut(&length) {
                *networks -= 1;
                if *networks == 0 {
                    self.lengths.remove(&length);
                }
            }
        }
        self.ends(held.by_operator).remove(&(held.ends, *network, action));
        Some(held)
    }

    /// Returns the time at which the first ban ends.
    pub(super) fn first_end(&self) -> Option<Instant> {
        Some(self.first()?.0)
    }

    /// Removes and returns the ban that has ended first, if one has ended.
    pub(super) fn pop_ended(&mut self, now: Instant) -> Option<(Cidr, BanAction, Held)> {
        let &(_, network, action) = self.first().filter(|(end, ..)| *end <= now)?;
        self.remove(&network, action).map(|held| (network, action, held))
    }

    /// Returns all bans, in the order of networks and actions. Takes a step for each ban.
    pub(super) fn all(&self) -> Vec<(Cidr, BanAction, &Held)> {
        count(self.len() * LOOK_UP);
        let bans = self.networks.iter().flat_map(|(&network, bans)| {
            let bans = BanAction::ALL.into_iter().zip(bans);
            bans.filter_map(move |(action, held)| Some((network, action, held.as_ref()?)))
        });
        let mut bans: Vec<_> = bans.collect();
        bans.sort_unstable_by_key(|&(network, action, _)| (network, action));
        bans
    }

    fn first(&self) -> Option<&End> {
        self.rules.first().into_iter().chain(self.operator.first()).min()
    }

    fn ends(&mut self, by_operator: bool) -> &mut BTreeSet<End> {
        if by_operator { &mut self.operator } else { &mut self.rules }
    }
}

fn length(network: &Cidr) -> (bool, u8) {
    (network.first().is_ipv4(), network.prefix())
}

impl Held {
    /// Returns the ban as it is shown, with the time left at `now`.
    pub(super) fn entry(&self, network: Cidr, action: BanAction, now: Instant) -> Entry {
        let Self { since, until, ends, offences, by_operator, ref why } = *self;
        let left = ends.saturating_duration_since(now);
        Entry { network, action, since, until, left, offences, by_operator, why: why.clone() }
    }

    /// Returns the ban as it is shown once it was removed.
    pub(super) fn removed(&self, network: Cidr, action: BanAction) -> Entry {
        Entry { left: Duration::ZERO, ..self.entry(network, action, self.ends) }
    }
}
