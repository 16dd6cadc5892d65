//! The cache compared with a naive model: a list of all stored responses, searched from its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use tidegate::cache::{Cache, CacheKey, Lookup, MissReason, ServeDecision};

use super::model::{self, present, stored};

#[derive(Clone, Debug)]
enum Step {
    /// Stores a response of this URI, selected by `Accept` if it varies.
    Store {
        uri: u8,
        accept: u8,
        varies: bool,
        max_age: u64,
    },
    Ask {
        uri: u8,
        accept: u8,
    },
    Invalidate {
        uri: u8,
    },
    Pass {
        seconds: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (uri, accept) = (0..3u8, 0..3u8);
    let step = prop_oneof![
        (uri.clone(), accept.clone(), any::<bool>(), 1..6u64).prop_map(
            |(uri, accept, varies, max_age)| Step::Store { uri, accept, varies, max_age }
        ),
        (uri.clone(), accept).prop_map(|(uri, accept)| Step::Ask { uri, accept }),
        uri.prop_map(|uri| Step::Invalidate { uri }),
        (1..4u64).prop_map(|seconds| Step::Pass { seconds }),
    ];
    prop::collection::vec(step, 1..60)
}

/// The properties of a stored response that the model keeps.
struct Known {
    accept: Option<u8>,
    stale_at: u64,
}

#[derive(Default)]
struct Naive(HashMap<u8, Vec<Known>>);

impl Naive {
    fn store(&mut self, uri: u8, known: Known) {
        let all = self.0.entry(uri).or_default();
        all.retain(|old| old.accept != known.accept);
        all.push(known);
    }

    fn ask(&self, uri: u8, accept: u8, now: u64) -> &'static str {
        let all = self.0.get(&uri).map_or(&[][..], Vec::as_slice);
        let fits = |known: &&Known| known.accept.is_none_or(|wanted| wanted == accept);
        match all.iter().rev().find(fits) {
            Some(known) if now < known.stale_at => "fresh",
            Some(_) => "stale",
            None if all.is_empty() => "nothing",
            None => "others",
        }
    }
}

fn ask(cache: &mut Cache<u8>, key: &CacheKey, accept: u8, now: Instant) -> &'static str {
    let mut request = present(&format!("GET | Accept: {accept}"));
    match cache.look_up(key, &mut request, now) {
        Lookup::Hit(_, ServeDecision::Fresh) => "fresh",
        Lookup::Stale(_, ServeDecision::Validate) => "stale",
        Lookup::Miss(MissReason::Uri) => "nothing",
        Lookup::Miss(MissReason::Vary) => "others",
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn cache_finds_what_a_naive_model_finds(steps in steps()) {
        let mut cache: Cache<u8> = model::cache();
        let (mut naive, mut now) = (Naive::default(), 0);
        let keys: Vec<CacheKey> =
            (0..3).map(|n| cache.keys().key(&format!("http://h/{n}").into())).collect();
        for step in steps {
            match step {
                Step::Pass { seconds } => now += seconds,
                Step::Ask { uri, accept } => {
                    let found = ask(&mut cache, &keys[usize::from(uri)], accept, model::at(now).mono);
                    prop_assert_eq!(found, naive.ask(uri, accept, now));
                }
                Step::Store { uri, accept, varies, max_age } => {
                    let mut request = present(&format!("GET | Accept: {accept}"));
                    let vary = if varies { " | Vary: Accept" } else { "" };
                    let response = format!("200 | Cache-Control: max-age={max_age}{vary}");
                    let key = &keys[usize::from(uri)];
                    let ticket = cache.begin(key, &mut request, 0, model::at(now).mono);
                    let object = stored(&mut request, &response, now).unwrap();
                    cache.complete(ticket, Arc::new(object));
                    let accept = varies.then_some(accept);
                    naive.store(uri, Known { accept, stale_at: now + max_age });
                }
                Step::Invalidate { uri } => {
                    cache.forget(&keys[usize::from(uri)]);
                    naive.0.remove(&uri);
                }
            }
            cache.check();
        }
    }

    #[test]
    fn stored_bytes_never_exceed_the_memory(
        sizes in prop::collection::vec((0..200u16, 0..3000usize), 1..200)
    ) {
        let mut cache: Cache<u8> = model::cache();
        for (uri, size) in sizes {
            let mut request = present("GET");
            let key = cache.keys().key(&format!("http://h/{uri}").into());
            let ticket = cache.begin(&key, &mut request, 0, model::at(0).mono);
            let padding = "x".repeat(size);
            let response = format!("200 | Cache-Control: max-age=60 | X-Padding: {padding}");
            let object = stored(&mut request, &response, 0).unwrap();
            cache.complete(ticket, Arc::new(object));
            cache.check();
            prop_assert!(cache.stats().bytes <= model::MEMORY);
        }
        prop_assert!(cache.stats().entries > 0, "not every entry was evicted");
    }
}
