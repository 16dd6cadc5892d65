//! What is on its way, and what lately turned out not to be for sharing.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Instant;

use lru::LruCache;

use crate::http::{Method, Name, RequestHead, range};

use super::freshness::Use;
use super::key::{BuildCarried, CacheKey};
use super::vary::Selection;

/// A fetch that is under way, as the cache knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// How many keys are remembered as not for sharing.
const MAX_MARKS: usize = 8192;
/// What a fetch under way, or a mark, takes beside its key.
const ENTRY_WEIGHT: usize = 128;

#[derive(Debug)]
pub(super) struct BusyTable<F> {
    tickets: HashMap<u64, Busy<F>>,
    /// The fetches that others may join.
    joinable: HashMap<CacheKey, Vec<u64>, BuildCarried>,
    /// The keys of those whose stored response is served meanwhile.
    refreshing: HashSet<CacheKey, BuildCarried>,
    /// Keys not for sharing, until when.
    marks: LruCache<CacheKey, Instant, BuildCarried>,
    next: u64,
    key_bytes: usize,
}

#[derive(Debug)]
struct Busy<F> {
    key: CacheKey,
    request: Rc<RequestHead>,
    fetch: Option<F>,
    /// Whether the URI's resource was changed since it began.
    outdated: bool,
    /// Whether a stored response is served while it is under way.
    refreshes: bool,
}

impl<F: Copy> BusyTable<F> {
    pub(super) fn new() -> Self {
        Self {
            tickets: HashMap::new(),
            joinable: HashMap::default(),
            refreshing: HashSet::default(),
            marks: LruCache::unbounded_with_hasher(BuildCarried::default()),
            next: 0,
            key_bytes: 0,
        }
    }

    /// Begins a fetch; with `fetch`, others may join it.
    pub(super) fn begin(
        &mut self,
        key: &CacheKey,
        request: &Rc<RequestHead>,
        fetch: Option<F>,
    ) -> Ticket {
        let number = self.next;
        self.next += 1;
        if fetch.is_some() {
            self.joinable.entry(key.clone()).or_default().push(number);
        }
        self.key_bytes += key.weight();
        self.tickets.insert(
            number,
            Busy {
                key: key.clone(),
                request: Rc::clone(request),
                fetch,
                outdated: false,
                refreshes: false,
            },
        );
        Ticket(number)
    }

    /// A fetch that `request` may join: one for the same key, by a request that agrees with it in
    /// what its responses are `known` to be selected by. What they really are is seen when it comes.
    pub(super) fn fetch_for(
        &self,
        key: &CacheKey,
        request: &RequestHead,
        known: Option<&Selection>,
    ) -> Option<F> {
        let numbers = self.joinable.get(key)?;
        let busy = numbers.iter().filter_map(|number| self.tickets.get(number));
        let alike = |busy: &&Busy<F>| {
            known.is_none_or(|known| known.agree(&busy.request, request))
                && range::asks_within(request.fields(), busy.request.fields())
        };
        busy.filter(alike).find_map(|busy| busy.fetch)
    }

    /// Ends a fetch; its key, if it was under way.
    pub(super) fn end(&mut self, ticket: Ticket) -> Option<CacheKey> {
        self.unshare(ticket);
        let busy = self.tickets.remove(&ticket.0)?;
        if busy.refreshes {
            self.refreshing.remove(&busy.key);
        }
        self.key_bytes -= busy.key.weight();
        Some(busy.key)
    }

    /// Nobody joins the fetch any more; whether anybody could.
    pub(super) fn unshare(&mut self, ticket: Ticket) -> bool {
        let Some(busy) = self.tickets.get_mut(&ticket.0) else { return false };
        let joinable = busy.fetch.take().is_some();
        if joinable && let Some(numbers) = self.joinable.get_mut(&busy.key) {
            numbers.retain(|&number| number != ticket.0);
            if numbers.is_empty() {
                self.joinable.remove(&busy.key);
            }
        }
        joinable
    }

    /// Says that the resources of all keys that are `meant` were changed, by a fetch or from outside:
    /// nobody joins the fetches for them that are under way, and but for that one they are outdated.
    pub(super) fn outdate(&mut self, meant: impl Fn(&CacheKey) -> bool, by: Option<Ticket>) {
        self.joinable.retain(|key, _| !meant(key));
        for (&number, busy) in self.tickets.iter_mut().filter(|(_, busy)| meant(&busy.key)) {
            busy.fetch = None;
            busy.outdated |= by != Some(Ticket(number));
        }
    }

    /// Whether the resource has changed since the fetch began.
    pub(super) fn is_outdated(&self, ticket: Ticket) -> bool {
        self.tickets.get(&ticket.0).is_some_and(|busy| busy.outdated)
    }

    /// Says that a stored response is served while the fetch is under way.
    pub(super) fn refresh(&mut self, ticket: Ticket) {
        if let Some(busy) = self.tickets.get_mut(&ticket.0) {
            busy.refreshes = true;
            self.refreshing.insert(busy.key.clone());
        }
    }

    /// How a stored response is used without waiting for the origin, if it is. One fetch at a time
    /// validates it meanwhile.
    pub(super) fn usable(&self, key: &CacheKey, request: &RequestHead, usable: Use) -> Option<Use> {
        match usable {
            Use::Fresh | Use::Stale => Some(usable),
            Use::WhileRevalidating if self.refreshing.contains(key) => Some(Use::Stale),
            Use::WhileRevalidating if request.method() == Method::Get => Some(usable),
            Use::WhileRevalidating | Use::Validate | Use::ValidateForRequest => None,
        }
    }

    /// Nobody joins the fetch; if others could have, nobody joins one of its key before `until`. That
    /// a part is not for sharing says nothing of the whole.
    pub(super) fn mark(&mut self, ticket: Ticket, until: Instant) {
        if !self.unshare(ticket) {
            return;
        }
        let Some(busy) = self.tickets.get(&ticket.0) else { return };
        if busy.request.fields().has(Name::Range) {
            return;
        }
        if self.marks.put(busy.key.clone(), until).is_none() {
            self.key_bytes += busy.key.weight();
        }
        while self.marks.len() > MAX_MARKS
            && let Some((key, _)) = self.marks.pop_lru()
        {
            self.key_bytes -= key.weight();
        }
    }

    pub(super) fn unmark(&mut self, key: &CacheKey) {
        if self.marks.pop(key).is_some() {
            self.key_bytes -= key.weight();
        }
    }

    pub(super) fn is_marked(&mut self, key: &CacheKey, now: Instant) -> bool {
        let marked = self.marks.get(key).copied();
        if marked.is_some_and(|until| now >= until) {
            self.unmark(key);
            return false;
        }
        marked.is_some()
    }

    /// Forgets what was not for sharing.
    pub(super) fn unmark_all(&mut self) {
        while let Some((key, _)) = self.marks.pop_lru() {
            self.key_bytes -= key.weight();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tickets.len()
    }

    pub(super) fn weight(&self) -> usize {
        self.key_bytes + ENTRY_WEIGHT * (self.tickets.len() + self.marks.len())
    }
}
