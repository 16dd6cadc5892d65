//! The whole proxy in a simulated network, with faults from a seed. A model checks every response;
//! at the end, no object may be left.
//!
//! `TIDEGATE_SEED=n cargo test --test simulation` replays one seed; `TIDEGATE_SEEDS=n` runs more.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod application;
mod ask;
mod client;
#[path = "../scenarios/decoding.rs"]
mod decoding;
mod destinations;
mod explained;
mod flood;
mod members;
mod names;
mod origin;
#[path = "../pki/mod.rs"]
mod pki;
mod plan;
mod reload;
mod unused;
mod world;

use tidegate::reactor::sim;

use client::Tally;

#[test]
fn every_response_is_correct_or_visibly_incomplete_and_nothing_leaks() {
    let seeds = std::env::var("TIDEGATE_SEEDS").ok();
    let seeds = seeds.map_or(1000, |seeds| seeds.parse().expect("TIDEGATE_SEEDS is a number"));
    let mut all = Tally::default();
    sim::explore(0..seeds, |seed| all.add(&world::simulate(seed).0));
    println!("{all:?}");
    if std::env::var("TIDEGATE_SEED").is_err() {
        assert!(all.whole > 10 * all.cut, "too many responses are cut short: {all:?}");
        assert!(all.hits > 0 && all.collapsed > 0 && all.tunnels > 0 && all.refused > 0, "{all:?}");
        assert!(all.challenged > 0, "{all:?}");
        assert!(all.secure_clients > 0 && all.secure_origins > 0, "{all:?}");
        assert!(all.ended_early > 0, "{all:?}");
        assert!(all.coded > 0, "{all:?}");
        assert!(all.of_sites > 10 * all.busy && all.busy > 0, "{all:?}");
        assert!(all.of_applications > all.of_sites / 10, "{all:?}");
    }
}

#[test]
fn a_seed_determines_the_access_log() {
    let mut all = String::new();
    sim::explore(0..20, |seed| {
        let [first, second] = [(); 2].map(|()| world::simulate(seed).1);
        assert_eq!(first, second);
        all += &first;
    });
    assert!(!all.is_empty());
}
