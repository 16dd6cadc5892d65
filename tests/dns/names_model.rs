//! The name cache compared with a naive model that keeps no indexes and scans everything each time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate::dns::{Addresses, CacheAnswer, LookupResult, NameCache, NameError, NameLimits};
use tidegate::reactor::{Clock, VirtualClock};

use crate::names::{LIMITS, LOST};

/// An operation on the cache. Names, waiters and clients are small numbers.
#[derive(Clone, Debug)]
enum Deed {
    LookUp { name: u8, waiter: u8, client: Option<u8> },
    Answer { name: u8, kind: u8, ttl: Option<u8> },
    AnswerInPart { name: u8, ttl: u8 },
    Leave { name: u8, waiter: u8 },
    TakeBack { name: u8 },
    TellExpired { name: u8 },
    Tell { most: u8 },
    Clear,
    Wait { millis: u32 },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let (name, waiter) = (0u8..6, 0u8..5);
    let client = proptest::option::weighted(0.8, 0u8..3);
    let look_up = (name.clone(), waiter.clone(), client)
        .prop_map(|(name, waiter, client)| Deed::LookUp { name, waiter, client });
    let answer =
        (name.clone(), 0u8..5, proptest::option::of(prop_oneof![Just(0), Just(3), Just(50)]))
            .prop_map(|(name, kind, ttl)| Deed::Answer { name, kind, ttl });
    let part = (name.clone(), prop_oneof![Just(0), Just(3), Just(50)])
        .prop_map(|(name, ttl)| Deed::AnswerInPart { name, ttl });
    let leave = (name.clone(), waiter).prop_map(|(name, waiter)| Deed::Leave { name, waiter });
    let deed = prop_oneof![
        8 => look_up,
        4 => answer,
        1 => part,
        3 => leave,
        1 => name.clone().prop_map(|name| Deed::TakeBack { name }),
        1 => name.prop_map(|name| Deed::TellExpired { name }),
        3 => (0u8..8).prop_map(|most| Deed::Tell { most }),
        1 => Just(Deed::Clear),
        2 => (0u32..90_000).prop_map(|millis| Deed::Wait { millis }),
    ];
    vec(deed, 0..120)
}

/// The model's entry of a name: its answer, its lookup, and its waiters.
#[derive(Clone, Debug, Default)]
struct Entry {
    kept: Option<Kept>,
    /// Start of the lookup in flight.
    asked: Option<Instant>,
    /// Generation of the servers when the lookup started.
    asked_in: usize,
    /// Client that the lookup is charged to, while it has waiters.
    holder: Option<Option<u8>>,
    /// Number of the operation in which the last waiter left.
    left: usize,
    /// Waiters; true if an answer is ready to be taken.
    waiters: BTreeMap<u8, bool>,
}

#[derive(Clone, Debug)]
struct Kept {
    answer: LookupResult,
    since: Instant,
    ttl: Option<Duration>,
    recheck: Option<Instant>,
    /// Generation of the servers when the lookup started.
    generation: usize,
}

impl Kept {
    fn expires(&self, limits: &NameLimits) -> Instant {
        let lifetime = match (&self.answer, self.ttl) {
            (Ok(_), None) => limits.answer,
            (Ok(_), Some(ttl)) => ttl.clamp(limits.ttl.0, limits.ttl.1),
            (Err(NameError::NoSuchName), Some(ttl)) => ttl.max(limits.ttl.0).min(limits.negative),
            (Err(_), _) => limits.failure,
        };
        self.since + lifetime
    }

    fn last_resort(&self, limits: &NameLimits) -> Instant {
        let stale = if self.answer.is_ok() { limits.stale_ttl } else { Duration::ZERO };
        self.expires(limits) + stale
    }

    fn stale_until(&self, limits: &NameLimits) -> Instant {
        if self.ttl.is_some() { self.last_resort(limits) } else { self.expires(limits) }
    }

    fn serves(&self, asked: Option<Instant>, limits: &NameLimits, now: Instant) -> bool {
        let stale = self.stale_until(limits);
        let fresh = self.recheck.map_or_else(|| self.expires(limits), |at| at.min(stale));
        let slow = asked.is_some_and(|since| now >= since + limits.stale_after);
        now < fresh || now < stale && slow
    }
}

struct Model {
    limits: NameLimits,
    entries: BTreeMap<u8, Entry>,
    deeds: usize,
    /// Number of changes of the servers.
    generation: usize,
}

impl Model {
    fn held(&self, client: Option<u8>) -> usize {
        let held = |entry: &&Entry| entry.holder == Some(client);
        self.entries.values().filter(held).count()
    }

    /// Returns true if `client` may start another lookup.
    fn may_ask(&self, client: Option<u8>) -> bool {
        let taken = self.entries.values().filter(|entry| entry.holder.is_some()).count();
        let held = if client.is_some() { self.held(client) } else { 0 };
        held + taken < self.limits.max_in_flight
    }

    fn questions(&self) -> usize {
        self.entries.values().filter(|entry| entry.asked.is_some()).count()
    }

    fn look_up(&mut self, name: u8, waiter: u8, client: Option<u8>, now: Instant) -> CacheAnswer {
        let may_ask = self.may_ask(client);
        let full = self.questions() >= self.limits.max_in_flight;
        let generation = self.generation;
        let entry = self.entries.entry(name).or_default();
        let told = entry.waiters.get(&waiter) == Some(&true);
        let kept = entry.kept.as_ref();
        let serves = kept.filter(|kept| {
            told || kept.generation == generation && kept.serves(entry.asked, &self.limits, now)
        });
        let answer = serves.map(|kept| kept.answer.clone());
        let last_resort = kept
            .filter(|kept| kept.generation == generation && now < kept.last_resort(&self.limits))
            .and_then(|kept| kept.answer.clone().ok());
        let attends = entry.asked.is_some() && (entry.holder.is_some() || may_ask);
        let complete = |list| CacheAnswer::Answer(Ok(Addresses { list, complete: true }));
        match answer {
            Some(Err(error)) => {
                self.leave(name, waiter);
                CacheAnswer::Answer(Err(error))
            }
            Some(Ok(list)) if attends => {
                entry.holder.get_or_insert(client);
                entry.waiters.insert(waiter, false);
                CacheAnswer::Answer(Ok(Addresses { list, complete: false }))
            }
            Some(Ok(list)) => {
                entry.waiters.remove(&waiter);
                complete(list)
            }
            None if attends => {
                entry.holder.get_or_insert(client);
                entry.waiters.insert(waiter, false);
                let lost = entry.asked.is_some_and(|since| now >= since + LOST);
                if lost {
                    (entry.asked, entry.asked_in) = (Some(now), generation);
                }
                if lost { CacheAnswer::Ask(None) } else { CacheAnswer::Waiting }
            }
            None if entry.asked.is_some() || !may_ask => {
                last_resort.map_or(CacheAnswer::Answer(Err(NameError::Overloaded)), complete)
            }
            None => {
                (entry.asked, entry.asked_in) = (Some(now), generation);
                entry.holder = Some(client);
                entry.waiters.insert(waiter, false);
                CacheAnswer::Ask(full.then(|| self.displace()).flatten())
            }
        }
    }

    /// Cancels the lookup that was abandoned first.
    fn displace(&mut self) -> Option<Arc<str>> {
        let left = |(_, entry): &(&u8, &mut Entry)| entry.asked.is_some() && entry.holder.is_none();
        let entries = self.entries.iter_mut().filter(left);
        let (name, entry) = entries.min_by_key(|(_, entry)| entry.left)?;
        entry.asked = None;
        Some(text(*name).into())
    }

    fn leave(&mut self, name: u8, waiter: u8) -> bool {
        self.deeds += 1;
        let Some(entry) = self.entries.get_mut(&name) else { return false };
        let left = entry.waiters.remove(&waiter).is_some() && entry.waiters.is_empty();
        if !left || entry.asked.is_none() {
            return false;
        }
        (entry.holder, entry.left) = (None, self.deeds);
        true
    }

    fn answered(&mut self, name: u8, answer: LookupResult, ttl: Option<Duration>, now: Instant) {
        let limits = self.limits;
        let Some(entry) = self.entries.get_mut(&name).filter(|entry| entry.asked.is_some()) else {
            return;
        };
        let silent = matches!(answer, Err(NameError::Unanswered(_)));
        let generation = entry.asked_in;
        match &mut entry.kept {
            Some(kept)
                if silent && kept.generation == generation && now < kept.stale_until(&limits) =>
            {
                kept.recheck = Some(now + limits.recheck);
            }
            kept => *kept = Some(Kept { answer, since: now, ttl, recheck: None, generation }),
        }
        (entry.asked, entry.holder) = (None, None);
        entry.waiters.values_mut().for_each(|told| *told = true);
    }

    fn answered_in_part(&mut self, name: u8, answer: LookupResult, ttl: Duration, now: Instant) {
        let Some(entry) = self.entries.get_mut(&name).filter(|entry| entry.asked.is_some()) else {
            return;
        };
        let (ttl, generation) = (Some(ttl), entry.asked_in);
        entry.kept = Some(Kept { answer, since: now, ttl, recheck: None, generation });
        entry.waiters.values_mut().for_each(|told| *told = true);
    }

    fn tell_expired(&mut self, name: u8, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&name)
            && let Some(kept) = &entry.kept
            && kept.generation == self.generation
            && kept.serves(entry.asked, &self.limits, now)
        {
            entry.waiters.values_mut().for_each(|told| *told = true);
        }
    }

    /// Returns the waiters with an answer to take.
    fn told(&self) -> BTreeSet<u8> {
        let waiters = self.entries.values().flat_map(|entry| &entry.waiters);
        waiters.filter(|(_, told)| **told).map(|(waiter, _)| *waiter).collect()
    }
}

fn text(name: u8) -> String {
    format!("n{name}.test")
}

fn client_address(client: Option<u8>) -> Option<IpAddr> {
    client.map(|client| IpAddr::from([192, 0, 2, client]))
}

/// Returns an answer that is distinct for each number.
fn answer(kind: u8, number: usize) -> LookupResult {
    match kind {
        0 => Err(NameError::NoSuchName),
        1 => Err(NameError::Unanswered("no answer".into())),
        _ => Ok([IpAddr::from(u32::try_from(number).unwrap().to_be_bytes())].into()),
    }
}

const fn seconds(n: u8) -> Duration {
    Duration::from_secs(n as u64)
}

/// Applies all operations to a cache and to the model, and compares the results of each.
fn compare(deeds: Vec<Deed>, limits: NameLimits) {
    let mut names: NameCache<u8> = NameCache::new(limits);
    let mut model = Model { limits, entries: BTreeMap::new(), deeds: 0, generation: 0 };
    let mut now = VirtualClock::default().now().mono;
    let mut woken = BTreeSet::new();
    for (number, deed) in deeds.into_iter().enumerate() {
        match deed {
            Deed::LookUp { name, waiter, client } => {
                let known = names.look_up(&text(name), waiter, client_address(client), now);
                assert_eq!(known, model.look_up(name, waiter, client, now), "{number}: {deed:?}");
            }
            Deed::Answer { name, kind, ttl } => {
                names.answered(&text(name), answer(kind, number), ttl.map(seconds), now);
                model.answered(name, answer(kind, number), ttl.map(seconds), now);
            }
            Deed::AnswerInPart { name, ttl } => {
                let Ok(list) = answer(9, number) else { panic!("an address") };
                names.answered_in_part(&text(name), Arc::clone(&list), Some(seconds(ttl)), now);
                model.answered_in_part(name, Ok(list), seconds(ttl), now);
            }
            Deed::Leave { name, waiter } => {
                let left = names.leave(&text(name), &waiter);
                assert_eq!(left, model.leave(name, waiter), "{number}");
            }
            Deed::TakeBack { name } => {
                let left = |entry: &&mut Entry| entry.asked.is_some() && entry.holder.is_none();
                if let Some(entry) = model.entries.get_mut(&name).filter(left) {
                    entry.asked = None;
                    names.forget(&text(name));
                }
            }
            Deed::TellExpired { name } => {
                names.tell_expired(&text(name), now);
                model.tell_expired(name, now);
            }
            Deed::Tell { most } => woken.extend(names.told(most.into())),
            Deed::Clear => {
                names.clear();
                model.generation += 1;
            }
            Deed::Wait { millis } => now += Duration::from_millis(millis.into()),
        }
        names.check();
        assert_eq!(names.count().1, model.questions(), "{number}");
        assert!(names.count().1 <= limits.max_in_flight);
    }
    woken.extend(names.told(10_000));
    assert!(!names.has_to_tell());
    assert!(model.told().is_subset(&woken), "a waiter with an answer to take was not notified");
}

proptest! {
    #[test]
    fn name_cache_matches_a_naive_model(deeds in deeds(), asked in 1usize..6) {
        compare(deeds, NameLimits { max_in_flight: asked, names: 1000, ..LIMITS });
    }

    #[test]
    fn small_name_cache_keeps_its_bounds(deeds in deeds(), asked in 1usize..6, most in 1usize..4) {
        let limits = NameLimits { max_in_flight: asked, names: most, ..LIMITS };
        let mut names: NameCache<u8> = NameCache::new(limits);
        let mut now = VirtualClock::default().now().mono;
        for (number, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::LookUp { name, waiter, client } => {
                    names.look_up(&text(name), waiter, client_address(client), now);
                }
                Deed::Answer { name, kind, ttl } => {
                    names.answered(&text(name), answer(kind, number), ttl.map(seconds), now);
                    names.told(1000);
                }
                Deed::Leave { name, waiter } => drop(names.leave(&text(name), &waiter)),
                Deed::Wait { millis } => now += Duration::from_millis(millis.into()),
                _ => {}
            }
            names.check();
            let (known, questions) = names.count();
            prop_assert!(questions <= asked && known <= most + asked, "{known} {questions}");
        }
    }
}
