//! The cache: which responses are stored, for how long, and what is under way (RFC 9111).
//!
//! Policy and storage only. It knows no socket and no clock, and of a fetch no more than an opaque
//! value `F` that its owner gave when it began: whoever asks for what is on its way gets that.

mod in_flight;
mod key;
mod key_rules;
mod lookup;
mod policy;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::{Method, Name, cond};

pub use in_flight::Ticket;
pub use key::{CacheKey, KeyBuilder};
pub use key_rules::{KeyRules, Parameters};
pub use lookup::{Lookup, MissReason};
pub use policy::control::{RequestControl, ResponseControl, Scope, withheld};
pub use policy::freshness::{Freshness, OriginFailure, ServeDecision};
pub use policy::freshness_rules::FreshnessRule;
pub use policy::lifetime::LifetimeSource;
pub use policy::presented::{Presented, RequestRules};
pub use policy::response::Response;
pub use policy::storable::{NotStored, Storable, still_storable, storable};
pub use policy::tags::{Tag, TagKind, Tags, invalidated_groups};
pub use policy::vary::Selection;
pub use store::content::Content;
pub use store::evict::Eviction;
pub use store::extents::Extents;
pub use store::object::Object;
pub use store::purge::{Purge, PurgeScope};
pub use store::shared_content::SharedContent;

use in_flight::InFlightTable;
use store::Store;
use store::range::Range;
use store::slice::Slice;

/// The bounds of a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Bytes for everything: stored, under way, evicted but in use; heads, keys and index too.
    pub memory: usize,
    /// Bytes of the largest object's content.
    pub object: u64,
    /// How long a key whose response could not be stored is remembered, so that requests for it
    /// are not made to wait for each other.
    pub hit_for_miss: Duration,
    /// Which entries go first when memory is short.
    pub eviction: Eviction,
    /// Responses of one URI that `Vary` keeps apart.
    pub variants: usize,
}

/// Stored responses, and those on their way.
#[derive(Debug)]
pub struct Cache<F> {
    limits: CacheLimits,
    keys: KeyBuilder,
    store: Store,
    busy: InFlightTable<F>,
    /// Bytes of content under way that are kept.
    under_way: usize,
    /// Bytes that the allocator holds because of it, and nobody uses.
    fragmentation: usize,
    /// Bytes that came since the heap was counted.
    bytes_since_sample: usize,
}

/// After which part of its memory has come, the heap is to be counted.
const COUNTED: usize = 256;
/// Which part of its memory the allocator may lose on top of it: any mix that does not change loses
/// some, and that shall not cost entries.
const SPARE: usize = 16;

/// What a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// URIs with something stored.
    pub entries: usize,
    /// Bytes held, of all kinds.
    pub bytes: usize,
    /// Those of them that the allocator holds and nobody uses.
    pub slack: usize,
    /// Entries dropped to make room.
    pub evicted: u64,
}

impl<F: Copy> Cache<F> {
    /// An empty cache; one with no memory stores nothing.
    #[must_use]
    pub fn new(limits: CacheLimits, keys: KeyBuilder) -> Self {
        let store = Store::new(limits.eviction, limits.variants);
        Self {
            limits,
            keys,
            store,
            busy: InFlightTable::new(),
            under_way: 0,
            fragmentation: 0,
            bytes_since_sample: 0,
        }
    }

    /// Changes the bounds, and shrinks to them.
    pub fn set_limits(&mut self, limits: CacheLimits) {
        self.limits = limits;
        self.store.set_eviction(limits.eviction);
        self.store.set_most_variants(limits.variants);
        self.make_room();
    }

    /// Forgets everything: what is stored, what was learnt, and what is under way, which nobody
    /// joins any more and which is not stored when it has come.
    pub fn clear(&mut self) {
        self.store.clear();
        self.busy.mark_range_outdated(&Range::below(String::new()), None);
        self.busy.marks().clear();
    }

    /// Makes keys by other rules from now on. What is stored under keys that are made no more is
    /// not found, and goes in its time.
    pub fn set_key_rules(&mut self, rules: KeyRules) {
        self.keys.set_rules(rules);
    }

    /// Reads and compares requests by other rules from now on.
    pub fn set_request_rules(&mut self, rules: RequestRules) {
        self.keys.set_request_rules(rules);
    }

    /// Makes keys, and presents requests.
    #[must_use]
    pub const fn keys(&self) -> &KeyBuilder {
        &self.keys
    }

    /// Whether anything can be stored.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.limits.memory > 0
    }

    /// What there is for `request`, whose target URI is `key`.
    pub fn look_up(&mut self, key: &CacheKey, request: &mut Presented, now: Instant) -> Lookup<F> {
        if let Some(missing) = self.bypass_reason(request) {
            return Lookup::Miss(missing);
        }
        let found = self.store.find(key, request);
        lookup::decide(found, &self.busy, key, request, now)
    }

    /// The same, for somebody who only wants to know: nothing counts as used.
    pub fn peek(&mut self, key: &CacheKey, request: &mut Presented, now: Instant) -> Lookup<F> {
        if let Some(missing) = self.bypass_reason(request) {
            return Lookup::Miss(missing);
        }
        lookup::decide(self.store.peek(key, request), &self.busy, key, request, now)
    }

    /// Responses stored for a URI, those used last first.
    pub fn stored(&mut self, key: &CacheKey) -> impl Iterator<Item = &Arc<Object>> {
        self.store.variants(key)
    }

    /// Why a request is none for the cache.
    fn bypass_reason(&self, request: &Presented) -> Option<MissReason> {
        match request.head().method() {
            _ if !self.is_on() => Some(MissReason::Bypass),
            // The content may ask for something else than the URI alone does.
            _ if request.head().framing().has_content() => Some(MissReason::Method),
            Method::Get | Method::Head => None,
            _ => Some(MissReason::Method),
        }
    }

    /// Says that a fetch validates a response that is served stale meanwhile.
    pub fn refresh(&mut self, ticket: Ticket) {
        self.busy.refresh(ticket);
    }

    /// Says that `fetch` begins for `request`: others may join it, unless the response to this request
    /// might be for no other, or lately was.
    pub fn begin(
        &mut self,
        key: &CacheKey,
        request: &mut Presented,
        fetch: F,
        now: Instant,
    ) -> Ticket {
        let fields = request.head().fields();
        let offered = self.is_on()
            && lookup::may_join(request)
            && !fields.has(Name::IfRange) // what is asked for may be all that comes
            && !cond::is_conditional(fields)
            && !self.busy.marks().has(key, now);
        let names = self.store.names(key);
        let ticket = self.busy.begin(key, request, offered.then_some(fetch), names);
        self.make_room();
        ticket
    }

    /// Says that the request of a fetch is being sent. Who asks from now on may be told of what came
    /// before.
    pub fn sent(&mut self, ticket: Ticket) {
        self.busy.sent(ticket);
    }

    /// Says by which fields the response of a fetch is selected: requests that do not agree in these
    /// need not wait for it.
    pub fn selected(&mut self, ticket: Ticket, selection: &Selection) {
        self.busy.selected(ticket, selection);
    }

    /// Lets no other request join the fetch, which says nothing of others for its key.
    pub fn forbid_joining(&mut self, ticket: Ticket) {
        self.busy.unshare(ticket);
    }

    /// Whether content of this length may be stored as far as the cache is concerned.
    #[must_use]
    pub const fn accepts_length(&self, length: u64) -> bool {
        self.is_on() && length <= self.limits.object
    }

    /// Counts `held` bytes of a response on its way that are kept, instead of the `before` that
    /// were. Whether more may be: not past half of the memory for all that is under way or was
    /// evicted in use, since neither is freed by evicting more.
    pub fn account_in_flight(&mut self, before: usize, held: usize) -> bool {
        if before == held {
            return true;
        }
        self.under_way = self.under_way - before + held;
        self.bytes_since_sample += held.saturating_sub(before);
        let mut fits = self.make_room();
        if self.in_use() > self.limits.memory / 2 {
            self.store.sweep_detached();
            fits = self.bytes() <= self.room();
        }
        self.in_use() <= self.limits.memory / 2 && (fits || self.store.is_behind())
    }

    const fn in_use(&self) -> usize {
        self.under_way + self.store.detached_bytes()
    }

    /// Ends a fetch whose response cannot be stored, or did not come whole.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.busy.end(ticket);
    }

    /// Nobody joins the fetch from now on, and for a while nobody waits for another one of its key:
    /// its response is not for sharing.
    pub fn mark_hit_for_miss(&mut self, ticket: Ticket, now: Instant) {
        self.busy.mark(ticket, now + self.limits.hit_for_miss, now);
        self.make_room();
    }

    /// Ends a fetch with a response to store; returns it, with what was here of it before.
    pub fn complete(&mut self, ticket: Ticket, object: Arc<Object>) -> Arc<Object> {
        let Some((key, false)) = self.busy.end(ticket) else { return object };
        self.busy.marks().remove(&key);
        let object = self.combined(&key, object);
        self.update(&key, &object);
        object
    }

    /// What is not whole takes over what is here of it already, unless it grew too large with that.
    fn combined(&mut self, key: &CacheKey, object: Arc<Object>) -> Arc<Object> {
        if object.content.is_whole() {
            return object;
        }
        let older = self.store.same(key, &object.selection);
        let combined = older.and_then(|older| object.combined_with(older));
        let combined = combined.filter(|object| self.accepts_length(object.content.stored_bytes()));
        combined.map_or(object, Arc::new)
    }

    /// Removes what is stored for a URI, as a successful unsafe request does (RFC 9111 §4.4). What is
    /// on its way for it is from before that, too: nobody joins it, and it is not stored, unless it
    /// is the answer to the request itself.
    pub fn invalidate(&mut self, key: &CacheKey, by: Ticket) -> bool {
        self.busy.outdate(key, Some(by));
        self.store.remove(key)
    }

    /// Begins to purge what is stored, to be gone on with by [`run_slice`](Self::run_slice) until that says
    /// it is done. A soft purge removes nothing: what it finds is stale from `now` on. What is on its
    /// way and could be meant is from before the purge: nobody joins it, and it is not stored.
    pub fn purge(&mut self, what: &PurgeScope, soft: bool, now: Instant) -> Purge {
        let ranges = what.ranges(&self.keys);
        ranges.iter().for_each(|range| self.busy.mark_range_outdated(range, None));
        Purge::of(ranges, soft.then_some(now), self.store.number())
    }

    /// Goes on with a purge, for no longer than nobody notices; whether it is done.
    pub fn run_slice(&mut self, purge: &mut Purge) -> bool {
        self.store.run_purge(purge, &mut Slice::default())
    }

    /// Removes all of these groups of the origin `root`, for a successful unsafe request
    /// (RFC 9875 §3). What is on its way from there may be of any group.
    pub fn invalidate_groups(&mut self, root: &str, groups: &[Tag], by: Ticket) {
        if groups.is_empty() {
            return;
        }
        let root = [root, "/"].concat();
        self.busy.mark_range_outdated(&Range::below(root.clone()), Some(by));
        let root = root.into();
        groups.iter().for_each(|group| self.store.invalidate_group(&root, group));
    }

    /// Goes on with what was put off, so that no turn takes long: removes what was invalidated, evicts
    /// what is too much, and puts entries into another order.
    pub fn run_deferred(&mut self) {
        self.make_room();
        self.store.run_slice();
    }

    /// Returns true if [`run_deferred`](Self::run_deferred) has something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.store.has_work()
    }

    /// The stored response that `request` selects, fresh or not, unless it was purged. It counts as
    /// used.
    pub fn stored_for(&mut self, key: &CacheKey, request: &mut Presented) -> Option<Arc<Object>> {
        self.store.find(key, request).selected.filter(|object| !object.is_outdated())
    }

    /// What is stored for a URI, selected by whatever requests, that the origin can be asked about
    /// together: several whole responses, told apart by their entity tags. It does not count as used.
    #[must_use]
    pub fn validation_candidates(&mut self, key: &CacheKey) -> Vec<Arc<Object>> {
        self.store.validation_candidates(key)
    }

    /// Stores `object` in place of the response that it is a newer version of.
    pub fn update(&mut self, key: &CacheKey, object: &Arc<Object>) {
        self.bytes_since_sample += object.weight();
        self.store.insert(key, Arc::clone(object));
        self.make_room();
    }

    /// Forgets what is stored for a URI: it turned out not to be for everybody, or to be something
    /// else.
    pub fn forget(&mut self, key: &CacheKey) {
        self.store.remove(key);
    }

    /// Drops entries until all is within the room, or the slice is over. Returns true if it is within.
    fn make_room(&mut self) -> bool {
        let others = self.under_way + self.busy.weight();
        let room = self.room();
        self.store.shrink_to(room.saturating_sub(others)) && others <= room
    }

    /// How much it may use: less than its memory, if the allocator loses much of that.
    const fn room(&self) -> usize {
        let lost = self.fragmentation.saturating_sub(self.limits.memory / SPARE);
        self.limits.memory.saturating_sub(lost)
    }

    /// Says that of the whole heap so many bytes are used, and so many held for that. Of what lies
    /// between, the cache answers for the part that it has of what is used. Each time no more leaves than
    /// is too much, until pages come free.
    pub fn set_heap_usage(&mut self, used: usize, held: usize) {
        let slack = held.saturating_sub(used) as u128;
        let ours = slack * self.bytes().min(used) as u128 / used.max(1) as u128;
        self.fragmentation = usize::try_from(ours).unwrap_or(usize::MAX);
        self.bytes_since_sample = 0;
        self.make_room();
    }

    /// Whether so much has come that the heap is to be counted.
    #[must_use]
    pub const fn wants_heap_sample(&self) -> bool {
        self.bytes_since_sample > self.limits.memory / COUNTED
    }

    /// What it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            entries: self.store.len(),
            bytes: self.bytes() + self.fragmentation,
            slack: self.fragmentation,
            evicted: self.store.evicted(),
        }
    }

    fn bytes(&self) -> usize {
        self.store.bytes() + self.under_way + self.busy.weight()
    }

    /// Bytes of responses on their way that are kept.
    #[must_use]
    pub const fn under_way(&self) -> usize {
        self.under_way
    }

    /// How many fetches are under way.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    /// Panics if its books do not agree.
    pub fn check(&self) {
        self.store.check();
        self.busy.check();
        let stats = self.stats();
        let shrinks = stats.entries == 0 || self.store.is_behind();
        assert!(self.bytes() <= self.limits.memory || shrinks, "within its bytes");
    }
}
