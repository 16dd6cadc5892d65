//! Several responses of one URI: how many are stored, and which are dropped.

use std::sync::Arc;
use std::time::Duration;

use tidegate::cache::{Cache, CacheKey, CacheLimits, Eviction, Lookup, PurgeScope};

use super::model::{at, keys, present, stored};

const LIMITS: CacheLimits = CacheLimits {
    memory: 64 << 20,
    object: 1 << 20,
    hit_for_miss: Duration::ZERO,
    eviction: Eviction::Lru,
    variants: 64,
};

fn cache(limits: CacheLimits) -> Cache<u8> {
    Cache::new(limits, keys())
}

fn key(uri: &str) -> CacheKey {
    keys().key(&uri.into())
}

fn store(cache: &mut Cache<u8>, key: &CacheKey, request: &str, fields: &str) {
    let response = format!("200 | Cache-Control: max-age=60 | {fields}");
    let object = stored(&mut present(request), &response, 0).unwrap();
    cache.update(key, &Arc::new(object));
    cache.check();
}

/// Stores a response selected by `Accept`.
fn store_accepted(cache: &mut Cache<u8>, key: &CacheKey, accept: usize, fields: &str) {
    store(cache, key, &format!("GET | Accept: {accept}"), &format!("Vary: Accept | {fields}"));
}

/// Returns the values of `Accept` that select a response, without marking one as used.
fn accepted(cache: &mut Cache<u8>, key: &CacheKey, values: std::ops::Range<usize>) -> Vec<usize> {
    let mut found = |accept: &usize| {
        let mut request = present(&format!("GET | Accept: {accept}"));
        matches!(cache.peek(key, &mut request, at(1).mono), Lookup::Hit(..))
    };
    values.filter(|accept| found(accept)).collect()
}

fn purge(cache: &mut Cache<u8>, what: &PurgeScope) -> usize {
    let mut purge = cache.purge(what, false, at(1).mono);
    while !cache.run_slice(&mut purge) {}
    cache.check();
    purge.count()
}

#[test]
fn least_recently_used_response_is_dropped_over_the_variant_limit() {
    let (mut cache, key) = (cache(CacheLimits { variants: 3, ..LIMITS }), key("http://h/a"));
    (0..3).for_each(|accept| store_accepted(&mut cache, &key, accept, ""));
    assert_eq!(accepted(&mut cache, &key, 0..3), [0, 1, 2]);
    let used = cache.look_up(&key, &mut present("GET | Accept: 0"), at(1).mono);
    assert!(matches!(used, Lookup::Hit(..)));
    store_accepted(&mut cache, &key, 3, "");
    assert_eq!(accepted(&mut cache, &key, 0..4), [0, 2, 3]);
}

#[test]
fn least_recently_used_response_is_dropped_over_the_tag_limit() {
    let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
    let tags: String = (0..1024).map(|tag| format!("t{tag} ")).collect();
    let tags = format!("Surrogate-Key: {tags}");
    (0..4).for_each(|accept| store_accepted(&mut cache, &key, accept, &tags));
    assert_eq!(accepted(&mut cache, &key, 0..4), [0, 1, 2, 3]);
    store_accepted(&mut cache, &key, 4, "Surrogate-Key: one");
    assert_eq!(accepted(&mut cache, &key, 0..5), [1, 2, 3, 4]);
    assert_eq!(purge(&mut cache, &PurgeScope::Tag(b"t9".to_vec())), 3);
    assert_eq!(accepted(&mut cache, &key, 0..5), [4]);
}

#[test]
fn purge_of_one_response_keeps_others_of_its_uri() {
    let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
    for accept in 0..3 {
        store_accepted(&mut cache, &key, accept, &format!("Surrogate-Key: all t{accept}"));
    }
    assert_eq!(purge(&mut cache, &PurgeScope::Tag(b"t1".to_vec())), 1);
    assert_eq!(accepted(&mut cache, &key, 0..3), [0, 2]);
    assert_eq!(purge(&mut cache, &PurgeScope::Tag(b"all".to_vec())), 2);
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn eviction_takes_half_of_the_responses_of_a_uri_first() {
    let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
    (0..8).for_each(|accept| store_accepted(&mut cache, &key, accept, ""));
    let memory = cache.stats().bytes - 1;
    cache.set_limits(CacheLimits { memory, ..LIMITS });
    cache.check();
    assert_eq!(accepted(&mut cache, &key, 0..8), [4, 5, 6, 7]);
    assert_eq!((cache.stats().entries, cache.stats().evicted), (1, 0));
}

#[test]
fn response_being_sent_is_evicted_last() {
    let mut cache = cache(LIMITS);
    let [sent, idle] = ["http://h/a", "http://h/b"].map(key);
    store(&mut cache, &sent, "GET", "");
    store(&mut cache, &idle, "GET", "");
    let in_use = cache.stored_for(&sent, &mut present("GET")).unwrap();
    cache.stored_for(&idle, &mut present("GET")).unwrap();
    let has = |cache: &mut Cache<u8>, key: &CacheKey| cache.stored(key).next().is_some();
    let memory = cache.stats().bytes - 1;
    cache.set_limits(CacheLimits { memory, ..LIMITS });
    assert!(has(&mut cache, &sent) && !has(&mut cache, &idle));
    drop(in_use);
    cache.set_limits(LIMITS);
    store(&mut cache, &idle, "GET", "");
    cache.set_limits(CacheLimits { memory, ..LIMITS });
    assert!(
        !has(&mut cache, &sent) && has(&mut cache, &idle),
        "the least recently used response is evicted"
    );
}

#[test]
fn replacing_a_response_takes_no_more_memory() {
    for fields in ["", "Vary: Accept"] {
        let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
        store(&mut cache, &key, "GET | Accept: a", fields);
        let before = cache.stats();
        store(&mut cache, &key, "GET | Accept: a", fields);
        assert_eq!(cache.stats(), before);
    }
}

#[test]
fn up_to_eight_codings_of_a_uri_are_found_by_matching_requests() {
    let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
    for n in 0..9 {
        let request = format!("GET | Accept-Encoding: x{n}, other");
        store(
            &mut cache,
            &key,
            &request,
            &format!("Vary: Accept-Encoding | Content-Encoding: x{n}"),
        );
    }
    for (n, found) in (0..9).map(|n| (n, n < 8)) {
        let mut request = present(&format!("GET | Accept-Encoding: x{n}"));
        let hit = matches!(cache.look_up(&key, &mut request, at(1).mono), Lookup::Hit(..));
        assert_eq!(hit, found, "x{n}");
        let mut same = present(&format!("GET | Accept-Encoding: other, x{n}"));
        assert!(matches!(cache.look_up(&key, &mut same, at(1).mono), Lookup::Hit(..)), "x{n}");
    }
}

#[test]
fn response_replaces_another_of_its_coding_only_if_it_answers_all_its_requests() {
    let [more, fewer] = ["gzip, br", "gzip"].map(|list| format!("GET | Accept-Encoding: {list}"));
    let gzip = "Vary: Accept-Encoding | Content-Encoding: gzip";
    for (requests, left) in [([&more, &fewer], 2), ([&fewer, &more], 1)] {
        let (mut cache, key) = (cache(LIMITS), key("http://h/a"));
        requests.iter().for_each(|request| store(&mut cache, &key, request, gzip));
        assert_eq!(cache.stored(&key).count(), left);
        for request in requests {
            let found = cache.look_up(&key, &mut present(request), at(1).mono);
            assert!(matches!(found, Lookup::Hit(..)), "{request}");
        }
    }
}
