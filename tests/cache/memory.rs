//! Memory bounds: bytes in flight, in use and shared are charged, and decide what is evicted.

use std::sync::Arc;
use std::time::Duration;

use tidegate::cache::{
    Cache, CacheKey, CacheLimits, CacheStats, Content, Eviction, Extents, Lookup, Object,
    invalidated_groups,
};
use tidegate::http::{ContentCoding, Fields};
use tidegate::work;

use super::model::{at, keys, present, stored};

const MEMORY: usize = 64 << 10;
const FRESH: &str = "200 | Cache-Control: max-age=60";

const fn limits(memory: usize) -> CacheLimits {
    let (hit_for_miss, eviction) = (Duration::ZERO, Eviction::Lru);
    CacheLimits { memory, object: 1 << 20, hit_for_miss, eviction, variants: 32 }
}

fn object(request: &str, response: &str, length: usize) -> Arc<Object> {
    let mut object = stored(&mut present(request), response, 0).unwrap();
    let mut content = Content::default();
    content.push(vec![0; length]);
    object.content = Extents::of(content, length as u64);
    Arc::new(object)
}

struct Kept {
    cache: Cache<u8>,
}

impl Kept {
    fn new(memory: usize) -> Self {
        Self { cache: Cache::new(limits(memory), keys()) }
    }

    /// Returns a cache with this many entries; the lowest number was stored first.
    fn full(memory: usize, entries: usize, length: usize) -> Self {
        let mut kept = Self::new(memory);
        (0..entries).for_each(|n| _ = kept.store(n, length));
        assert_eq!(kept.cache.stats().entries, entries);
        kept
    }

    fn key(&self, n: usize) -> CacheKey {
        self.cache.keys().key(&format!("http://h.example/{n}").into())
    }

    fn store(&mut self, n: usize, length: usize) -> Arc<Object> {
        let object = object("GET", FRESH, length);
        self.cache.update(&self.key(n), &object);
        object
    }

    /// Stores a negotiated response of one URI.
    fn store_variant(&mut self, accept: usize, line: &str) {
        let response = format!("{FRESH} | Vary: Accept{line}");
        let object = object(&format!("GET | Accept: {accept}"), &response, 100);
        self.cache.update(&self.key(0), &object);
    }

    fn has_variant(&mut self, accept: usize) -> bool {
        let mut request = present(&format!("GET | Accept: {accept}"));
        matches!(self.cache.peek(&self.key(0), &mut request, at(0).mono), Lookup::Hit(..))
    }

    fn has(&mut self, n: usize) -> bool {
        matches!(self.cache.peek(&self.key(n), &mut present("GET"), at(0).mono), Lookup::Hit(..))
    }

    fn bytes(&self) -> usize {
        self.cache.stats().bytes
    }

    /// Applies a lower memory limit and returns the statistics after it.
    fn limited(mut self, memory: usize) -> CacheStats {
        self.cache.set_limits(limits(memory));
        self.cache.check();
        self.cache.stats()
    }
}

#[test]
fn responses_in_flight_are_kept_up_to_half_of_the_memory() {
    let mut cache = Kept::new(MEMORY).cache;
    assert!(cache.account_in_flight(0, MEMORY / 2));
    assert!(!cache.account_in_flight(MEMORY / 2, MEMORY / 2 + 1));
    assert!(cache.account_in_flight(MEMORY / 2 + 1, 10));
    assert_eq!((cache.under_way(), cache.stats().bytes), (10, 10));
}

#[test]
fn removed_responses_count_until_their_last_client_is_done() {
    let mut kept = Kept::new(MEMORY);
    let held: Vec<_> = (0..16).map(|n| kept.store(n, 2500)).collect();
    (0..16).for_each(|n| kept.cache.forget(&kept.key(n)));
    let weight = held.iter().map(|object| object.weight()).sum::<usize>();
    assert!(weight > MEMORY / 2 && kept.bytes() >= weight);
    assert_eq!(kept.cache.stats().entries, 0);
    assert!(!kept.cache.account_in_flight(0, 1), "too much memory is in use already");
    assert!(kept.bytes() > weight);
    drop(held);
    assert!(kept.cache.account_in_flight(1, 2));
    assert!(kept.bytes() < 4000, "{} bytes", kept.bytes());
    kept.cache.check();
}

#[test]
fn responses_in_use_and_in_flight_share_one_bound() {
    let mut kept = Kept::new(MEMORY);
    let held = kept.store(0, 20_000);
    kept.cache.forget(&kept.key(0));
    assert!(kept.cache.account_in_flight(0, 10_000));
    assert!(!kept.cache.account_in_flight(10_000, 20_000));
    drop(held);
    assert!(kept.cache.account_in_flight(20_000, 20_001));
}

#[test]
fn content_in_use_counts_after_its_updated_response_is_removed() {
    let mut kept = Kept::new(MEMORY);
    let held = kept.store(0, 20_000);
    let updated = Arc::new(held.updated(held.head.clone(), None));
    kept.cache.update(&kept.key(0), &updated);
    drop(updated);
    kept.cache.forget(&kept.key(0));
    kept.cache.check();
    assert!(kept.bytes() > 20_000, "{} bytes", kept.bytes());
    drop(held);
}

#[test]
fn removed_responses_are_released_once_their_clients_are_done() {
    let mut kept = Kept::new(64 << 20);
    let mut held = kept.store(0, 1000);
    for _ in 0..5000 {
        held = kept.store(0, 1000);
    }
    assert!(kept.bytes() < 200 * held.weight(), "{} bytes", kept.bytes());
}

#[test]
fn removing_responses_in_use_costs_linear_steps() {
    let replaced = |count: usize| {
        let mut kept = Kept::new(256 << 20);
        let objects: Vec<_> = (0..count).map(|_| object("GET", FRESH, 0)).collect();
        let (key, before) = (kept.key(0), work::counted());
        objects.iter().for_each(|object| kept.cache.update(&key, object));
        work::counted() - before
    };
    let (few, many) = (replaced(4000), replaced(40_000));
    assert!(many < 12 * few, "{many} steps for 40,000, {few} for 4,000");
}

#[test]
fn allocator_fragmentation_limits_responses_in_flight() {
    let mut kept = Kept::full(MEMORY, 10, 1000);
    assert!(kept.cache.account_in_flight(0, 1000));
    let bytes = kept.bytes();
    kept.cache.set_heap_usage(bytes, 100 * bytes);
    assert_eq!(kept.cache.stats().entries, 0, "no entry fits any more");
    assert!(!kept.cache.account_in_flight(1000, 2000));
    kept.cache.set_heap_usage(bytes, bytes);
    assert!(kept.cache.account_in_flight(2000, 3000));
}

#[test]
fn heap_sample_is_wanted_after_a_256th_of_the_memory() {
    let mut cache = Kept::new(MEMORY).cache;
    cache.account_in_flight(0, MEMORY / 256 - 1);
    assert!(!cache.wants_heap_sample());
    cache.account_in_flight(MEMORY / 256 - 1, MEMORY / 256 + 1);
    assert!(cache.wants_heap_sample());
}

#[test]
fn eviction_removes_no_more_entries_than_needed() {
    let full = || Kept::full(MEMORY, 20, 1000);
    let all = full().bytes();
    assert_eq!(full().limited(all), full().cache.stats());
    let one_less = full().limited(all - 1);
    assert_eq!((one_less.entries, one_less.evicted), (19, 1));
    assert_eq!(
        full().limited(one_less.bytes),
        one_less,
        "a limit of exactly that size evicts nothing"
    );
    let half = full().limited(all / 2);
    assert_eq!(half.entries as u64 + half.evicted, 20);
    assert!((9..=12).contains(&half.evicted), "{half:?}");
}

#[test]
fn entries_in_use_are_evicted_last() {
    let mut kept = Kept::new(MEMORY);
    let held: Vec<_> = (0..10).map(|n| kept.store(n, 1000)).collect();
    (10..40).for_each(|n| _ = kept.store(n, 1000));
    let memory = kept.bytes() * 3 / 4;
    kept.cache.set_limits(limits(memory));
    assert!(kept.cache.stats().evicted >= 10);
    assert!((0..10).all(|n| kept.has(n)), "evicting responses in use would free nothing");
    assert!(!kept.has(10) && kept.has(39));
    drop(held);
}

#[test]
fn entry_loses_least_recently_used_responses_before_it_is_evicted() {
    let mut kept = Kept::new(MEMORY);
    (0..20).for_each(|accept| kept.store_variant(accept, ""));
    let memory = kept.bytes() * 3 / 4;
    kept.cache.set_limits(limits(memory));
    assert_eq!(kept.cache.stored(&kept.key(0)).count(), 10);
    assert!((0..10).all(|accept| !kept.has_variant(accept)));
    assert!((10..20).all(|accept| kept.has_variant(accept)));
    assert_eq!(kept.cache.stats().evicted, 0, "the entry itself stays");
}

#[test]
fn lower_variant_limit_applies_at_the_next_store() {
    let mut kept = Kept::new(MEMORY);
    (0..8).for_each(|accept| kept.store_variant(accept, ""));
    kept.cache.set_limits(CacheLimits { variants: 3, ..limits(MEMORY) });
    kept.store_variant(8, "");
    assert_eq!(kept.cache.stored(&kept.key(0)).count(), 3);
    assert!((6..=8).all(|accept| kept.has_variant(accept)));
}

#[test]
fn invalidated_responses_are_removed_before_others_are_evicted() {
    let mut kept = Kept::full(MEMORY, 10, 1000);
    let grouped = object("GET", "200 | Cache-Control: max-age=60 | Cache-Groups: \"g\"", 1000);
    (10..20).for_each(|n| kept.cache.update(&kept.key(n), &grouped));
    let mut fields = Fields::default();
    fields.push(b"Cache-Group-Invalidation", b"\"g\"");
    let key = kept.key(99);
    let ticket = kept.cache.begin(&key, &mut present("POST"), 0, at(0).mono);
    kept.cache.invalidate_groups("http://h.example", &invalidated_groups(&fields), ticket);
    kept.cache.abandon(ticket);
    assert_eq!(kept.cache.stats().entries, 20, "removal is deferred until a sweep or an eviction");
    drop(grouped);
    let memory = kept.bytes() - 1;
    kept.cache.set_limits(limits(memory));
    let stats = kept.cache.stats();
    assert_eq!((stats.entries, stats.evicted), (10, 0));
    assert!((0..10).all(|n| kept.has(n)));
}

#[test]
fn shared_content_counts_once() {
    let mut kept = Kept::new(1 << 20);
    let response = format!("{FRESH} | Vary: Accept");
    let one = object("GET | Accept: a", &response, 100_000);
    kept.cache.update(&kept.key(0), &one);
    let before = kept.bytes();
    let mut other = stored(&mut present("GET | Accept: b"), &response, 0).unwrap();
    other.content = one.content.clone();
    kept.cache.update(&kept.key(0), &Arc::new(other));
    kept.cache.check();
    assert_eq!(kept.cache.stored(&kept.key(0)).count(), 2);
    let more = kept.bytes() - before;
    assert!((1..10_000).contains(&more), "{more} bytes");
}

#[test]
fn replaced_responses_leave_no_memory_behind() {
    let mut kept = Kept::new(MEMORY);
    kept.store_variant(0, " | ETag: \"zero\"");
    let bytes: Vec<usize> = (0..200)
        .map(|n| {
            kept.store_variant(1, &format!(" | ETag: \"{n:03}\""));
            kept.cache.check();
            kept.bytes()
        })
        .collect();
    assert!(bytes[2..].iter().all(|more| *more == bytes[2]), "{bytes:?}");
}

/// Returns content in a coding, as far as the cache is concerned.
fn form(length: usize) -> Content {
    let mut content = Content::default();
    content.push(vec![1; length]);
    content
}

#[test]
fn coded_form_is_charged_and_leaves_with_its_object() {
    let mut kept = Kept::new(MEMORY);
    let key = kept.key(1);
    let object = kept.store(1, 2000);
    let before = kept.bytes();
    assert!(kept.cache.attach(&key, &object, ContentCoding::Gzip, form(500)));
    assert!(!kept.cache.attach(&key, &object, ContentCoding::Gzip, form(600)), "set once");
    assert!(kept.cache.attach(&key, &object, ContentCoding::Brotli, form(400)));
    let grown = kept.bytes() - before;
    assert!((900..1400).contains(&grown), "{grown}");
    assert_eq!(object.coded(ContentCoding::Gzip).map(Content::len), Some(500));
    assert!(object.coded(ContentCoding::Zstd).is_none());
    kept.cache.check();

    // A client still receives the form of a response that was removed.
    kept.cache.forget(&key);
    kept.cache.check();
    assert!(kept.bytes() > 2900);
    assert!(!kept.cache.attach(&key, &object, ContentCoding::Zstd, form(1)), "it is not stored");
    drop(object);
    kept.cache.set_limits(limits(0));
    assert!(kept.bytes() < 1000, "{}", kept.bytes());
}

#[test]
fn updated_object_shares_coded_forms() {
    let mut kept = Kept::new(MEMORY);
    let (key, object) = (kept.key(1), kept.store(1, 2000));
    assert!(kept.cache.attach(&key, &object, ContentCoding::Zstd, form(500)));
    let before = kept.bytes();
    let updated = Arc::new(object.updated(object.head.clone(), None));
    drop(object);
    kept.cache.update(&key, &updated);
    kept.cache.check();
    assert!(kept.bytes() <= before, "the form counts once");
    assert_eq!(updated.coded(ContentCoding::Zstd).map(Content::len), Some(500));
}

#[test]
fn coded_forms_of_variants_are_charged_and_evicted() {
    let mut kept = Kept::new(MEMORY);
    let key = kept.key(0);
    for n in 0..4 {
        kept.store_variant(n, "");
    }
    let variants: Vec<Arc<Object>> = kept.cache.stored(&key).cloned().collect();
    assert!(variants.len() > 1);
    for object in &variants {
        assert!(kept.cache.attach(&key, object, ContentCoding::Gzip, form(3000)));
        kept.cache.check();
    }
    drop(variants);
    kept.cache.set_limits(limits(4000));
    kept.cache.check();
    assert!(kept.bytes() <= 4000);
}
