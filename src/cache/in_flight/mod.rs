//! Fetches in flight, and keys marked hit-for-miss.

mod marks;
pub(super) mod offers;
mod shelves;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::cache::key::{BuildPrehashed, CacheKey};
use crate::cache::policy::freshness::ServeDecision;
use crate::cache::policy::presented::Presented;
use crate::cache::policy::selecting::{Selecting, VaryNames};
use crate::cache::policy::vary::Selection;
use crate::cache::store::range::Range;
use crate::http::Method;
use crate::work;

use marks::Marks;
use offers::{Reach, Stage};
use shelves::Shelves;

/// A fetch that is in flight, as the cache knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Bytes that a fetch in flight takes in these tables, beside its key and its selecting fields.
const ENTRY_WEIGHT: usize = 1024;

/// Fetches in flight. None is ever compared with another: a request finds one to join by the hash of its
/// selecting fields.
#[derive(Debug)]
pub(super) struct InFlightTable<F> {
    tickets: HashMap<u64, InFlight<F>, BuildPrehashed>,
    /// Keys of the fetches that are not outdated.
    keys: HashMap<CacheKey, KeyInFlight, BuildPrehashed>,
    marks: Marks,
    next: u64,
    /// Bytes of all fetches.
    weight: usize,
}

/// A fetch in flight.
#[derive(Debug)]
struct InFlight<F> {
    key: CacheKey,
    /// The fetch, as long as other requests may join it.
    offered: Option<F>,
    /// Selecting fields by which it is offered, as far as they are known.
    by: Option<Arc<Selecting>>,
    reach: Option<Reach>,
    stage: Stage,
    /// Set once the resource has changed since the fetch began.
    is_outdated: bool,
}

impl<F> InFlight<F> {
    fn weight(&self) -> usize {
        ENTRY_WEIGHT + self.key.weight() + self.by.as_ref().map_or(0, |by| by.weight())
    }
}

/// Fetches in flight for one key.
#[derive(Debug, Default)]
struct KeyInFlight {
    tickets: BTreeSet<u64>,
    shelves: Shelves,
    /// Names in the `Vary` of the response whose head came last.
    names: VaryNames,
    /// The fetch that validates a stored response which is served meanwhile.
    refreshing: Option<u64>,
}

impl<F: Copy> InFlightTable<F> {
    pub(super) fn new() -> Self {
        Self {
            tickets: HashMap::default(),
            keys: HashMap::default(),
            marks: Marks::default(),
            next: 0,
            weight: 0,
        }
    }

    /// Begins a fetch for `request`. With `offered`, others may join it: those that agree with the
    /// request in the fields called `names`, by which responses of the key are known to be selected;
    /// without any, in those by which the response whose head came last was selected.
    pub(super) fn begin(
        &mut self,
        key: &CacheKey,
        request: &mut Presented,
        offered: Option<F>,
        names: Option<VaryNames>,
    ) -> Ticket {
        work::count(4 * work::LOOK_UP + key.uri().len());
        let number = self.next;
        self.next += 1;
        let of_key = self.keys.entry(key.clone()).or_default();
        of_key.tickets.insert(number);
        let names = names.unwrap_or_else(|| of_key.names.clone());
        let by = offered.and_then(|_| request.selecting(&names)).cloned();
        let no_cache = request.control().no_cache;
        let stage = if no_cache { Stage::WaitingForOrigin } else { Stage::Waiting };
        let reach = Reach::brought(request.head().fields());
        let shelves = &mut of_key.shelves;
        let offered = offered
            .filter(|_| reach.is_some_and(|reach| shelves.add(number, by.as_ref(), reach, stage)));
        let busy = InFlight { key: key.clone(), offered, by, reach, stage, is_outdated: false };
        self.weight += busy.weight();
        self.tickets.insert(number, busy);
        Ticket(number)
    }

    /// Says that the request of a fetch is being sent: the origin may choose its response from now on.
    pub(super) fn sent(&mut self, ticket: Ticket) {
        work::count(2 * work::LOOK_UP);
        let Some(busy) = self.tickets.get_mut(&ticket.0) else { return };
        let (Some(reach), Some(_)) = (busy.reach, busy.offered) else { return };
        let Some(of_key) = self.keys.get_mut(&busy.key) else { return };
        let before = std::mem::replace(&mut busy.stage, Stage::Sent);
        if !of_key.shelves.add(ticket.0, busy.by.as_ref(), reach, Stage::Sent) {
            busy.offered = None;
        }
        if before != Stage::Sent {
            of_key.shelves.remove(ticket.0, busy.by.as_ref(), reach, before);
        }
    }

    /// Says by which fields the response of a fetch is selected.
    pub(super) fn selected(&mut self, ticket: Ticket, selection: &Selection) {
        work::count(5 * work::LOOK_UP);
        let Some(busy) = self.tickets.get_mut(&ticket.0).filter(|busy| !busy.is_outdated) else {
            return;
        };
        let Some(of_key) = self.keys.get_mut(&busy.key) else { return };
        of_key.names = selection.vary();
        let (Some(reach), Some(_)) = (busy.reach, busy.offered) else { return };
        self.weight -= busy.weight();
        of_key.shelves.remove(ticket.0, busy.by.as_ref(), reach, busy.stage);
        busy.by = selection.by().cloned();
        if !of_key.shelves.add(ticket.0, busy.by.as_ref(), reach, busy.stage) {
            busy.offered = None;
        }
        self.weight += busy.weight();
    }

    /// A fetch that `request` may join, of those from stage `from` on: one for the same key, for a
    /// request that agrees with it in the selecting fields as far as they are known.
    pub(super) fn fetch_for(
        &self,
        key: &CacheKey,
        request: &mut Presented,
        from: Stage,
    ) -> Option<(F, Stage)> {
        work::count(work::LOOK_UP);
        let of_key = self.keys.get(key)?;
        let wanted = Reach::needed(request.head().fields());
        let (number, stage) = of_key.shelves.find(request, wanted, from)?;
        Some((self.tickets.get(&number)?.offered?, stage))
    }

    /// Ends a fetch; returns its key and whether it is outdated, if it was in flight.
    pub(super) fn end(&mut self, ticket: Ticket) -> Option<(CacheKey, bool)> {
        let busy = self.tickets.remove(&ticket.0)?;
        self.weight -= busy.weight();
        if !busy.is_outdated
            && let Some(of_key) = self.keys.get_mut(&busy.key)
        {
            work::count(2 * work::LOOK_UP);
            of_key.tickets.remove(&ticket.0);
            if of_key.tickets.is_empty() {
                self.keys.remove(&busy.key);
            } else {
                of_key.refreshing = of_key.refreshing.filter(|number| *number != ticket.0);
                if let (Some(reach), Some(_)) = (busy.reach, busy.offered) {
                    of_key.shelves.remove(ticket.0, busy.by.as_ref(), reach, busy.stage);
                }
            }
        }
        Some((busy.key, busy.is_outdated))
    }

    /// Has no further request join the fetch; returns true if one could.
    pub(super) fn unshare(&mut self, ticket: Ticket) -> bool {
        let Some(busy) = self.tickets.get_mut(&ticket.0) else { return false };
        let joinable = busy.offered.take().is_some();
        if let (true, Some(reach), Some(of_key)) =
            (joinable, busy.reach, self.keys.get_mut(&busy.key))
        {
            of_key.shelves.remove(ticket.0, busy.by.as_ref(), reach, busy.stage);
        }
        joinable
    }

    /// Says that the resource of a key has changed: no request joins its fetches in flight, and they are
    /// outdated; but for the one that has changed it, if that is among them.
    pub(super) fn outdate(&mut self, key: &CacheKey, by: Option<Ticket>) {
        let Some(mut of_key) = self.keys.remove(key) else { return };
        let own = by.filter(|ticket| of_key.tickets.remove(&ticket.0));
        for number in &of_key.tickets {
            work::count(2 * work::LOOK_UP);
            if let Some(busy) = self.tickets.get_mut(number) {
                (busy.offered, busy.is_outdated) = (None, true);
            }
        }
        let Some(Ticket(own)) = own else { return };
        if let Some(busy) = self.tickets.get_mut(&own) {
            busy.offered = None;
        }
        let tickets = BTreeSet::from([own]);
        self.keys.insert(key.clone(), KeyInFlight { tickets, ..KeyInFlight::default() });
    }

    /// The same for all keys in a range of URIs. Every fetch is outdated once at the most.
    pub(super) fn mark_range_outdated(&mut self, range: &Range, by: Option<Ticket>) {
        work::count(self.keys.len() * work::LOOK_UP);
        let within = self.keys.keys().filter(|key| range.has(key.uri()));
        let keys: Vec<CacheKey> = within.cloned().collect();
        keys.iter().for_each(|key| self.outdate(key, by));
    }

    /// Says that a stored response is served while the fetch is in flight.
    pub(super) fn refresh(&mut self, ticket: Ticket) {
        let key = self.tickets.get(&ticket.0).map(|busy| &busy.key);
        if let Some(of_key) = key.and_then(|key| self.keys.get_mut(key)) {
            of_key.refreshing = Some(ticket.0);
        }
    }

    /// How a stored response is used without waiting for the origin, if it is. One fetch at a time
    /// validates it meanwhile.
    pub(super) fn usable(
        &self,
        key: &CacheKey,
        method: Method,
        usable: ServeDecision,
    ) -> Option<ServeDecision> {
        let refreshing = || self.keys.get(key).is_some_and(|of_key| of_key.refreshing.is_some());
        match usable {
            ServeDecision::Fresh | ServeDecision::Stale => Some(usable),
            ServeDecision::WhileRevalidating if refreshing() => Some(ServeDecision::Stale),
            ServeDecision::WhileRevalidating if method == Method::Get => Some(usable),
            ServeDecision::WhileRevalidating
            | ServeDecision::Validate
            | ServeDecision::ValidateForRequest => None,
        }
    }

    /// Has no further request join the fetch and, if one could, marks its key until a time. That a part
    /// is not for sharing says nothing of the whole: a fetch for a range marks no key.
    pub(super) fn mark(&mut self, ticket: Ticket, until: Instant, now: Instant) {
        if !self.unshare(ticket) {
            return;
        }
        let busy = self.tickets.get(&ticket.0).filter(|busy| busy.reach == Some(Reach::Whole));
        if let Some(busy) = busy {
            self.marks.put(&busy.key, until, now);
        }
    }

    pub(super) const fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    pub(super) fn len(&self) -> usize {
        self.tickets.len()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight + self.marks.weight()
    }

    /// Panics if the books do not agree with a recount.
    pub(super) fn check(&self) {
        self.marks.check();
        let weights = self.tickets.values().map(InFlight::weight);
        assert_eq!(weights.sum::<usize>(), self.weight, "bytes of fetches are counted");
        let mut current = 0;
        for (key, of_key) in &self.keys {
            assert!(!of_key.tickets.is_empty(), "a key has a fetch");
            current += of_key.tickets.len();
            let busy = |number: &u64| &self.tickets[number];
            for number in &of_key.tickets {
                assert!(busy(number).key == *key && !busy(number).is_outdated);
            }
            assert!(of_key.refreshing.is_none_or(|number| of_key.tickets.contains(&number)));
            of_key.shelves.check(|number| {
                let busy = &self.tickets[&number];
                assert!(busy.offered.is_some(), "what is offered can be joined");
                (busy.by.clone(), busy.reach, busy.stage)
            });
        }
        let outdated = self.tickets.values().filter(|busy| busy.is_outdated).count();
        assert_eq!(
            current + outdated,
            self.tickets.len(),
            "every current fetch is found by its key"
        );
    }
}
