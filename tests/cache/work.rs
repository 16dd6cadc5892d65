//! Counted work: a lookup costs little for any head of the largest size, and waiting clients cost
//! no more together than each of them alone.

use std::sync::Arc;

use tidegate::cache::{Cache, CacheKey, Content, Extents, Lookup, Presented, PurgeScope};
use tidegate::work;

use super::model::{at, cache, present, stored};

/// The maximum number of steps of one lookup or one response: those of a drive.
const MOST: u64 = 2_000_000;
/// Length of a field line in bytes, and number of field lines, at the limits of heads.
const FIELD: usize = 8000;
const LINES: usize = 7;

fn steps<T>(of: impl FnOnce() -> T) -> (u64, T) {
    let before = work::counted();
    let done = of();
    (work::counted() - before, done)
}

/// Returns lines of a field, each filled with as many elements as fit.
fn filled(name: &str, lines: usize, element: impl Fn(usize) -> String, separator: &str) -> String {
    let mut number = 0;
    let line = |_| {
        let mut line = format!("{name}: ");
        while line.len() < FIELD {
            line += &element(number);
            line += separator;
            number += 1;
        }
        line.truncate(line.len() - separator.len());
        line
    };
    (0..lines).map(line).collect::<Vec<_>>().join(" | ")
}

/// Request fields that are as expensive to read as possible.
fn hostile_requests(lines: usize) -> Vec<String> {
    let of =
        |name, element: fn(usize) -> String| format!("GET | {}", filled(name, lines, element, ","));
    vec![
        of("Accept-Language", |_| "a".into()),
        of("Accept-Language", |n| format!("l{n};q=0.{}", n % 1000)),
        of("Accept-Encoding", |n| format!("c{}", n % 7)),
        of("Accept-Encoding", |n| format!("{n};q=0")),
        of("Accept", |n| format!("a/{n}")),
        of("If-None-Match", |n| format!("\"{n}\"")),
        of("If-None-Match", |_| "W/\"\"".into()),
        of("Cache-Control", |_| "x".into()),
        of("Cache-Control", |n| format!("max-age={n}")),
        of("Cache-Control", |_| "no-cache=\"a\"".into()),
        of("Pragma", |_| "x".into()),
        of("X-Any", |_| "".into()),
        format!(
            "GET | {}",
            filled("Range", 1, |n| format!("{n}-{n}"), ",").replacen(": ", ": bytes=", 1)
        ),
        format!("GET | {}", filled("Range", 1, |_| "".into(), ",").replacen(": ", ": bytes=", 1)),
    ]
}

/// Response fields that are as expensive to read as possible.
fn hostile_responses(lines: usize) -> Vec<String> {
    let fresh = "200 | Cache-Control: max-age=60";
    let of = |name, element: fn(usize) -> String, separator: &str| {
        format!("{fresh} | {}", filled(name, lines, element, separator))
    };
    let names = |directive: &str| {
        let list = filled("Cache-Control", lines, |n| format!("n{n}"), ",");
        let list = list.replace("Cache-Control: ", &format!("Cache-Control: {directive}=\""));
        format!("{fresh} | {}\"", list.replace(" | ", "\" | "))
    };
    vec![
        format!("{fresh} | Vary: Accept-Language, Accept-Encoding, Accept, X-Any"),
        of("Vary", |n| format!("n{n}"), ","),
        of("Vary", |_| "a".into(), ","),
        of("Vary", |_| "accept-language".into(), ","),
        of("Cache-Control", |_| "x".into(), ","),
        of("Cache-Tag", |n| format!("t{n}"), ","),
        of("Cache-Tag", |_| "t".into(), ","),
        of("Surrogate-Key", |n| format!("t{n}"), " "),
        of("Cache-Groups", |n| format!("\"{n}\""), ","),
        of("CDN-Cache-Control", |n| format!("a{n}=\"\""), ","),
        of("Age", |n| n.to_string(), ","),
        names("private"),
        names("no-cache"),
    ]
}

fn key<F: Copy>(cache: &Cache<F>) -> CacheKey {
    cache.keys().key(&"http://h/a".into())
}

/// Returns the steps of one request from its lookup to the end of its fetch, with the lookups of a
/// second request.
fn exchange(request: &str, response: &str) -> u64 {
    let mut cache: Cache<u8> = cache();
    let key = key(&cache);
    let (mut one, mut other) = (present(request), present(request));
    let (steps, ()) = steps(|| {
        cache.look_up(&key, &mut one, at(0).mono);
        let ticket = cache.begin(&key, &mut one, 0, at(0).mono);
        cache.look_up(&key, &mut other, at(0).mono);
        match stored(&mut one, response, 0) {
            Ok(object) => {
                cache.selected(ticket, &object.selection);
                cache.look_up(&key, &mut other, at(0).mono);
                _ = cache.complete(ticket, Arc::new(object));
            }
            Err(_) => cache.abandon(ticket),
        }
        cache.look_up(&key, &mut other, at(1).mono);
    });
    steps
}

#[test]
fn hostile_heads_cost_steps_linear_in_their_length() {
    let all = |lines| {
        let responses = hostile_responses(lines);
        hostile_requests(lines).into_iter().flat_map(move |request| {
            responses.clone().into_iter().map(move |response| (request.clone(), response))
        })
    };
    for ((request, response), (short, shorter)) in all(LINES).zip(all(LINES.div_ceil(4))) {
        let (whole, part) = (exchange(&request, &response), exchange(&short, &shorter));
        let what = format!(
            "{} -> {}",
            &request[..40.min(request.len())],
            &response[32..60.min(response.len())]
        );
        assert!(whole < MOST, "{what}: {whole} steps");
        assert!(whole < 6 * part + 100_000, "{what}: {whole} steps, {part} for less than a third");
    }
}

fn in_language(n: usize) -> Presented {
    present(&format!("GET | Accept-Language: en-{n}, en;q=0.5"))
}

/// Returns the steps that `clients` waiting clients take to learn that the response does not answer
/// them, and to begin or join fetches of their own.
fn herd(clients: usize, distinct: bool) -> u64 {
    let mut cache: Cache<usize> = cache();
    let key = key(&cache);
    let mut leader = in_language(0);
    let ticket = cache.begin(&key, &mut leader, 0, at(0).mono);
    let request = |n| in_language(if distinct { n } else { 1 });
    let mut waiting: Vec<Presented> = (1..=clients).map(request).collect();
    for client in &mut waiting {
        let found = cache.look_up(&key, client, at(0).mono);
        assert!(matches!(found, Lookup::InFlight { fetch: 0, unsent: true }), "{found:?}");
    }
    cache.sent(ticket);
    let response = "200 | Cache-Control: max-age=60 | Vary: Accept-Language";
    let object = stored(&mut leader, response, 0).unwrap();
    let (steps, fetches) = steps(|| {
        cache.selected(ticket, &object.selection);
        let mut fetches = 0;
        for client in &mut waiting {
            assert!(!object.selection.fits(client));
            if !matches!(cache.look_up(&key, client, at(0).mono), Lookup::InFlight { .. }) {
                fetches += 1;
                cache.begin(&key, client, fetches, at(0).mono);
            }
        }
        fetches
    });
    assert_eq!(fetches, if distinct { clients } else { 1 });
    cache.check();
    steps
}

#[test]
fn waiting_clients_cost_linear_steps() {
    for distinct in [false, true] {
        let (few, many) = (herd(200, distinct), herd(10_000, distinct));
        assert!(many < 60 * few, "{many} steps for 10,000, {few} for 200");
        assert!(many < 10_000 * 2_500, "{many} steps for 10,000");
    }
}

/// Stores one byte of a representation, as a range fetch does, and returns the steps.
fn store_byte(cache: &mut Cache<u8>, at_offset: u64) -> u64 {
    const LENGTH: u64 = 100_000;
    let key = key(cache);
    let mut request = present(&format!("GET | Range: bytes={at_offset}-{at_offset}"));
    let response = format!(
        "206 | Cache-Control: max-age=60 | ETag: \"a\" | Content-Length: 1 \
         | Content-Range: bytes {at_offset}-{at_offset}/{LENGTH}"
    );
    let (steps, ()) = steps(|| {
        cache.look_up(&key, &mut request, at(0).mono);
        let ticket = cache.begin(&key, &mut request, 0, at(0).mono);
        let mut object = stored(&mut request, &response, 0).unwrap();
        let mut content = Content::default();
        content.restart(at_offset);
        content.push(vec![0]);
        object.content = Extents::of(content, LENGTH);
        cache.complete(ticket, Arc::new(object));
    });
    steps
}

#[test]
fn range_cost_is_bounded_however_many_parts_are_stored() {
    for gap in [1, 2] {
        let mut cache: Cache<u8> = cache();
        let most = (0..5000).map(|n| store_byte(&mut cache, gap * n)).max().unwrap();
        assert!(most < 20_000, "{most} steps for a range of one byte");
        cache.check();
        let bytes = cache.stats().bytes;
        assert!(bytes < 64 * 512, "{bytes} bytes for one-byte ranges, {gap} apart");
        let stored = cache.stored(&key(&cache)).next().unwrap();
        assert_eq!(stored.content.parts().len(), if gap == 1 { 1 } else { 64 });
    }
}

#[test]
fn long_uri_and_entity_tag_cost_linear_steps() {
    const LENGTH: usize = 8000;
    let mut cache: Cache<u8> = cache();
    let uri: Arc<str> = format!("http://h/{}", "a".repeat(LENGTH)).into();
    let objects: Vec<_> = (0..3)
        .map(|n| {
            let request = format!("GET | Accept: {n}");
            let tag = format!("\"{n:LENGTH$}\"").replace(' ', "x");
            let response = format!("200 | Cache-Control: max-age=60 | Vary: Accept | ETag: {tag}");
            Arc::new(stored(&mut present(&request), &response, 0).unwrap())
        })
        .collect();
    let (steps, found) = steps(|| {
        let key = cache.keys().key(&uri);
        objects.iter().for_each(|object| cache.update(&key, object));
        assert!(cache.validation_candidates(&key).is_empty(), "the tags together exceed the limit");
        let mut purge = cache.purge(&PurgeScope::Uri(Arc::clone(&uri)), false, at(0).mono);
        while !cache.run_slice(&mut purge) {}
        purge.count()
    });
    assert_eq!((found, cache.stats().entries), (3, 0));
    assert!(steps < 40 * LENGTH as u64, "{steps} steps");
}
