//! Deferred work: long operations take effect at once and are carried out in slices.

use std::sync::Arc;

use tidegate::cache::{Cache, CacheKey, CacheLimits, Eviction, Lookup, invalidated_groups};
use tidegate::http::Fields;
use tidegate::work;

use super::model::{at, keys, present, stored};

/// The maximum number of steps of one slice.
const SLICE: u64 = 1_000_000;
/// The maximum number of steps of a call that is not sliced.
const AT_ONCE: u64 = 50_000;

const LIMITS: CacheLimits = CacheLimits {
    memory: 64 << 20,
    object: 1 << 20,
    hit_for_miss: std::time::Duration::ZERO,
    eviction: Eviction::Gdsf,
    variants: 1000,
};

struct Full {
    cache: Cache<u8>,
}

impl Full {
    /// Returns a cache with this many responses of one origin, all in the same groups.
    fn new(count: usize) -> Self {
        let mut full = Self { cache: Cache::new(LIMITS, keys()) };
        (0..count).for_each(|n| full.store(n));
        full
    }

    fn key(&self, n: usize) -> CacheKey {
        self.cache.keys().key(&format!("http://h.test/{n}").into())
    }

    fn store(&mut self, n: usize) {
        self.store_as(&format!("http://h.test/{n}"), "GET", "Cache-Groups: \"g\", \"h\"");
    }

    /// Stores a response with these field lines for the request.
    fn store_as(&mut self, uri: &str, request: &str, lines: &str) {
        let response = format!("200 | Cache-Control: max-age=60 | {lines}");
        let object = stored(&mut present(request), &response, 0).unwrap();
        self.cache.update(&self.cache.keys().key(&uri.into()), &Arc::new(object));
    }

    fn has(&mut self, n: usize) -> bool {
        let key = self.key(n);
        matches!(self.cache.look_up(&key, &mut present("GET"), at(1).mono), Lookup::Hit(..))
    }

    /// Invalidates groups of an origin as a request would.
    fn invalidate(&mut self, root: &str, group: &str) {
        let mut fields = Fields::default();
        fields.push(b"Cache-Group-Invalidation", group.as_bytes());
        let mut request = present("POST");
        let key = self.cache.keys().key(&format!("{root}/x").into());
        let ticket = self.cache.begin(&key, &mut request, 0, at(0).mono);
        self.cache.invalidate_groups(root, &invalidated_groups(&fields), ticket);
        self.cache.abandon(ticket);
    }

    /// Runs all deferred work, slice by slice, and returns the number of slices.
    fn keep_house(&mut self) -> usize {
        let mut slices = 0;
        while self.cache.has_work() {
            let before = work::counted();
            self.cache.run_deferred();
            let steps = work::counted() - before;
            assert!(steps < SLICE, "{steps} steps in a slice");
            slices += 1;
            assert!(slices < 10_000, "the deferred work ends");
        }
        self.cache.check();
        slices
    }
}

fn at_once(of: impl FnOnce()) {
    let before = work::counted();
    of();
    let steps = work::counted() - before;
    assert!(steps < AT_ONCE, "{steps} steps at once");
}

#[test]
fn group_is_invalidated_at_once_and_removed_in_slices() {
    let mut full = Full::new(20_000);
    at_once(|| full.invalidate("http://h.test", "\"g\""));
    assert!((0..20_000).step_by(999).all(|n| !full.has(n)), "no invalidated response is used");
    full.store(7);
    assert!(full.has(7), "responses stored after the invalidation are used");
    assert!(full.keep_house() > 10);
    assert!(full.has(7));
    assert_eq!(full.cache.stats().entries, 1);
}

#[test]
fn second_invalidation_removes_responses_behind_the_sweep() {
    let mut full = Full::new(5000);
    full.invalidate("http://h.test", "\"g\"");
    full.cache.run_deferred();
    full.store(0); // behind the position of the sweep
    full.invalidate("http://h.test", "\"g\"");
    assert!(!full.has(0));
    full.keep_house();
    assert_eq!(full.cache.stats().entries, 0);
}

#[test]
fn invalidating_unknown_groups_removes_nothing_at_little_cost() {
    let mut full = Full::new(100);
    full.invalidate("http://other.test", "\"g\"");
    full.invalidate("http://h.test", "\"other\", \"G\"");
    assert!(!full.cache.has_work() && full.has(1));
    let many = (0..10_000).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    let before = work::counted();
    full.invalidate("http://h.test", &many);
    assert!(work::counted() - before < SLICE);
}

#[test]
fn cleared_cache_is_empty_at_once_and_freed_in_slices() {
    let mut full = Full::new(20_000);
    at_once(|| full.cache.clear());
    assert!((0..20_000).step_by(999).all(|n| !full.has(n)));
    full.store(3);
    full.cache.clear();
    full.store(4);
    assert!(full.keep_house() > 10);
    assert!(!full.has(3) && full.has(4));
    assert_eq!(full.cache.stats().entries, 1);
}

#[test]
fn responses_stored_between_two_clears_are_removed_by_the_second() {
    let mut full = Full::new(100);
    full.cache.clear();
    (0..50).for_each(|n| full.store(n));
    full.cache.clear();
    full.store(99);
    full.keep_house();
    assert_eq!(full.cache.stats().entries, 1);
    assert!(full.has(99));
}

#[test]
fn entries_of_any_size_are_removed_in_slices() {
    let (long, tags) = ("a".repeat(8000), (0..500).map(|n| format!("t{n}")).collect::<Vec<_>>());
    let mut full = Full::new(0);
    for n in 0..10_000 {
        let uri = format!("http://h.test/{}", n / 1000);
        full.store_as(&uri, &format!("GET | Accept: {n}"), "Vary: Accept");
    }
    full.cache.clear();
    assert!(full.keep_house() > 3);
    (0..1000).for_each(|n| full.store_as(&format!("http://h.test/{n}{long}"), "GET", "A: b"));
    full.cache.clear();
    assert!(full.keep_house() > 20);
    let tags = format!("Surrogate-Key: {}", tags.join(" "));
    (0..100).for_each(|n| full.store_as(&format!("http://h.test/{n}"), "GET", &tags));
    full.cache.clear();
    assert!(full.keep_house() > 5);
    assert_eq!(full.cache.stats().entries, 0);
}

#[test]
fn cache_shrinks_to_a_lower_limit_in_slices() {
    let mut full = Full::new(20_000);
    let memory = LIMITS.memory / 64;
    let before = work::counted();
    full.cache.set_limits(CacheLimits { memory, ..LIMITS });
    assert!(work::counted() - before < SLICE);
    assert!(full.cache.stats().bytes > memory);
    full.store(0);
    full.cache.check();
    assert!(full.keep_house() > 10);
    assert!(full.cache.stats().bytes <= memory);
}

#[test]
fn eviction_policy_changes_in_slices() {
    let mut full = Full::new(20_000);
    at_once(|| full.cache.set_limits(CacheLimits { eviction: Eviction::Lru, ..LIMITS }));
    assert!(full.has(1) && full.cache.has_work());
    full.store(30_000);
    assert!(full.keep_house() > 3);
    assert_eq!(full.cache.stats().entries, 20_001);
}

#[test]
fn storing_costs_the_same_however_full_the_cache_is() {
    for eviction in Eviction::ALL {
        let mut full = Full::new(0);
        // So many entries that a table of all of them could not grow within one step limit.
        full.cache.set_limits(CacheLimits { eviction, memory: 2 * LIMITS.memory, ..LIMITS });
        for n in 0..200_000 {
            at_once(|| full.store(n));
        }
        full.cache.check();
        assert!(full.cache.stats().evicted > 0);
    }
}
