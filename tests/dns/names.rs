//! The table of what is known: how long it is, and who is told.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tidegate::dns::{Answer, Known, NameError, NameLimits, Names};
use tidegate::reactor::{Clock, VirtualClock};

/// A question without an answer for so long is taken for lost.
const LOST: Duration = Duration::from_secs(60);

const LIMITS: NameLimits = NameLimits {
    answer: Duration::from_secs(30),
    ttl: (Duration::from_secs(2), Duration::from_secs(100)),
    negative: Duration::from_secs(20),
    failure: Duration::from_secs(5),
    stale: Duration::from_secs(1000),
    patience: Duration::from_secs(1),
    recheck: Duration::from_secs(10),
    names: 3,
    asked: 2,
};

fn address() -> Answer {
    Ok([IpAddr::from([192, 0, 2, 1])].into())
}

fn other() -> Answer {
    Ok([IpAddr::from([192, 0, 2, 2])].into())
}

fn unanswered() -> Answer {
    Err(NameError::Unanswered("no answer".into()))
}

fn start() -> Instant {
    VirtualClock::default().now().mono
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `waiter` asks for `name`, is told, and takes the answer.
fn resolve(names: &mut Names<u32>, name: &str, answer: &Answer, ttl: Option<u64>, now: Instant) {
    assert_eq!(names.look_up(name, 1, now), Known::Ask);
    assert_eq!(names.answered(name, answer.clone(), ttl.map(seconds), now), [1]);
    assert_eq!(names.look_up(name, 1, now), Known::Answer(answer.clone()));
}

#[test]
fn callers_for_one_name_share_one_question() {
    let (mut names, now) = (Names::new(LIMITS), start());
    assert_eq!(names.look_up("a", 1, now), Known::Ask);
    assert_eq!(names.look_up("a", 2, now), Known::Waiting);
    assert_eq!(names.look_up("a", 2, now), Known::Waiting, "woken for nothing");
    assert_eq!(names.answered("a", address(), None, now), [1, 2]);
    assert_eq!(names.look_up("a", 3, now), Known::Answer(address()));
    assert!(names.answered("a", other(), None, now).is_empty(), "an answer nobody waits for");
    assert_eq!(names.look_up("a", 3, now), Known::Answer(address()));
}

#[test]
fn answers_and_failures_are_kept_for_their_time() {
    let (mut names, now) = (Names::new(LIMITS), start());
    let failure = Err(NameError::System("no such name".into()));
    resolve(&mut names, "a", &address(), None, now);
    resolve(&mut names, "b", &failure, None, now);
    let at = |n| now + seconds(n);
    assert_eq!(names.look_up("b", 1, at(4)), Known::Answer(failure));
    assert_eq!(names.look_up("b", 1, at(5)), Known::Ask);
    assert_eq!(names.look_up("a", 1, at(29)), Known::Answer(address()));
    assert_eq!(names.lifetime("a", at(29)), Some(seconds(1)));
    assert_eq!(names.look_up("a", 1, at(30)), Known::Ask);
}

#[test]
fn what_the_source_says_has_a_floor_and_a_ceiling() {
    let none: Answer = Err(NameError::NoSuchName);
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
        let (mut names, now) = (Names::new(LIMITS), start());
        resolve(&mut names, "a", &answer, ttl, now);
        assert_eq!(names.lifetime("a", now), Some(seconds(kept)), "{answer:?} {ttl:?}");
        assert_eq!(names.look_up("a", 1, now + seconds(kept)), Known::Ask);
    }
}

#[test]
fn who_has_waited_gets_an_answer_that_is_not_kept() {
    let limits = NameLimits { answer: Duration::ZERO, ..LIMITS };
    let (mut names, now) = (Names::new(limits), start());
    names.look_up("a", 1, now);
    names.look_up("a", 2, now);
    names.answered("a", address(), None, now);
    assert_eq!(names.look_up("a", 1, now), Known::Answer(address()));
    assert!(!names.leave("a", &2), "there is no question left");
    assert_eq!(names.look_up("a", 3, now), Known::Ask);
}

#[test]
fn who_does_not_take_its_answer_does_not_keep_it_for_others() {
    let (mut names, now) = (Names::new(LIMITS), start());
    names.look_up("a", 1, now);
    names.answered("a", address(), None, now);
    assert_eq!(names.look_up("a", 2, now + seconds(30)), Known::Ask);
    assert_eq!(names.answered("a", other(), None, now + seconds(30)), [2]);
    assert_eq!(names.look_up("a", 1, now + seconds(60)), Known::Answer(other()), "it was told");
    assert_eq!(names.look_up("a", 1, now + seconds(60)), Known::Ask);
}

#[test]
fn a_part_of_an_answer_serves_until_the_rest_is_there() {
    let (mut names, now) = (Names::new(LIMITS), start());
    names.look_up("a", 1, now);
    assert_eq!(names.answered_early("a", address(), Some(seconds(9)), now), [1]);
    assert_eq!(names.look_up("a", 1, now), Known::Answer(address()));
    assert_eq!(names.look_up("a", 2, now + seconds(8)), Known::Answer(address()));
    assert_eq!(names.answered("a", other(), Some(seconds(9)), now + seconds(8)), []);
    assert_eq!(names.look_up("a", 3, now + seconds(9)), Known::Answer(other()));
}

#[test]
fn what_has_expired_serves_while_nobody_can_be_asked() {
    let (mut names, now) = (Names::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    let at = |n| now + seconds(n);
    assert_eq!(names.look_up("a", 1, at(50)), Known::Ask);
    assert_eq!(names.stale_at("a"), Some(at(51)));
    assert_eq!(names.look_up("a", 1, at(51)), Known::Answer(address()), "it takes too long");
    assert_eq!(names.look_up("a", 2, at(50)), Known::Waiting);
    assert_eq!(names.waiters("a").collect::<Vec<_>>(), [&2]);
    assert_eq!(names.answered("a", unanswered(), None, at(58)), [2]);
    assert_eq!(names.look_up("a", 2, at(58)), Known::Answer(address()));
    assert_eq!(names.look_up("a", 3, at(67)), Known::Answer(address()));
    assert_eq!(names.look_up("a", 3, at(68)), Known::Ask, "it is tried again");
    let gone: Answer = Err(NameError::NoSuchName);
    names.answered("a", gone.clone(), None, at(68));
    assert_eq!(names.look_up("a", 3, at(68)), Known::Answer(gone), "somebody could say");
}

#[test]
fn nothing_is_served_for_longer_than_it_may_be_stale() {
    let (mut names, now) = (Names::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    let late = now + seconds(1045);
    assert_eq!(names.look_up("a", 1, late), Known::Ask);
    names.answered("a", unanswered(), None, late);
    assert_eq!(names.lifetime("a", late), Some(seconds(5)));
    assert_eq!(names.look_up("a", 1, late), Known::Answer(address()));
    assert_eq!(names.look_up("a", 1, late + seconds(5)), Known::Ask);
    names.answered("a", unanswered(), None, late + seconds(5));
    assert_eq!(names.look_up("a", 1, late + seconds(5)), Known::Answer(unanswered()));
}

#[test]
fn questions_and_answers_have_bounds_of_their_own() {
    let (mut names, now) = (Names::new(LIMITS), start());
    let overloaded = Known::Answer(Err(NameError::Overloaded));
    names.look_up("a", 1, now);
    names.look_up("b", 1, now);
    assert_eq!(names.look_up("c", 1, now), overloaded);
    assert_eq!(names.look_up("b", 2, now), Known::Waiting);
    names.answered("a", address(), None, now);
    names.leave("a", &1);
    for name in ["c", "d", "e"] {
        resolve(&mut names, name, &address(), Some(50), now);
        assert!(names.count().0 <= 3);
    }
}

#[test]
fn a_question_that_nobody_waits_for_can_be_taken_back() {
    let (mut names, now) = (Names::new(LIMITS), start());
    names.look_up("a", 1, now);
    names.look_up("a", 2, now);
    assert!(!names.leave("a", &1));
    assert!(!names.leave("a", &1), "it has left");
    assert!(names.leave("a", &2));
    names.forget("a");
    assert_eq!(names.look_up("a", 3, now), Known::Ask);
    assert_eq!(names.count().1, 1);
}

#[test]
fn a_question_that_is_lost_is_asked_again_and_its_place_given_to_others() {
    let (mut names, now) = (Names::new(LIMITS), start());
    names.look_up("a", 1, now);
    names.look_up("b", 1, now);
    assert!(names.leave("a", &1));
    let overloaded = Known::Answer(Err(NameError::Overloaded));
    assert_eq!(names.look_up("c", 1, now), overloaded);
    assert_eq!(names.look_up("b", 2, now + LOST), Known::Ask);
    assert_eq!(names.look_up("b", 3, now + LOST), Known::Waiting);
    assert_eq!(names.look_up("c", 1, now + LOST), Known::Ask);
    assert!(names.answered("a", address(), None, now + LOST).is_empty(), "too late");
    assert_eq!(names.count().1, 2);
}

#[test]
fn other_servers_answer_for_themselves() {
    let (mut names, now) = (Names::new(LIMITS), start());
    resolve(&mut names, "a", &address(), Some(50), now);
    names.look_up("b", 7, now);
    names.answered("b", address(), None, now);
    names.clear();
    assert_eq!(names.look_up("a", 1, now), Known::Ask);
    assert_eq!(names.look_up("b", 7, now), Known::Answer(address()), "who was told takes it");
}
