//! The name cache: bounds on answers and lookups, and clients that share them.

use std::net::IpAddr;
use std::time::Duration;

use tidegate::dns::{CacheAnswer, NameCache, NameError, NameLimits};
use tidegate::work;

use super::names::{
    ASK, LIMITS, LOST, OVERLOADED, address, answer, known, look_up, resolve, seconds, start,
};

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
    assert!(answer(&mut names, "c", address(), None, now).is_empty());
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
