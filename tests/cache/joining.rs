//! Fetches in flight: which requests join them, and how much memory they are charged.

use std::sync::Arc;
use std::time::Duration;

use tidegate::cache::{Cache, CacheKey, CacheLimits, Eviction, Lookup, ServeDecision, Ticket};

use super::model::{at, cache, keys, present, stored};

fn key() -> CacheKey {
    keys().key(&"http://h/a".into())
}

fn begin(cache: &mut Cache<u8>, request: &str, fetch: u8) -> Ticket {
    cache.begin(&key(), &mut present(request), fetch, at(0).mono)
}

/// Returns `Some` if the request joins a fetch: true if that fetch was not sent yet.
fn joins(cache: &mut Cache<u8>, request: &str, seconds: u64) -> Option<bool> {
    match cache.look_up(&key(), &mut present(request), at(seconds).mono) {
        Lookup::InFlight { unsent, .. } => Some(unsent),
        _ => None,
    }
}

/// Returns a cache with a response stored at second 0.
fn cache_with(response: &str) -> Cache<u8> {
    let mut cache = cache();
    let object = stored(&mut present("GET"), response, 0).unwrap();
    cache.update(&key(), &Arc::new(object));
    cache
}

#[test]
fn suffix_range_joins_a_fetch_of_a_longer_suffix() {
    let mut cache = cache();
    begin(&mut cache, "GET | Range: bytes=-9", 1);
    let mut joined = |range: &str| joins(&mut cache, &format!("GET | Range: bytes={range}"), 0);
    assert!(joined("-9").is_some() && joined("-5").is_some());
    assert!(joined("-10").is_none() && joined("0-5").is_none());
    assert!(joins(&mut cache, "GET", 0).is_none());
}

#[test]
fn ended_fetches_free_their_place_for_later_ones() {
    let mut cache = cache();
    let slow = begin(&mut cache, "GET", 0);
    cache.forbid_joining(slow);
    for n in 1..20 {
        let ticket = begin(&mut cache, "GET | Accept: a", n);
        let response = format!("200 | Cache-Control: max-age=60 | Vary: X{n}");
        let object = stored(&mut present("GET | Accept: a"), &response, 0).unwrap();
        cache.selected(ticket, &object.selection);
        assert!(joins(&mut cache, "GET", 0).is_some(), "list {n}");
        cache.check();
        cache.abandon(ticket);
        assert!(joins(&mut cache, "GET", 0).is_none());
    }
}

#[test]
fn one_fetch_at_a_time_revalidates_a_stale_response() {
    let mut cache = cache_with("200 | Cache-Control: max-age=1, stale-while-revalidate=60");
    let used = |cache: &mut Cache<u8>| match cache.look_up(&key(), &mut present("GET"), at(5).mono)
    {
        Lookup::Hit(_, used) => used,
        other => panic!("{other:?}"),
    };
    assert_eq!(used(&mut cache), ServeDecision::WhileRevalidating);
    let [validating, other] = [1, 2].map(|fetch| begin(&mut cache, "GET", fetch));
    cache.refresh(validating);
    assert_eq!(used(&mut cache), ServeDecision::Stale);
    cache.abandon(other);
    assert_eq!(used(&mut cache), ServeDecision::Stale, "the first revalidation still runs");
    begin(&mut cache, "GET", 3);
    cache.abandon(validating);
    cache.check();
    assert_eq!(used(&mut cache), ServeDecision::WhileRevalidating, "the revalidation has failed");
}

#[test]
fn cleared_cache_forgets_hit_for_miss_marks() {
    let mut cache = cache();
    let first = begin(&mut cache, "GET", 1);
    cache.mark_hit_for_miss(first, at(0).mono);
    let second = begin(&mut cache, "GET", 2);
    assert_eq!(joins(&mut cache, "GET", 0), None, "no request waits for an unshared response");
    [first, second].into_iter().for_each(|ticket| cache.abandon(ticket));
    cache.clear();
    begin(&mut cache, "GET", 3);
    assert_eq!(joins(&mut cache, "GET", 0), Some(true));
}

#[test]
fn sent_fetch_is_not_joined_by_requests_that_need_their_own_validation() {
    for (response, sent_too) in [
        ("200 | Cache-Control: max-age=60, no-cache", false),
        ("200 | Cache-Control: max-age=0 | ETag: \"a\"", false),
        ("200 | Cache-Control: max-age=1", true),
    ] {
        let mut cache = cache_with(response);
        let ticket = begin(&mut cache, "GET", 1);
        assert_eq!(joins(&mut cache, "GET", 5), Some(true), "{response}");
        cache.sent(ticket);
        assert_eq!(joins(&mut cache, "GET", 5), sent_too.then_some(false), "{response}");
    }
}

#[test]
fn sent_fetch_is_not_joined_if_min_fresh_exceeds_its_lifetime() {
    let mut cache = cache_with("200 | Cache-Control: max-age=10");
    let ticket = begin(&mut cache, "GET", 1);
    cache.sent(ticket);
    assert_eq!(joins(&mut cache, "GET | Cache-Control: min-fresh=10", 20), Some(false));
    assert_eq!(joins(&mut cache, "GET | Cache-Control: min-fresh=11", 20), None);
}

#[test]
fn fetches_and_marks_are_charged_as_memory() {
    const COUNT: usize = 100;
    const LENGTH: usize = 10_000;
    let hit_for_miss = Duration::from_secs(1);
    let limits = CacheLimits {
        memory: 64 << 20,
        object: 1 << 20,
        hit_for_miss,
        eviction: Eviction::default(),
        variants: 1,
    };
    let mut cache: Cache<u8> = Cache::new(limits, keys());
    let empty = cache.stats().bytes;
    let path = "x".repeat(LENGTH);
    let tickets: Vec<Ticket> = (0..COUNT)
        .map(|n| {
            let key = cache.keys().key(&format!("http://h/{path}/{n}").into());
            cache.begin(&key, &mut present("GET"), 0, at(0).mono)
        })
        .collect();
    cache.check();
    let taken = (cache.stats().bytes - empty) / COUNT;
    assert!(taken > LENGTH && taken < 2 * LENGTH, "{taken} bytes for each");
    tickets.iter().for_each(|ticket| cache.mark_hit_for_miss(*ticket, at(0).mono));
    tickets.into_iter().for_each(|ticket| cache.abandon(ticket));
    let marked = (cache.stats().bytes - empty) / COUNT;
    assert!(marked > 40 && marked < 100, "{marked} bytes for each mark");
    cache.clear();
    assert_eq!(cache.stats().bytes, empty);
}
