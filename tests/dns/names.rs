//! The name cache: lifetimes of answers, and notification of waiters.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tidegate::dns::{Addresses, CacheAnswer, LookupResult, NameCache, NameError, NameLimits};
use tidegate::reactor::{Clock, VirtualClock};

/// Time after which a lookup without an answer counts as lost.
pub(crate) const LOST: Duration = Duration::from_secs(60);

pub(crate) const LIMITS: NameLimits = NameLimits {
    answer: Duration::from_secs(30),
    ttl: (Duration::from_secs(2), Duration::from_secs(100)),
    negative: Duration::from_secs(20),
    failure: Duration::from_secs(5),
    stale_ttl: Duration::from_secs(1000),
    stale_after: Duration::from_secs(1),
    recheck: Duration::from_secs(10),
    names: 3,
    max_in_flight: 2,
};

pub(crate) fn address() -> LookupResult {
    Ok([IpAddr::from([192, 0, 2, 1])].into())
}

pub(crate) fn other() -> LookupResult {
    Ok([IpAddr::from([192, 0, 2, 2])].into())
}

pub(crate) fn unanswered() -> LookupResult {
    Err(NameError::Unanswered("no answer".into()))
}

pub(crate) fn start() -> Instant {
    VirtualClock::default().now().mono
}

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Looks a name up without a client.
pub(crate) fn look_up(
    names: &mut NameCache<u32>,
    name: &str,
    waiter: u32,
    now: Instant,
) -> CacheAnswer {
    let known = names.look_up(name, waiter, None, now);
    names.check();
    known
}

/// Delivers an answer, and returns the waiters that are notified.
pub(crate) fn answer(
    names: &mut NameCache<u32>,
    name: &str,
    answer: LookupResult,
    ttl: Option<Duration>,
    now: Instant,
) -> Vec<u32> {
    names.answered(name, answer, ttl, now);
    notified(names)
}

pub(crate) fn notified(names: &mut NameCache<u32>) -> Vec<u32> {
    names.check();
    let notified = names.notified(1000);
    names.check();
    assert!(!names.has_pending());
    notified
}

/// Returns a complete answer.
pub(crate) fn known(answer: LookupResult) -> CacheAnswer {
    CacheAnswer::Answer(answer.map(|list| Addresses { list, complete: true }))
}

/// Returns a partial answer: more addresses may follow.
pub(crate) fn known_in_part(answer: LookupResult) -> CacheAnswer {
    CacheAnswer::Answer(answer.map(|list| Addresses { list, complete: false }))
}

pub(crate) const ASK: CacheAnswer = CacheAnswer::Ask(None);
pub(crate) const OVERLOADED: CacheAnswer = CacheAnswer::Answer(Err(NameError::Overloaded));

/// Looks `name` up, delivers the answer, and takes it.
pub(crate) fn resolve(
    names: &mut NameCache<u32>,
    name: &str,
    answer_: &LookupResult,
    ttl: Option<u64>,
    now: Instant,
) {
    assert_eq!(look_up(names, name, 1, now), ASK);
    assert_eq!(answer(names, name, answer_.clone(), ttl.map(seconds), now), [1]);
    assert_eq!(look_up(names, name, 1, now), known(answer_.clone()));
}

#[test]
fn callers_of_one_name_share_one_lookup() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    assert_eq!(look_up(&mut names, "a", 1, now), ASK);
    assert_eq!(look_up(&mut names, "a", 2, now), CacheAnswer::Waiting);
    assert_eq!(
        look_up(&mut names, "a", 2, now),
        CacheAnswer::Waiting,
        "a spurious wake changes nothing"
    );
    assert_eq!(answer(&mut names, "a", address(), None, now), [1, 2]);
    assert_eq!(look_up(&mut names, "a", 3, now), known(address()));
    assert!(answer(&mut names, "a", other(), None, now).is_empty(), "an answer without waiters");
    assert_eq!(look_up(&mut names, "a", 3, now), known(address()));
}

#[test]
fn answers_and_failures_are_cached_for_their_lifetime() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    let failure = Err(NameError::System("no such name".into()));
    resolve(&mut names, "a", &address(), None, now);
    resolve(&mut names, "b", &failure, None, now);
    let at = |n| now + seconds(n);
    assert_eq!(look_up(&mut names, "b", 1, at(4)), known(failure));
    assert_eq!(look_up(&mut names, "b", 1, at(5)), ASK);
    assert_eq!(look_up(&mut names, "a", 1, at(29)), known(address()));
    assert_eq!(names.lifetime("a", at(29)), Some(seconds(1)));
    assert_eq!(look_up(&mut names, "a", 1, at(30)), ASK);
}

#[test]
fn ttl_is_clamped_to_its_limits() {
    let none: LookupResult = Err(NameError::NoSuchName);
    for (answer, ttl, kept) in [
        (address(), Some(50), 50),
        (address(), Some(0), 2),
        (address(), Some(u64::from(u32::MAX)), 100),
        (address(), None, 30),
        (none.clone(), Some(10), 10),
        (none.clone(), Some(0), 2),
        (none.clone(), Some(1000), 20),
        (none, None, 5),
        (unanswered(), None, 5),
    ] {
        let (mut names, now) = (NameCache::new(LIMITS), start());
        resolve(&mut names, "a", &answer, ttl, now);
        assert_eq!(names.lifetime("a", now), Some(seconds(kept)), "{answer:?} {ttl:?}");
        assert_eq!(look_up(&mut names, "a", 1, now + seconds(kept)), ASK);
    }
}

#[test]
fn waiters_get_an_answer_that_is_not_cached() {
    let limits = NameLimits { answer: Duration::ZERO, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    look_up(&mut names, "a", 1, now);
    look_up(&mut names, "a", 2, now);
    answer(&mut names, "a", address(), None, now);
    assert_eq!(look_up(&mut names, "a", 1, now), known(address()));
    assert!(!names.leave("a", &2), "no lookup is left");
    assert_eq!(look_up(&mut names, "a", 3, now), ASK);
}

#[test]
fn expired_answer_is_kept_only_for_its_waiter() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    answer(&mut names, "a", address(), None, now);
    assert_eq!(look_up(&mut names, "a", 2, now + seconds(30)), ASK);
    assert_eq!(answer(&mut names, "a", other(), None, now + seconds(30)), [1, 2]);
    assert_eq!(
        look_up(&mut names, "a", 1, now + seconds(60)),
        known(other()),
        "the waiter was notified"
    );
    assert_eq!(look_up(&mut names, "a", 1, now + seconds(60)), ASK);
}

#[test]
fn partial_answer_is_served_at_once_and_waiters_are_told_of_the_rest() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    let Ok(list) = address() else { panic!("an address") };
    names.answered_in_part("a", list, Some(seconds(9)), now);
    assert_eq!(notified(&mut names), [1]);
    assert_eq!(look_up(&mut names, "a", 1, now), known_in_part(address()));
    assert_eq!(look_up(&mut names, "a", 2, now + seconds(8)), known_in_part(address()));
    assert_eq!(look_up(&mut names, "a", 3, now + seconds(8)), known_in_part(address()));
    names.leave("a", &3);
    assert_eq!(answer(&mut names, "a", other(), Some(seconds(9)), now + seconds(8)), [1, 2]);
    for waiter in [1, 2, 3] {
        assert_eq!(look_up(&mut names, "a", waiter, now + seconds(9)), known(other()));
    }
}

#[test]
fn waiter_that_took_a_partial_answer_is_told_only_of_the_rest() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    look_up(&mut names, "a", 2, now);
    let Ok(list) = address() else { panic!("an address") };
    names.answered_in_part("a", list, Some(seconds(9)), now);
    assert_eq!(
        look_up(&mut names, "a", 1, now),
        known_in_part(address()),
        "the partial answer is taken before the notification"
    );
    assert_eq!(notified(&mut names), [2]);
    assert_eq!(answer(&mut names, "a", other(), Some(seconds(9)), now), [1, 2]);
}

#[test]
fn answer_is_open_until_it_is_complete() {
    for (known, open) in [
        (CacheAnswer::Waiting, true),
        (known_in_part(address()), true),
        (known(address()), false),
        (known(unanswered()), false),
        (ASK, false),
        (OVERLOADED, false),
    ] {
        assert_eq!(known.is_open(), open, "{known:?}");
    }
}

#[test]
fn waiters_are_listed_with_their_names() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    look_up(&mut names, "a", 2, now);
    look_up(&mut names, "b", 1, now);
    let listed = |names: &NameCache<u32>| {
        let mut all: Vec<String> =
            names.waiters().map(|(name, waiter)| format!("{name} {waiter}")).collect();
        all.sort();
        all
    };
    assert_eq!(listed(&names), ["a 1", "a 2", "b 1"]);
    names.leave("a", &1);
    answer(&mut names, "b", address(), None, now);
    assert_eq!(listed(&names), ["a 2", "b 1"], "a notified waiter has yet to take its answer");
    look_up(&mut names, "b", 1, now);
    assert_eq!(listed(&names), ["a 2"]);
}

#[test]
fn rest_of_an_answer_reaches_its_waiters_even_with_ttl_zero() {
    let limits = NameLimits { ttl: (Duration::ZERO, seconds(100)), ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    look_up(&mut names, "a", 1, now);
    let Ok(list) = address() else { panic!("an address") };
    names.answered_in_part("a", list, Some(Duration::ZERO), now);
    assert_eq!(look_up(&mut names, "a", 1, now), known_in_part(address()));
    assert_eq!(
        look_up(&mut names, "a", 1, now),
        CacheAnswer::Waiting,
        "the partial answer was taken"
    );
    answer(&mut names, "a", other(), Some(Duration::ZERO), now);
    assert_eq!(look_up(&mut names, "a", 1, now), known(other()));
    assert_eq!(look_up(&mut names, "a", 1, now), ASK);
}

#[test]
fn expired_answer_is_served_while_no_server_answers() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    let at = |n| now + seconds(n);
    assert_eq!(look_up(&mut names, "a", 1, at(50)), ASK);
    assert_eq!(names.expired_serves_at("a"), Some(at(51)));
    names.tell_expired("a", at(50));
    assert!(notified(&mut names).is_empty(), "a server may still answer");
    names.tell_expired("a", at(51));
    assert_eq!(notified(&mut names), [1]);
    assert_eq!(look_up(&mut names, "a", 1, at(51)), known_in_part(address()));
    assert_eq!(answer(&mut names, "a", unanswered(), None, at(58)), [1]);
    assert_eq!(look_up(&mut names, "a", 1, at(58)), known(address()));
    assert_eq!(look_up(&mut names, "a", 3, at(67)), known(address()));
    assert_eq!(look_up(&mut names, "a", 3, at(68)), ASK, "the servers are queried again");
    let gone: LookupResult = Err(NameError::NoSuchName);
    answer(&mut names, "a", gone.clone(), None, at(68));
    assert_eq!(look_up(&mut names, "a", 3, at(68)), known(gone), "a server answered");
}

#[test]
fn expired_answer_is_not_served_beyond_stale_ttl() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    let late = now + seconds(1045);
    assert_eq!(look_up(&mut names, "a", 1, late), ASK);
    answer(&mut names, "a", unanswered(), None, late);
    assert_eq!(names.lifetime("a", late), Some(seconds(5)));
    assert_eq!(look_up(&mut names, "a", 1, late), known(address()));
    assert_eq!(look_up(&mut names, "a", 1, late + seconds(5)), ASK);
    answer(&mut names, "a", unanswered(), None, late + seconds(5));
    assert_eq!(look_up(&mut names, "a", 1, late + seconds(5)), known(unanswered()));

    let mut names = NameCache::new(LIMITS);
    resolve(&mut names, "a", &address(), Some(50), now);
    assert_eq!(look_up(&mut names, "a", 1, now + seconds(1048)), ASK);
    let late = now + seconds(1049);
    assert_eq!(
        look_up(&mut names, "a", 2, late),
        known_in_part(address()),
        "served stale during the lookup"
    );
    assert_eq!(look_up(&mut names, "a", 2, late + seconds(1)), CacheAnswer::Waiting);
}

#[test]
fn waiters_are_told_in_slices() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    (0..10).for_each(|waiter| drop(look_up(&mut names, "a", waiter, now)));
    look_up(&mut names, "b", 20, now);
    names.answered("a", address(), None, now);
    names.answered("b", address(), None, now);
    let mut notified = names.notified(4);
    assert_eq!(notified, [0, 1, 2, 3]);
    assert!(names.has_pending());
    assert_eq!(
        look_up(&mut names, "a", 5, now),
        known(address()),
        "the answer is taken before the notification"
    );
    names.leave("a", &3);
    while names.has_pending() {
        names.check();
        notified.extend(names.notified(4));
    }
    assert_eq!(notified, [0, 1, 2, 3, 4, 6, 7, 8, 9, 20]);
}

#[test]
fn clear_discards_answers_of_the_previous_servers() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    look_up(&mut names, "b", 7, now);
    answer(&mut names, "b", address(), None, now);
    names.clear();
    assert_eq!(names.lifetime("a", now), None);
    assert_eq!(look_up(&mut names, "a", 1, now), ASK);
    assert_eq!(
        look_up(&mut names, "b", 7, now),
        known(address()),
        "a notified waiter takes the old answer"
    );
    look_up(&mut names, "c", 3, now);
    names.clear();
    assert_eq!(answer(&mut names, "c", address(), None, now), [3]);
    assert_eq!(look_up(&mut names, "c", 3, now), known(address()));
    assert_eq!(look_up(&mut names, "c", 3, now), ASK, "the new servers are queried next");
}
