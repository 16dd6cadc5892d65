//! Charged memory compared with the memory that the allocator has handed out.

use std::sync::Arc;
use std::time::Duration;

use tidegate::cache::{Cache, CacheLimits, Content, Eviction, Extents, KeyBuilder, Tags};
use tikv_jemalloc_ctl::thread::{allocatedp, deallocatedp};
use tikv_jemallocator::Jemalloc;

use super::model::{at, present, stored};

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Returns the bytes allocated minus the bytes freed by this thread. The thread may free memory of
/// other threads, so the difference may wrap.
fn live() -> u64 {
    let (given, freed) = (allocatedp::read().unwrap(), deallocatedp::read().unwrap());
    given.get().wrapping_sub(freed.get())
}

/// A kind of stored responses.
struct Kind {
    name: &'static str,
    count: usize,
    /// Responses that share one URI.
    variants: usize,
    fields: &'static str,
    /// Length of the content of response `n`.
    length: fn(usize) -> usize,
    /// Offset and length of the first stored part; `None` stores the whole content.
    part: Option<(usize, usize)>,
    /// Number of stored parts; the gap between two parts is as long as a part.
    parts: usize,
    /// Length of the pieces of content.
    piece: usize,
}

const PLAIN: Kind = Kind {
    name: "",
    count: 2000,
    variants: 1,
    fields: "",
    length: |_| 0,
    part: None,
    parts: 1,
    piece: 64 << 10,
};

const KINDS: [Kind; 13] = [
    Kind { name: "empty", count: 20_000, ..PLAIN },
    Kind { name: "1 KiB", length: |_| 1 << 10, ..PLAIN },
    Kind { name: "64 KiB", count: 500, length: |_| 64 << 10, ..PLAIN },
    Kind { name: "1 MiB", count: 30, length: |_| 1 << 20, ..PLAIN },
    Kind { name: "of any size", length: |n| n * 7919 % 30_000, ..PLAIN },
    Kind { name: "variants", variants: 20, length: |n| n, fields: "Vary: Accept", ..PLAIN },
    Kind { name: "codings", variants: 2, fields: "Vary: Accept, Accept-Encoding", ..PLAIN },
    Kind {
        name: "more codings",
        count: 20_000,
        variants: 18,
        fields: "Vary: Accept, Accept-Encoding",
        ..PLAIN
    },
    Kind { name: "tags", fields: "Surrogate-Key: one other all", ..PLAIN },
    Kind { name: "long heads", fields: "X-Long: abcdefghijklmnopqrstuvwxyz | A: b", ..PLAIN },
    Kind { name: "parts", length: |_| 100_000, part: Some((1000, 3000)), ..PLAIN },
    Kind { name: "many parts", length: |_| 1000, part: Some((0, 1)), parts: 64, ..PLAIN },
    Kind { name: "small pieces", count: 200, length: |_| 10_000, piece: 100, ..PLAIN },
];

const fn limits(eviction: Eviction) -> CacheLimits {
    let hit_for_miss = Duration::from_secs(1);
    CacheLimits { memory: 1 << 30, object: 1 << 30, hit_for_miss, eviction, variants: 1024 }
}

fn filled(kind: &Kind, eviction: Eviction) -> Cache<u8> {
    let mut cache = Cache::new(limits(eviction), KeyBuilder::new([1, 2]));
    for n in 0..kind.count {
        // Two presentations: the response must not share the names of its fields with the request.
        let [mut asked, mut request] =
            [(); 2].map(|()| present(&format!("GET | Accept: {}", n % kind.variants)));
        let uri = format!("http://h.example/{}", n / kind.variants);
        let key = cache.keys().key(&uri.into());
        let ticket = cache.begin(&key, &mut asked, 0, at(0).mono);
        let response = format!("200 | Cache-Control: max-age=60 | {}", kind.fields);
        let mut object = stored(&mut request, response.trim_end_matches(" | "), 0).unwrap();
        object.head.shrink();
        object.tags = Tags::of(&object.head).unwrap();
        object.content = content(kind, n);
        cache.complete(ticket, Arc::new(object));
    }
    cache.check();
    cache
}

/// Returns content in pieces as a body receives them.
fn content(kind: &Kind, n: usize) -> Extents {
    let length = (kind.length)(n);
    let (first, here) = kind.part.unwrap_or((0, length));
    let part = |first: usize| {
        let mut content = Content::default();
        content.restart(first as u64);
        let pieces = (0..here).step_by(kind.piece).map(|at| vec![0; (here - at).min(kind.piece)]);
        pieces.for_each(|piece| content.push(piece));
        Extents::of(content.clone(), length as u64)
    };
    let mut content = part(first);
    for n in 1..kind.parts {
        part(first + 2 * n * here).parts().iter().for_each(|part| content.add(part));
    }
    content
}

#[test]
fn allocator_fragmentation_reduces_the_capacity() {
    let mut cache = filled(&KINDS[1], Eviction::Gdsf);
    let full = cache.stats().bytes;
    let limits = CacheLimits { memory: full, ..limits(Eviction::Gdsf) };
    cache.set_limits(limits);
    assert!(cache.wants_heap_sample(), "the cache was filled since the last sample");
    cache.set_heap_usage(full, full + full / 40);
    assert!(!cache.wants_heap_sample(), "the sample was taken");
    assert_eq!(cache.stats().bytes, full + full / 40, "a little fragmentation is tolerated");
    cache.set_heap_usage(10 * full, 12 * full);
    assert_eq!(
        cache.stats().slack,
        full / 5,
        "the cache is charged its share of the fragmentation"
    );
    let left = cache.stats().bytes - cache.stats().slack;
    let room = full - (full / 5 - full / 32);
    assert!(left <= room && left > room - full / 40, "no more is evicted than needed");
    cache.set_heap_usage(full, full);
    assert_eq!(cache.stats().bytes, left, "recovered memory is capacity again");
    cache.check();
}

#[test]
fn marks_count_what_was_allocated() {
    const COUNT: usize = 4900;
    at(0); // creates the clock, which must not be counted
    let mut cache: Cache<u8> = Cache::new(limits(Eviction::default()), KeyBuilder::new([1, 2]));
    let (before, empty) = (live(), cache.stats().bytes);
    for n in 0..COUNT {
        let key = cache.keys().key(&format!("http://h.example/{n}").into());
        let ticket = cache.begin(&key, &mut present("GET"), 0, at(0).mono);
        cache.mark_hit_for_miss(ticket, at(0).mono);
        cache.abandon(ticket);
    }
    let (held, reckoned) = (live().wrapping_sub(before), (cache.stats().bytes - empty) as u64);
    let honest = held - held / 100..held + held / 10;
    assert!(honest.contains(&reckoned), "{reckoned} of {held}");
}

#[test]
fn stored_responses_count_what_was_allocated() {
    at(0); // creates the clock, which must not be counted
    for eviction in Eviction::ALL {
        for kind in &KINDS {
            let before = live();
            let cache = filled(kind, eviction);
            let (held, reckoned) = (live().wrapping_sub(before), cache.stats().bytes as u64);
            let honest = held - held / 100..held + held / 10;
            assert!(honest.contains(&reckoned), "{eviction}, {}: {reckoned} of {held}", kind.name);
        }
    }
}

#[test]
fn responses_in_use_count_what_was_allocated() {
    at(0);
    let mut held = Vec::with_capacity(KINDS[0].count);
    let before = live();
    let mut cache = filled(&KINDS[0], Eviction::Gdsf);
    for n in 0..KINDS[0].count {
        let key = cache.keys().key(&format!("http://h.example/{n}").into());
        held.extend(cache.stored(&key).cloned());
        cache.forget(&key);
    }
    assert_eq!((held.len(), cache.stats().entries), (KINDS[0].count, 0));
    let (live, reckoned) = (live().wrapping_sub(before), cache.stats().bytes as u64);
    assert!((live - live / 100..live + live / 10).contains(&reckoned), "{reckoned} of {live}");
}

#[test]
fn entity_tags_of_variants_count_what_was_allocated() {
    at(0);
    let lines = ["Vary: Accept | ETag: \"a\"", "Vary: Accept | None: \"a\""];
    let [with, without] = lines.map(|fields| {
        let before = live();
        let kind = Kind { count: 10_000, variants: 1000, fields, ..PLAIN };
        let cache = filled(&kind, Eviction::Gdsf);
        (live().wrapping_sub(before), cache.stats().bytes as u64)
    });
    let (held, reckoned) = (with.0 - without.0, with.1 - without.1);
    assert!((held - held / 4..held + held / 4).contains(&reckoned), "{reckoned} of {held}");
}
