//! The cache: stored responses, their lifetimes, and the fetches in flight that requests can join
//! (RFC 9111).
//!
//! The cache is policy and storage only. It knows no socket and no clock. Of a fetch it knows an
//! opaque value `F`, which the caller passes to [`Cache::begin`] and which [`Lookup::InFlight`]
//! returns to requests that may join that fetch.

mod in_flight;
mod key;
mod key_rules;
mod lookup;
mod policy;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::{ContentCoding, Method, Name, cond};

pub use in_flight::Ticket;
pub use key::{CacheKey, KeyBuilder, Space};
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

/// Limits of a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Bytes for everything: stored objects, content in flight, evicted objects that are still in
    /// use, and their heads, keys and index.
    pub memory: usize,
    /// Bytes of the largest object's content.
    pub object: u64,
    /// Lifetime of a hit-for-miss mark. While a key is marked because its response could not be
    /// stored, its requests are not collapsed.
    pub hit_for_miss: Duration,
    /// Order in which entries are evicted when memory is short.
    pub eviction: Eviction,
    /// Maximum number of responses of one URI that differ by `Vary`.
    pub variants: usize,
}

/// Stored responses and fetches in flight.
#[derive(Debug)]
pub struct Cache<F> {
    limits: CacheLimits,
    keys: KeyBuilder,
    store: Store,
    busy: InFlightTable<F>,
    /// Bytes of content in flight that are retained.
    under_way: usize,
    /// Bytes that the allocator holds for the cache and that no allocation uses.
    fragmentation: usize,
    /// Bytes received or stored since heap usage was last sampled.
    bytes_since_sample: usize,
}

/// Divisor of `memory`: heap usage is sampled again after `memory / 256` bytes were received or
/// stored.
const COUNTED: usize = 256;
/// Divisor of `memory`: allocator fragmentation tolerated beyond `memory` (1/32). A steady workload
/// fragments a little, and that alone shall evict nothing.
const SPARE: usize = 32;

/// Contents of a cache, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// URIs for which something is stored.
    pub entries: usize,
    /// Bytes held, of all kinds, with fragmentation.
    pub bytes: usize,
    /// Bytes among them that the allocator holds and no allocation uses.
    pub slack: usize,
    /// Entries evicted so far for want of memory.
    pub evicted: u64,
}

impl<F: Copy> Cache<F> {
    /// Creates an empty cache. A cache without memory stores nothing.
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

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> CacheLimits {
        self.limits
    }

    /// Replaces the limits, and evicts until the contents fit.
    pub fn set_limits(&mut self, limits: CacheLimits) {
        self.limits = limits;
        self.store.set_eviction(limits.eviction);
        self.store.set_most_variants(limits.variants);
        self.make_room();
    }

    /// Removes all stored responses and all hit-for-miss marks. Fetches in flight become outdated:
    /// no further request joins them, and their responses are not stored.
    pub fn clear(&mut self) {
        self.store.clear();
        self.busy.mark_range_outdated(&Range::below(String::new()), None);
        self.busy.marks().clear();
    }

    /// Replaces the rules by which keys are made, and the special ones that take their place for some
    /// requests, so that purges find the keys of those too. Responses under keys that are no longer made
    /// are not found again, and are evicted in time.
    pub fn set_key_rules(&mut self, rules: KeyRules, special_rules: Vec<KeyRules>) {
        self.keys.set_rules(rules, special_rules);
    }

    /// Replaces the rules by which requests are read and compared. Requests presented before are
    /// not affected.
    pub fn set_request_rules(&mut self, rules: RequestRules) {
        self.keys.set_request_rules(rules);
    }

    /// Returns the builder of keys and of presented requests.
    #[must_use]
    pub const fn keys(&self) -> &KeyBuilder {
        &self.keys
    }

    /// Returns true if the cache has memory to store anything.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.limits.memory > 0
    }

    /// Looks up `request`, whose target URI is `key`. The entry that is found counts as used.
    pub fn look_up(&mut self, key: &CacheKey, request: &mut Presented, now: Instant) -> Lookup<F> {
        if let Some(missing) = self.bypass_reason(request) {
            return Lookup::Miss(missing);
        }
        let found = self.store.find(key, request);
        lookup::decide(found, &self.busy, key, request, now)
    }

    /// Looks up `request` like [`look_up`](Self::look_up), without counting anything as used: for
    /// explanations.
    pub fn peek(&mut self, key: &CacheKey, request: &mut Presented, now: Instant) -> Lookup<F> {
        if let Some(missing) = self.bypass_reason(request) {
            return Lookup::Miss(missing);
        }
        lookup::decide(self.store.peek(key, request), &self.busy, key, request, now)
    }

    /// Returns the responses stored for a URI, the most recently used first.
    pub fn stored(&mut self, key: &CacheKey) -> impl Iterator<Item = &Arc<Object>> {
        self.store.variants(key)
    }

    /// Returns the reason why a request bypasses the cache, if it does.
    fn bypass_reason(&self, request: &Presented) -> Option<MissReason> {
        match request.head().method() {
            _ if !self.is_on() => Some(MissReason::Bypass),
            // Content may select another response than the URI alone does.
            _ if request.head().body_length().has_content() => Some(MissReason::Method),
            Method::Get | Method::Head => None,
            _ => Some(MissReason::Method),
        }
    }

    /// Marks the fetch as validating a stored response that is served stale in the meantime.
    pub fn refresh(&mut self, ticket: Ticket) {
        self.busy.refresh(ticket);
    }

    /// Registers `fetch`, which begins for `request`. Other requests may join it, unless its
    /// response may fit this request alone (conditional requests, `If-Range`) or the key is marked
    /// hit-for-miss.
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
            && !fields.has(Name::IfRange) // the response may be the range or the whole
            && !cond::is_conditional(fields)
            && !self.busy.marks().has(key, now);
        let names = self.store.names(key);
        let ticket = self.busy.begin(key, request, offered.then_some(fetch), names);
        self.make_room();
        ticket
    }

    /// Records that the request of a fetch is being sent. Requests that arrive from now on may get
    /// a response that the origin chose before they arrived.
    pub fn sent(&mut self, ticket: Ticket) {
        self.busy.sent(ticket);
    }

    /// Records the selecting fields of a fetch's response. Requests with other values in these
    /// fields do not wait for the fetch.
    pub fn selected(&mut self, ticket: Ticket, selection: &Selection) {
        self.busy.selected(ticket, selection);
    }

    /// Closes the fetch to further requests. Its key is not marked: other fetches of the key can be
    /// joined.
    pub fn forbid_joining(&mut self, ticket: Ticket) {
        self.busy.unshare(ticket);
    }

    /// Returns true if content of this length is within the limit for objects.
    #[must_use]
    pub const fn accepts_length(&self, length: u64) -> bool {
        self.is_on() && length <= self.limits.object
    }

    /// Replaces `before` by `held` in the count of retained bytes of a response in flight. Returns
    /// true if more may be retained. Content in flight and evicted objects in use together get half
    /// of the memory at most, because eviction frees neither.
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

    /// Ends a fetch whose response cannot be stored or is incomplete.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.busy.end(ticket);
    }

    /// Marks the key hit-for-miss: no further request joins this fetch, and no request is collapsed
    /// for the key until the mark expires.
    pub fn mark_hit_for_miss(&mut self, ticket: Ticket, now: Instant) {
        self.busy.mark(ticket, now + self.limits.hit_for_miss, now);
        self.make_room();
    }

    /// Ends a fetch and stores its response, unless the fetch is outdated. Returns the object,
    /// merged with the stored parts of the same representation.
    pub fn complete(&mut self, ticket: Ticket, object: Arc<Object>) -> Arc<Object> {
        let Some((key, false)) = self.busy.end(ticket) else { return object };
        self.busy.marks().remove(&key);
        let object = self.combined(&key, object);
        self.update(&key, &object);
        object
    }

    /// Merges a partial object with the stored parts of the same representation, unless the result
    /// exceeds the object limit.
    fn combined(&mut self, key: &CacheKey, object: Arc<Object>) -> Arc<Object> {
        if object.content.is_whole() {
            return object;
        }
        let older = self.store.same(key, &object.selection);
        let combined = older.and_then(|older| object.combined_with(older));
        let combined = combined.filter(|object| self.accepts_length(object.content.stored_bytes()));
        combined.map_or(object, Arc::new)
    }

    /// Removes the responses stored for a URI after a successful unsafe request (RFC 9111 §4.4).
    /// Returns true if there were any. Fetches in flight for the URI began before the change: no
    /// request joins them and their responses are not stored, except for the fetch `by` of the
    /// unsafe request itself.
    pub fn invalidate(&mut self, key: &CacheKey, by: Ticket) -> bool {
        self.busy.outdate(key, Some(by));
        self.store.remove(key)
    }

    /// Starts a purge. The caller repeats [`run_slice`](Self::run_slice) until that returns true. A
    /// soft purge removes nothing: it makes the responses it finds stale from `now` on. Fetches in
    /// flight that the purge could concern began before it: no request joins them, and their
    /// responses are not stored.
    pub fn purge(&mut self, what: &PurgeScope, soft: bool, now: Instant) -> Purge {
        let ranges = what.ranges(&self.keys);
        ranges.iter().for_each(|range| self.busy.mark_range_outdated(range, None));
        Purge::of(ranges, soft.then_some(now), self.store.number())
    }

    /// Runs one bounded slice of a purge. Returns true when the purge is complete.
    pub fn run_slice(&mut self, purge: &mut Purge) -> bool {
        self.store.run_purge(purge, &mut Slice::default())
    }

    /// Invalidates these groups of the origin `root` after a successful unsafe request (RFC 9875
    /// §3). The response of any fetch in flight from that origin may belong to one of the groups,
    /// so all but the fetch `by` become outdated.
    pub fn invalidate_groups(&mut self, root: &str, groups: &[Tag], by: Ticket) {
        if groups.is_empty() {
            return;
        }
        let root = [root, "/"].concat();
        self.busy.mark_range_outdated(&Range::below(root.clone()), Some(by));
        let root = root.into();
        groups.iter().for_each(|group| self.store.invalidate_group(&root, group));
    }

    /// Runs one bounded slice of the deferred work, so that no turn takes long: removes invalidated
    /// responses, evicts down to the memory limit, and moves entries to another eviction order.
    pub fn run_deferred(&mut self) {
        self.make_room();
        self.store.run_slice();
    }

    /// Returns true if [`run_deferred`](Self::run_deferred) has work to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.store.has_work()
    }

    /// Returns the stored response that `request` selects, fresh or stale, unless a soft purge
    /// outdated it. Counts as a use.
    pub fn stored_for(&mut self, key: &CacheKey, request: &mut Presented) -> Option<Arc<Object>> {
        self.store.find(key, request).selected.filter(|object| !object.is_outdated())
    }

    /// Returns the responses stored for a URI that one conditional request can validate together:
    /// several complete responses that their entity tags distinguish, whatever requests selected
    /// them. Does not count as a use.
    #[must_use]
    pub fn validation_candidates(&mut self, key: &CacheKey) -> Vec<Arc<Object>> {
        self.store.validation_candidates(key)
    }

    /// Stores `object` in place of the response that it updates.
    pub fn update(&mut self, key: &CacheKey, object: &Arc<Object>) {
        self.bytes_since_sample += object.weight();
        self.store.insert(key, Arc::clone(object));
        self.make_room();
    }

    /// Attaches the complete content of a stored `object` in a coding of this proxy: the form is evicted,
    /// purged and updated with the object. Returns false if the object is not stored, or if the form is
    /// too long.
    pub fn attach(
        &mut self,
        key: &CacheKey,
        object: &Arc<Object>,
        coding: ContentCoding,
        form: Content,
    ) -> bool {
        self.bytes_since_sample += form.weight();
        let is_attached = self.accepts_length(form.len())
            && self.store.attach(key, object, coding, SharedContent::of(form));
        self.make_room();
        is_attached
    }

    /// Removes the responses stored for a URI, because they can no longer be shared, belong to
    /// another representation, or are in doubt.
    pub fn forget(&mut self, key: &CacheKey) {
        self.store.remove(key);
    }

    /// Evicts until the contents fit, or the slice is used up. Returns true if they fit.
    fn make_room(&mut self) -> bool {
        let others = self.under_way + self.busy.weight();
        let room = self.room();
        self.store.shrink_to(room.saturating_sub(others)) && others <= room
    }

    /// Returns the bytes that may be used: `memory`, less the fragmentation beyond what is
    /// tolerated.
    const fn room(&self) -> usize {
        let lost = self.fragmentation.saturating_sub(self.limits.memory / SPARE);
        self.limits.memory.saturating_sub(lost)
    }

    /// Records heap usage. The cache is charged its share of the fragmentation (`held - used`), in
    /// proportion to its share of `used`, and evicts until it fits. One call evicts no more than
    /// the current excess; fragmentation shrinks only once whole pages are free.
    pub fn set_heap_usage(&mut self, used: usize, held: usize) {
        let slack = held.saturating_sub(used) as u128;
        let ours = slack * self.bytes().min(used) as u128 / used.max(1) as u128;
        self.fragmentation = usize::try_from(ours).unwrap_or(usize::MAX);
        self.bytes_since_sample = 0;
        self.make_room();
    }

    /// Returns true if enough bytes were received or stored that heap usage should be sampled
    /// again.
    #[must_use]
    pub const fn wants_heap_sample(&self) -> bool {
        self.bytes_since_sample > self.limits.memory / COUNTED
    }

    /// Returns the current contents in numbers.
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

    /// Returns the retained bytes of responses in flight.
    #[must_use]
    pub const fn under_way(&self) -> usize {
        self.under_way
    }

    /// Returns the number of fetches in flight.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    /// Panics if the books of the cache do not agree with a recount.
    pub fn check(&self) {
        self.store.check();
        self.busy.check();
        let stats = self.stats();
        let shrinks = stats.entries == 0 || self.store.is_behind();
        assert!(
            self.bytes() <= self.limits.memory || shrinks,
            "bytes held are within the memory limit"
        );
    }
}
