//! The name cache: lifetimes of answers, and notification of waiters.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tidegate::dns::{Addresses, CacheAnswer, LookupResult, NameCache, NameError, NameLimits};
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::work;

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

fn address() -> LookupResult {
    Ok([IpAddr::from([192, 0, 2, 1])].into())
}

fn other() -> LookupResult {
    Ok([IpAddr::from([192, 0, 2, 2])].into())
}

fn unanswered() -> LookupResult {
    Err(NameError::Unanswered("no answer".into()))
}

fn start() -> Instant {
    VirtualClock::default().now().mono
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Looks a name up without a client.
fn look_up(names: &mut NameCache<u32>, name: &str, waiter: u32, now: Instant) -> CacheAnswer {
    let known = names.look_up(name, waiter, None, now);
    names.check();
    known
}

/// Delivers an answer, and returns the waiters that are notified.
fn answer(
    names: &mut NameCache<u32>,
    name: &str,
    answer: LookupResult,
    ttl: Option<Duration>,
    now: Instant,
) -> Vec<u32> {
    names.answered(name, answer, ttl, now);
    told(names)
}

fn told(names: &mut NameCache<u32>) -> Vec<u32> {
    names.check();
    let told = names.told(1000);
    names.check();
    assert!(!names.has_to_tell());
    told
}

/// Returns a complete answer.
fn known(answer: LookupResult) -> CacheAnswer {
    CacheAnswer::Answer(answer.map(|list| Addresses { list, complete: true }))
}

/// Returns a partial answer: more addresses may follow.
fn known_in_part(answer: LookupResult) -> CacheAnswer {
    CacheAnswer::Answer(answer.map(|list| Addresses { list, complete: false }))
}

const ASK: CacheAnswer = CacheAnswer::Ask(None);
const OVERLOADED: CacheAnswer = CacheAnswer::Answer(Err(NameError::Overloaded));

/// Looks `name` up, delivers the answer, and takes it.
fn resolve(
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
    assert_eq!(told(&mut names), [1]);
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
    assert_eq!(told(&mut names), [2]);
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
    assert_eq!(told(&mut names), [], "a server may still answer");
    names.tell_expired("a", at(51));
    assert_eq!(told(&mut names), [1]);
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
fn lookups_and_answers_have_separate_bounds() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    look_up(&mut names, "b", 1, now);
    assert_eq!(look_up(&mut names, "c", 1, now), OVERLOADED);
    assert_eq!(look_up(&mut names, "b", 2, now), CacheAnswer::Waiting);
    answer(&mut names, "a", address(), None, now);
    names.leave("a", &1);
    for name in ["c", "d", "e"] {
        resolve(&mut names, name, &address(), Some(50), now);
        assert_eq!(names.count(), (3, 1));
    }
}

#[test]
fn lookup_count_is_right_after_evictions_from_a_full_table() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    let failure = Err(NameError::NoSuchName);
    for n in 0..1000 {
        let now = now + Duration::from_millis(n);
        assert_eq!(look_up(&mut names, &format!("n{n}"), 1, now), ASK);
        assert_eq!(names.count().1, 1);
        answer(&mut names, &format!("n{n}"), failure.clone(), None, now);
        assert_eq!(look_up(&mut names, &format!("n{n}"), 1, now), known(failure.clone()));
        assert_eq!(names.count().1, 0);
        assert!(names.count().0 <= LIMITS.names);
    }
}

#[test]
fn least_recently_used_name_is_evicted() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    for name in ["a", "b", "c"] {
        resolve(&mut names, name, &address(), Some(50), now);
    }
    assert_eq!(look_up(&mut names, "a", 1, now), known(address()));
    resolve(&mut names, "d", &address(), Some(50), now);
    assert_eq!(look_up(&mut names, "a", 1, now), known(address()));
    assert_eq!(look_up(&mut names, "b", 1, now), ASK, "b was evicted for d");
}

#[test]
fn used_name_in_a_large_table_is_kept_longer() {
    let limits = NameLimits { names: 15, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    let name = |n: usize| format!("n{n}");
    (0..15).for_each(|n| resolve(&mut names, &name(n), &address(), Some(50), now));
    assert_eq!(look_up(&mut names, &name(12), 1, now), known(address()));
    (15..29).for_each(|n| resolve(&mut names, &name(n), &address(), Some(50), now));
    assert_eq!(names.count().0, 15);
    assert_eq!(
        look_up(&mut names, &name(12), 1, now),
        known(address()),
        "all other names were evicted"
    );
}

#[test]
fn repeated_use_of_a_name_costs_only_its_lookup() {
    let limits = NameLimits { names: 100, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    let name = |n: usize| format!("n{n:02}");
    (0..100).for_each(|n| resolve(&mut names, &name(n), &address(), Some(50), now));
    let mut steps = |used: [usize; 100]| {
        let before = work::counted();
        for n in used {
            assert_eq!(names.look_up(&name(n), 1, None, now), known(address()));
        }
        work::counted() - before
    };
    let (one, each) = (steps([99; 100]), steps(std::array::from_fn(|n| n)));
    assert!(2 * one < each, "{one} steps for one name, {each} for as many names");
}

#[test]
fn name_beyond_stale_ttl_is_removed_before_the_table_is_full() {
    let limits = NameLimits { names: 100, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    resolve(&mut names, "b", &address(), Some(60), now);
    resolve(&mut names, "c", &address(), Some(50), now + seconds(1049));
    assert_eq!(names.count().0, 3, "a may still be served where no lookup may start");
    resolve(&mut names, "d", &address(), Some(50), now + seconds(1050));
    assert_eq!(names.count().0, 3, "a was removed");
    resolve(&mut names, "e", &address(), Some(50), now + seconds(1060));
    assert_eq!(names.count().0, 3, "b was removed");
}

#[test]
fn one_client_leaves_lookups_to_others() {
    let limits = NameLimits { max_in_flight: 4, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
    assert_eq!(names.look_up("a", 1, one, now), ASK);
    assert_eq!(names.look_up("b", 2, one, now), ASK);
    assert_eq!(
        names.look_up("c", 3, one, now),
        OVERLOADED,
        "the client holds as many lookups as are free"
    );
    assert_eq!(names.look_up("c", 4, other, now), ASK);
    assert_eq!(names.look_up("a", 5, other, now), CacheAnswer::Waiting);
    assert_eq!(names.look_up("d", 6, other, now), OVERLOADED);
    assert_eq!(names.look_up("d", 7, None, now), ASK, "a lookup without a client");
    answer(&mut names, "a", address(), None, now);
    assert_eq!(
        names.look_up("e", 8, one, now),
        OVERLOADED,
        "the client holds one lookup, and one is free"
    );
    answer(&mut names, "d", address(), None, now);
    assert_eq!(names.look_up("e", 8, one, now), ASK);
    names.check();
}

#[test]
fn expired_answer_is_served_to_a_client_that_may_not_start_a_lookup() {
    let limits = NameLimits { max_in_flight: 1, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    resolve(&mut names, "b", &address(), None, now); // without a TTL, as from the system's resolver
    assert_eq!(look_up(&mut names, "c", 9, now + seconds(50)), ASK);
    for name in ["a", "b"] {
        assert_eq!(look_up(&mut names, name, 1, now + seconds(50)), known(address()));
    }
    assert_eq!(look_up(&mut names, "a", 1, now + seconds(1049)), known(address()));
    assert_eq!(look_up(&mut names, "a", 1, now + seconds(1050)), OVERLOADED);
}

#[test]
fn lookup_without_waiters_can_be_cancelled() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "a", 1, now);
    look_up(&mut names, "a", 2, now);
    assert!(!names.leave("a", &1));
    assert!(!names.leave("a", &1), "waiter 1 has left already");
    assert!(names.leave("a", &2));
    names.forget("a");
    assert_eq!(names.count(), (0, 0));
    assert_eq!(look_up(&mut names, "a", 3, now), ASK);
    assert_eq!(names.count().1, 1);
}

#[test]
fn lookup_without_waiters_continues_until_its_slot_is_needed() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    let client = Some(IpAddr::from([192, 0, 2, 1]));
    assert_eq!(names.look_up("a", 1, client, now), ASK);
    assert!(names.leave("a", &1));
    assert_eq!(
        names.look_up("b", 1, client, now),
        ASK,
        "the abandoned lookup is charged to no client"
    );
    assert!(names.leave("b", &1));
    assert_eq!(names.look_up("b", 2, client, now), CacheAnswer::Waiting);
    assert_eq!(look_up(&mut names, "c", 3, now), CacheAnswer::Ask(Some("a".into())));
    assert_eq!(names.count(), (2, 2));
    assert!(answer(&mut names, "a", address(), None, now).is_empty(), "the lookup was cancelled");
    assert!(names.leave("c", &3));
    assert_eq!(answer(&mut names, "c", address(), None, now), []);
    assert_eq!(look_up(&mut names, "c", 3, now), known(address()), "the answer was cached");
}

#[test]
fn lookup_without_waiters_is_joined_only_with_a_free_slot() {
    let limits = NameLimits { max_in_flight: 2, ..LIMITS };
    let (mut names, now) = (NameCache::new(limits), start());
    let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
    names.look_up("a", 1, one, now);
    names.leave("a", &1);
    assert_eq!(names.look_up("b", 1, one, now), ASK);
    assert_eq!(names.look_up("a", 2, one, now), OVERLOADED);
    assert_eq!(names.look_up("a", 3, other, now), CacheAnswer::Waiting);
    assert_eq!(
        names.look_up("a", 2, one, now),
        CacheAnswer::Waiting,
        "the slot is charged to the other client"
    );
    names.check();
}

#[test]
fn lost_lookup_is_started_again() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    look_up(&mut names, "b", 1, now);
    assert_eq!(look_up(&mut names, "b", 2, now + LOST), ASK);
    assert_eq!(look_up(&mut names, "b", 3, now + LOST), CacheAnswer::Waiting);
    assert_eq!(names.count(), (1, 1));
}

#[test]
fn waiters_are_told_in_slices() {
    let (mut names, now) = (NameCache::new(LIMITS), start());
    (0..10).for_each(|waiter| drop(look_up(&mut names, "a", waiter, now)));
    look_up(&mut names, "b", 20, now);
    names.answered("a", address(), None, now);
    names.answered("b", address(), None, now);
    let mut told = names.told(4);
    assert_eq!(told, [0, 1, 2, 3]);
    assert!(names.has_to_tell());
    assert_eq!(
        look_up(&mut names, "a", 5, now),
        known(address()),
        "the answer is taken before the notification"
    );
    names.leave("a", &3);
    while names.has_to_tell() {
        names.check();
        told.extend(names.told(4));
    }
    assert_eq!(told, [0, 1, 2, 3, 4, 6, 7, 8, 9, 20]);
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
