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

/// Handle of a fetch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Bytes that a fetch takes in these tables, without its key and its selecting fields.
const ENTRY_WEIGHT: usize = 1024;

/// Fetches in flight. A request finds one to join by the hash of its selecting fields, so the
/// cost does not depend on the number of fetches.
#[derive(Debug)]
pub(super) struct InFlightTable<F> {
    tickets: HashMap<u64, InFlight<F>, BuildPrehashed>,
    /// Keys of the fetches that are not outdated.
    keys: HashMap<CacheKey, KeyInFlight, BuildPrehashed>,
    marks: Marks,
    next: u64,
    /// Bytes that all fetches take.
    weight: usize,
}

/// A fetch in flight.
#[derive(Debug)]
struct InFlight<F> {
    key: CacheKey,
    /// The fetch, while other requests may join it.
    offered: Option<F>,
    /// Selecting fields under which the fetch is offered, as far as they are known.
    by: Option<Arc<Selecting>>,
    reach: Option<Reach>,
    stage: Stage,
    /// Set once the resource changed after the fetch began.
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
    /// Names in the `Vary` of the response head received last.
    names: VaryNames,
    /// Fetch that validates a stored response while that is served stale.
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

    /// Begins a fetch for `request`. With `offered`, other requests may join it if they agree with
    /// `request` in the selecting fields. Those are the fields in `names`, which come from the
    /// responses stored under the key. If `names` is `None`, they are the fields of the response
    /// head received last for the key.
    pub(super) fn begin(
        &mut self,
        key: &CacheKey,
        request: &mut Presented,
        offered: Option<F>,
        names: Option<VaryNames>,
    ) -> Ticket {
        work::count(4 * work::LOOK_UP + key.text().len());
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

    /// Records that the request of a fetch is being sent. From now on the origin may have chosen
    /// its response.
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

    /// Records the selecting fields of a fetch's response.
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

    /// Returns a fetch that `request` may join, at stage `from` or later: a fetch for the same key
    /// whose request agrees with `request` in the known selecting fields.
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

    /// Ends a fetch. Returns its key and true if it is outdated, or `None` if it was not in flight.
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

    /// Closes the fetch to further requests. Returns true if it could be joined until now.
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

    /// Marks the fetches of a key as outdated, because its resource has changed: no request joins
    /// them. The fetch `by`, which made the change, is closed to further requests too, but is not
    /// outdated.
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

    /// Marks the fetches of all keys in a range of URIs as outdated, as [`outdate`](Self::outdate)
    /// does. Each fetch is outdated once at most.
    pub(super) fn mark_range_outdated(&mut self, range: &Range, by: Option<Ticket>) {
        work::count(self.keys.len() * work::LOOK_UP);
        let within = self.keys.keys().filter(|key| range.has(key.text()));
        let keys: Vec<CacheKey> = within.cloned().collect();
        keys.iter().for_each(|key| self.outdate(key, by));
    }

    /// Records that a stored response is served while this fetch validates it.
    pub(super) fn refresh(&mut self, ticket: Ticket) {
        let key = self.tickets.get(&ticket.0).map(|busy| &busy.key);
        if let Some(of_key) = key.and_then(|key| self.keys.get_mut(key)) {
            of_key.refreshing = Some(ticket.0);
        }
    }

    /// Returns how a stored response is served without waiting for the origin, or `None` if the
    /// request must wait. Only one fetch at a time revalidates a response in the background.
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

    /// Closes the fetch to further requests and, if it could be joined, marks its key hit-for-miss
    /// until `until`. A range fetch marks no key: a part that cannot be shared says nothing about
    /// the whole.
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
                assert!(busy.offered.is_some(), "offered fetches can be joined");
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
