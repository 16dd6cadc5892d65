use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::fixture::{Fixture, address, settings};
use crate::balance::*;
use crate::work::Mark;

/// Settings of members with these weights, each with a bound of requests.
fn bounded(weights: &[u32], max_requests: u32, queue: usize) -> GroupSettings {
    let mut settings = settings(weights);
    settings.queue = queue;
    settings.members.iter_mut().for_each(|member| member.max_requests = Some(max_requests));
    settings
}

fn with_policy(policy: Policy, weights: &[u32]) -> GroupSettings {
    GroupSettings { policy, ..settings(weights) }
}

fn checked(weights: &[u32]) -> GroupSettings {
    GroupSettings { health: Some(HealthSettings::default()), ..settings(weights) }
}

/// Returns true if shares differ by at most one selection, as after an endpoint has returned.
fn are_near(shares: &[usize], expected: &[usize]) -> bool {
    shares.iter().zip(expected).all(|(share, expected)| share.abs_diff(*expected) <= 1)
}

fn kinds(fixture: &mut Fixture) -> Vec<(String, ChangeKind)> {
    let changes = fixture.group.take_changes();
    changes.into_iter().map(|change| (change.member.to_string(), change.kind)).collect()
}

#[test]
fn round_robin_is_exact_and_smooth() {
    let mut fixture = Fixture::new(settings(&[5, 1, 1]));
    assert_eq!(fixture.picks(7), [0, 0, 0, 1, 2, 0, 0]);
    let weights = [1, 2, 3, 997];
    let mut fixture = Fixture::new(settings(&weights));
    for _ in 0..5 {
        assert_eq!(fixture.shares(1003), [1, 2, 3, 997]);
    }
    let mut fixture = Fixture::new(settings(&[2, 3]));
    let picks = fixture.picks(1000);
    assert!(
        picks.windows(5).all(|five| (1..=3).contains(&five.iter().filter(|&&m| m == 0).count()))
    );
}

#[test]
fn question_for_a_place_takes_no_turn() {
    let mut fixture = Fixture::new(bounded(&[1, 1, 1], 1, 0));
    let first = fixture.begin();
    for expected in [1, 2] {
        assert!(fixture.group.may_select(&[first], fixture.now));
        let next = fixture.begin();
        assert_eq!(fixture.member_of(next), expected);
    }
    assert!(!fixture.group.may_select(&[first], fixture.now), "all others are busy");
    fixture.end(first);
    assert!(!fixture.group.may_select(&[first], fixture.now));
    assert!(fixture.group.may_select(&[], fixture.now));
}

#[test]
fn each_address_of_a_member_has_its_weight() {
    let mut fixture = Fixture::new(settings(&[1, 1]));
    fixture.resolve(0, 3);
    fixture.shares(8);
    assert_eq!(fixture.shares(400), [300, 100]);
}

#[test]
fn least_requests_compares_requests_in_proportion_to_weights() {
    let mut fixture = Fixture::new(with_policy(Policy::LeastRequests, &[1, 3]));
    let ids: Vec<EndpointId> = (0..400).map(|_| fixture.begin()).collect();
    let in_flight = |fixture: &Fixture| -> Vec<u64> {
        fixture.group.members(fixture.now).map(|member| member.in_flight).collect()
    };
    assert_eq!(in_flight(&fixture), [100, 300]);
    let light = fixture.id(0);
    ids.iter().filter(|&&id| id == light).take(10).for_each(|&id| fixture.end(id));
    let next = fixture.pick();
    assert_eq!(fixture.member_of(next), 0);
    ids.iter().filter(|&&id| id == light).skip(10).for_each(|&id| fixture.end(id));
    ids.iter().filter(|&&id| id != light).for_each(|&id| fixture.end(id));
    let shares = fixture.shares(400);
    assert!(are_near(&shares, &[100, 300]), "ties go by weighted round robin: {shares:?}");
}

#[test]
fn two_choices_prefers_the_less_loaded_of_two() {
    let mut fixture = Fixture::new(with_policy(Policy::TwoChoices, &[1; 4]));
    let busy = fixture.id(0);
    (0..100).for_each(|_| fixture.group.begin(busy));
    let shares = fixture.shares(1000);
    assert_eq!(shares[0], 0, "it loses against any other");
    assert!(shares[1..].iter().all(|&share| share > 250), "{shares:?}");
    let ids: Vec<EndpointId> = (1..4).map(|member| fixture.id(member)).collect();
    assert_eq!(fixture.pick_with(&Ask { tried: &ids, ..Ask::default() }), busy);
}

#[test]
fn hash_keeps_keys_when_other_endpoints_change() {
    let settings = GroupSettings { hash_balance: 0, ..with_policy(Policy::Hash, &[1; 10]) };
    let mut fixture = Fixture::new(settings.clone());
    let owners = |fixture: &mut Fixture| -> Vec<usize> {
        let pick = |hash| fixture.pick_with(&Ask { hash: Some(hash), ..Ask::default() });
        let ids: Vec<EndpointId> = (0..2000).map(pick).collect();
        ids.into_iter().map(|id| fixture.member_of(id)).collect()
    };
    let before = owners(&mut fixture);
    assert_eq!(before, owners(&mut fixture));
    fixture.group.order(3, Order::Drain, fixture.now);
    let drained = owners(&mut fixture);
    assert!(before.iter().zip(&drained).all(|(&before, &after)| before == 3 || before == after));
    assert!(!drained.contains(&3));
    fixture.group.order(3, Order::Ready, fixture.now);
    assert_eq!(owners(&mut fixture), before);
    let mut more = settings;
    more.members.push(MemberSettings::new("m10".into()));
    fixture.group.reconfigure(more, fixture.now);
    fixture.resolve(10, 1);
    let moved = owners(&mut fixture).iter().zip(&before).filter(|(a, b)| a != b).count();
    assert!((80..320).contains(&moved), "{moved} of 2000");
    let picks: Vec<usize> = fixture.picks(11);
    assert!((0..11).all(|member| picks.contains(&member)), "requests without hash take turns");
}

#[test]
fn hash_bounds_the_load_of_one_key() {
    let mut fixture = Fixture::new(with_policy(Policy::Hash, &[1; 4]));
    let ask = Ask { hash: Some(7), ..Ask::default() };
    for _ in 0..400 {
        let id = fixture.pick_with(&ask);
        fixture.group.begin(id);
    }
    let most = fixture.group.members(fixture.now).map(|member| member.in_flight).max();
    assert!(most <= Some(126), "{most:?}");
    let mut unbounded = with_policy(Policy::Hash, &[1; 4]);
    unbounded.hash_balance = 0;
    fixture.group.reconfigure(unbounded, fixture.now);
    let first = fixture.pick_with(&ask);
    for _ in 0..400 {
        assert_eq!(fixture.pick_with(&ask), first);
        fixture.group.begin(first);
    }
}

#[test]
fn backups_serve_only_without_primaries() {
    let mut settings = settings(&[1, 1, 1]);
    settings.members[2].backup = true;
    let mut fixture = Fixture::new(settings);
    assert_eq!(fixture.shares(10), [5, 5, 0]);
    let primaries = [fixture.id(0), fixture.id(1)];
    let picked = fixture.pick_with(&Ask { tried: &primaries, ..Ask::default() });
    assert_eq!(fixture.member_of(picked), 2, "all primaries were tried");
    fixture.group.order(0, Order::Disable, fixture.now);
    assert_eq!(fixture.shares(10), [0, 10, 0]);
    fixture.group.order(1, Order::Drain, fixture.now);
    assert_eq!(fixture.shares(10), [0, 0, 10]);
    fixture.group.order(2, Order::Disable, fixture.now);
    assert_eq!(fixture.ask(&Ask::default()), Selection::None);
    fixture.group.order(0, Order::Ready, fixture.now);
    assert_eq!(fixture.shares(10), [10, 0, 0]);
}

#[test]
fn full_primaries_queue_instead_of_backups() {
    let mut settings = bounded(&[1, 1], 1, 1);
    settings.members[1].backup = true;
    let mut fixture = Fixture::new(settings);
    let id = fixture.begin();
    assert_eq!(fixture.ask(&Ask::default()), Selection::Full);
    fixture.end(id);
    assert_eq!(fixture.pick(), id);
}

#[test]
fn tried_endpoints_are_not_selected_again() {
    for policy in [Policy::RoundRobin, Policy::LeastRequests, Policy::TwoChoices, Policy::Hash] {
        let mut fixture = Fixture::new(with_policy(policy, &[1, 2, 3, 4]));
        let mut tried = Vec::new();
        for _ in 0..4 {
            let id = fixture.pick_with(&Ask { hash: Some(1), tried: &tried, ..Ask::default() });
            assert!(!tried.contains(&id), "{policy:?}");
            tried.extend([id, id]);
        }
        let ask = Ask { hash: Some(1), tried: &tried, ..Ask::default() };
        assert_eq!(fixture.ask(&ask), Selection::None, "{policy:?}");
    }
}

#[test]
fn sticky_requests_return_even_while_draining() {
    let mut fixture = Fixture::new(bounded(&[1, 1, 1], 2, 0));
    let id = fixture.id(1);
    let sticky = fixture.group.sticky_of(id);
    let ask = Ask { sticky, ..Ask::default() };
    assert!((0..10).all(|_| fixture.pick_with(&ask) == id));
    fixture.group.order(1, Order::Drain, fixture.now);
    assert_eq!(fixture.pick_with(&ask), id);
    assert!(!fixture.picks(10).contains(&1));
    assert_ne!(fixture.pick_with(&Ask { tried: &[id], ..ask }), id);
    (0..2).for_each(|_| fixture.group.begin(id));
    assert_ne!(fixture.pick_with(&ask), id, "it is full");
    (0..2).for_each(|_| fixture.end(id));
    fixture.group.order(1, Order::Disable, fixture.now);
    assert_ne!(fixture.pick_with(&ask), id);
    let other = Fixture::new(bounded(&[1, 1, 1], 2, 0));
    assert_eq!(other.group.sticky_of(other.id(1)), sticky, "another process agrees");
    assert_ne!(fixture.pick_with(&Ask { sticky: Some(1), ..Ask::default() }), id);
}

#[test]
fn failures_eject_for_ever_longer() {
    let mut fixture = Fixture::new(settings(&[1, 1]));
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        let id = fixture.id(0);
        fixture.fail(id, 3);
        let time = Duration::from_secs(seconds);
        assert_eq!(
            kinds(&mut fixture),
            [("m0".to_owned(), ChangeKind::Ejected { time, why: "reset".into() })]
        );
        assert_eq!(fixture.shares(10), [0, 10]);
        assert_eq!(fixture.group.next_deadline(), Some(fixture.now + time));
        fixture.pass(time);
        assert!(are_near(&fixture.shares(10), &[5, 5]));
        assert_eq!(kinds(&mut fixture), [("m0".to_owned(), ChangeKind::Returned)]);
    }
    fixture.seconds(10 * 300);
    let id = fixture.id(0);
    fixture.fail(id, 3);
    assert_eq!(fixture.group.next_deadline(), Some(fixture.now + Duration::from_secs(10)));
}

#[test]
fn success_ends_a_row_of_failures() {
    let mut fixture = Fixture::new(settings(&[1, 1]));
    let id = fixture.id(0);
    for _ in 0..10 {
        fixture.fail(id, 2);
        fixture.group.begin(id);
        fixture.end(id);
    }
    fixture.fail(id, 2);
    fixture.group.begin(id);
    fixture.group.end(id, None, fixture.now);
    assert_eq!(kinds(&mut fixture), []);
    fixture.fail(id, 1);
    assert_eq!(kinds(&mut fixture).len(), 1, "a client that left says nothing");
}

#[test]
fn at_most_half_of_the_endpoints_are_ejected() {
    for (members, most) in [(1, 0), (2, 1), (3, 1), (7, 3)] {
        let mut fixture = Fixture::new(settings(&vec![1; members]));
        for member in 0..members {
            let id = fixture.id(member);
            fixture.fail(id, 10);
        }
        assert_eq!(kinds(&mut fixture).len(), most, "of {members}");
    }
}

#[test]
fn last_usable_endpoint_is_not_ejected() {
    let mut fixture = Fixture::new(settings(&[1; 4]));
    (0..3).for_each(|member| fixture.group.order(member, Order::Drain, fixture.now));
    let id = fixture.id(3);
    fixture.fail(id, 10);
    assert_eq!(fixture.shares(4), [0, 0, 0, 4]);
    fixture.group.order(2, Order::Ready, fixture.now);
    fixture.fail(id, 1);
    assert_eq!(fixture.shares(4), [0, 0, 4, 0]);
    fixture.group.order(2, Order::Disable, fixture.now);
    assert_eq!(fixture.shares(4), [0, 0, 0, 4], "its ejection ends early");
}

#[test]
fn removal_of_endpoints_ends_ejections_beyond_half() {
    let mut fixture = Fixture::new(settings(&[1; 4]));
    for member in 0..2 {
        let id = fixture.id(member);
        fixture.fail(id, 3);
    }
    fixture.group.reconfigure(settings(&[1, 1, 1]), fixture.now);
    fixture.group.check();
    assert_eq!(fixture.shares(4).iter().filter(|&&share| share == 0).count(), 1);
}

#[test]
fn active_checks_turn_endpoints_down_and_up() {
    let mut fixture = Fixture::new(checked(&[1, 1]));
    fixture.probe(60, |_| true);
    assert_eq!(kinds(&mut fixture), []);
    fixture.probe(25, |member| member == 1);
    assert_eq!(
        kinds(&mut fixture),
        [("m0".to_owned(), ChangeKind::Down("connection refused".into()))]
    );
    assert_eq!(fixture.shares(4), [0, 4]);
    let report = fixture.group.members(fixture.now).next().unwrap();
    let problem = report.problem().unwrap();
    assert!(problem.starts_with("m0 is down for ") && problem.ends_with("s: connection refused"));
    fixture.probe(30, |_| false);
    assert_eq!(fixture.ask(&Ask::default()), Selection::None);
    fixture.probe(30, |_| true);
    assert!(are_near(&fixture.shares(4), &[2, 2]));
    assert_eq!(kinds(&mut fixture).len(), 3);
}

#[test]
fn probes_are_spread_by_jitter_and_bounded_in_number() {
    let mut fixture = Fixture::new(checked(&[1; 100]));
    let first = fixture.group.probes_due(fixture.now);
    assert_eq!(first.len(), MOST_PROBES);
    assert!(fixture.group.probes_due(fixture.now).is_empty());
    assert_eq!(fixture.group.next_deadline(), None, "no probe may begin before another ends");
    first.iter().for_each(|&id| fixture.group.probe_done(id, Ok(()), fixture.now));
    fixture.probe(3, |_| true);
    let start = fixture.now - Duration::from_secs(3);
    fixture.group.check();
    let next = fixture.group.next_deadline().unwrap() - start;
    assert!(next >= Duration::from_millis(4500) && next < Duration::from_millis(4700), "{next:?}");
}

#[test]
fn disabled_members_are_not_probed() {
    let mut fixture = Fixture::new(checked(&[1, 1]));
    let ids = fixture.group.probes_due(fixture.now);
    fixture.group.order(0, Order::Disable, fixture.now);
    fixture.group.check();
    ids.iter().for_each(|&id| fixture.group.probe_done(id, Err("late".into()), fixture.now));
    fixture.seconds(6);
    assert_eq!(fixture.group.probes_due(fixture.now), [fixture.id(1)]);
    fixture.group.order(0, Order::Ready, fixture.now);
    assert_eq!(fixture.group.probes_due(fixture.now), [fixture.id(0)]);
}

#[test]
fn slow_start_raises_the_weight_after_a_return() {
    let slow_start = Duration::from_secs(18);
    let mut fixture = Fixture::new(GroupSettings { slow_start, ..settings(&[1, 1]) });
    assert_eq!(fixture.shares(100), [50, 50], "no slow start when the process starts");
    let id = fixture.id(0);
    fixture.fail(id, 3);
    fixture.seconds(10);
    let shares = fixture.shares(1100);
    assert!((98..=102).contains(&shares[0]), "a tenth: {shares:?}");
    fixture.seconds(8);
    let shares = fixture.shares(1500);
    assert!((498..=502).contains(&shares[0]), "a half: {shares:?}");
    let thousandths = fixture.group.members(fixture.now).next().unwrap().endpoints[0].thousandths;
    assert_eq!(thousandths, 500);
    fixture.seconds(10);
    let shares = fixture.shares(1000);
    assert!((499..=501).contains(&shares[0]), "the whole: {shares:?}");
    assert_eq!(fixture.group.next_deadline(), None);
}

#[test]
fn slow_start_follows_active_checks() {
    let slow_start = Duration::from_secs(60);
    let mut fixture = Fixture::new(GroupSettings { slow_start, ..checked(&[1, 1]) });
    fixture.probe(25, |member| member == 1);
    fixture.probe(11, |_| true);
    let shares = fixture.shares(1000);
    assert!(shares[0] > 50 && shares[0] < 250, "{shares:?}");
}

#[test]
fn queue_grants_places_in_order() {
    let mut fixture = Fixture::new(bounded(&[1], 2, 3));
    let ids = [fixture.begin(), fixture.begin()];
    assert_eq!(fixture.ask(&Ask::default()), Selection::Full);
    assert!((1..=3).all(|waiter| fixture.group.enqueue(waiter, &Ask::default()) == Ok(())));
    assert_eq!(fixture.group.enqueue(4, &Ask::default()), Err(QueueFull));
    fixture.end(ids[0]);
    assert_eq!(fixture.group.take_woken(), [1]);
    assert_eq!(fixture.ask(&Ask::default()), Selection::Full, "newcomers do not overtake");
    assert_eq!(fixture.group.take_grant(&2), None);
    assert_eq!(fixture.group.take_grant(&1), Some(ids[0]));
    assert_eq!(fixture.group.endpoint(ids[0]).unwrap().in_flight, 2);
    fixture.group.leave_queue(&2);
    fixture.end(ids[0]);
    assert_eq!(fixture.group.take_woken(), [3]);
    assert_eq!(fixture.group.enqueue(5, &Ask::default()), Ok(()));
    fixture.group.leave_queue(&3);
    assert_eq!(fixture.group.take_woken(), [5], "the grant of 3 goes to 5");
    fixture.group.check();
    fixture.group.leave_queue(&5);
    assert_eq!(fixture.begin(), ids[0]);
    fixture.end(ids[0]);
    fixture.end(ids[0]);
    assert_eq!(fixture.group.endpoint(ids[0]).unwrap().in_flight, 0);
}

#[test]
fn waiters_get_only_places_that_they_may_have() {
    let mut fixture = Fixture::new(bounded(&[1, 1], 1, 9));
    let ids = [fixture.begin(), fixture.begin()];
    let sticky = fixture.group.sticky_of(ids[0]);
    let asks = [
        Ask { sticky, ..Ask::default() },
        Ask { tried: &[ids[1]], ..Ask::default() },
        Ask::default(),
        Ask::default(),
    ];
    for (waiter, ask) in (1..).zip(&asks) {
        assert_eq!(fixture.ask(ask), Selection::Full);
        assert_eq!(fixture.group.enqueue(waiter, ask), Ok(()));
    }
    fixture.end(ids[1]);
    assert_eq!(fixture.group.take_woken(), [3], "the first two need the other endpoint");
    assert_eq!(fixture.group.take_grant(&3), Some(ids[1]));
    fixture.end(ids[0]);
    assert_eq!(fixture.group.take_woken(), [1]);
    assert_eq!(fixture.group.take_grant(&1), Some(ids[0]));
    fixture.group.order(0, Order::Drain, fixture.now);
    assert!(fixture.group.take_woken().is_empty(), "places are taken");
    fixture.group.check();
    fixture.end(ids[1]);
    assert_eq!(fixture.group.take_woken(), [2, 4], "2 has tried all that is left");
    assert_eq!(fixture.group.take_grant(&2), None);
    let stays = Ask { sticky, ..Ask::default() };
    assert_eq!(fixture.ask(&stays), Selection::Full);
    fixture.end(ids[0]);
    assert_eq!(fixture.ask(&stays), Selection::Endpoint(ids[0]), "a client stays during a drain");
    assert_eq!(fixture.ask(&Ask::default()), Selection::Full);
}

#[test]
fn request_that_has_tried_all_others_ends_an_ejection() {
    let mut fixture = Fixture::new(settings(&[1, 1, 1]));
    let ids = [fixture.begin(), fixture.begin(), fixture.begin()];
    fixture.fail(ids[0], 3);
    fixture.group.order(2, Order::Disable, fixture.now);
    assert!(!fixture.group.has_other(&ids, fixture.now));
    assert!(fixture.group.has_other(&ids[1..], fixture.now));
    assert!(fixture.group.may_select(&ids[1..], fixture.now));
    for _ in 0..9 {
        assert_eq!(fixture.ask(&Ask::default()), Selection::Endpoint(ids[1]));
    }
    let tried = Ask { tried: &ids[1..], ..Ask::default() };
    assert_eq!(fixture.ask(&tried), Selection::Endpoint(ids[0]));
    fixture.group.check();
}

#[test]
fn queued_waiters_are_woken_if_no_endpoint_is_left() {
    let mut fixture = Fixture::new(bounded(&[1, 1], 1, 9));
    let ids = [fixture.begin(), fixture.begin()];
    assert!((1..=2).all(|waiter| fixture.group.enqueue(waiter, &Ask::default()) == Ok(())));
    (0..2).for_each(|member| fixture.group.order(member, Order::Disable, fixture.now));
    assert_eq!(fixture.group.take_woken(), [1, 2]);
    assert_eq!((fixture.group.take_grant(&1), fixture.group.waiting()), (None, 0));
    assert_eq!(fixture.ask(&Ask::default()), Selection::None);
    ids.iter().for_each(|&id| fixture.end(id));
}

#[test]
fn more_room_reaches_waiters() {
    let mut fixture = Fixture::new(bounded(&[1], 1, 9));
    fixture.begin();
    assert!((1..=9).all(|waiter| fixture.group.enqueue(waiter, &Ask::default()) == Ok(())));
    fixture.resolve(0, 3);
    assert_eq!(fixture.group.take_woken(), [1, 2]);
    fixture.group.reconfigure(bounded(&[1], 2, 0), fixture.now);
    fixture.group.check();
    assert_eq!(fixture.group.take_woken(), [3, 4, 5]);
    fixture.resolve(0, 2);
    let grants: Vec<bool> = (1..=5).map(|w| fixture.group.take_grant(&w).is_some()).collect();
    assert!(grants.contains(&false), "a grant at a removed endpoint is void: {grants:?}");
}

#[test]
fn addresses_that_remain_keep_id_and_state() {
    let mut fixture = Fixture::new(settings(&[1]));
    fixture.resolve(0, 3);
    let ids = |fixture: &Fixture| -> Vec<EndpointId> {
        let report = fixture.group.members(fixture.now).next().unwrap();
        report.endpoints.into_iter().map(|endpoint| endpoint.id).collect()
    };
    let before = ids(&fixture);
    fixture.fail(before[0], 3);
    fixture.group.begin(before[2]);
    fixture.resolve(0, 2);
    assert_eq!(ids(&fixture), before[..2]);
    assert_eq!(fixture.group.endpoint(before[2]).map(|view| view.member), None);
    fixture.end(before[2]);
    fixture.group.begin(before[2]);
    fixture.group.probe_done(before[2], Ok(()), fixture.now);
    fixture.resolve(0, 3);
    assert_eq!(ids(&fixture)[..2], before[..2]);
    assert_ne!(ids(&fixture)[2], before[2], "an id names no other endpoint");
    assert_eq!(fixture.group.members(fixture.now).next().unwrap().requests, 4);
}

#[test]
fn unresolved_members_are_down_with_a_reason() {
    let now = Fixture::new(settings(&[])).now;
    let seed = Seed { draws: 0, sticky: [0; 16] };
    let mut group: Group<u32> = Group::new(settings(&[1, 1]), seed, now);
    assert!(group.is_unknown());
    group.set_unresolved(0, "no such name".into(), now);
    assert!(group.is_unknown(), "member 1 may get addresses");
    group.set_unresolved(1, "no such name".into(), now);
    assert!(!group.is_unknown());
    assert_eq!(group.select(&Ask::default(), now), Selection::None);
    let later = now + Duration::from_secs(12);
    group.set_unresolved(0, "timeout".into(), later);
    let problems: Vec<Option<String>> = group.members(later).map(|m| m.problem()).collect();
    let expected = ["m0 is down for 12s: timeout", "m1 is down for 12s: no such name"];
    assert!(problems.iter().flatten().eq(expected.iter()), "{problems:?}");
    group.set_addresses(0, &[address(0, 1)], later);
    group.set_unresolved(0, "timeout".into(), later);
    assert!(matches!(group.select(&Ask::default(), later), Selection::Endpoint(_)));
    group.set_addresses(0, &[], later);
    let changes: Vec<String> = group.take_changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "m0 is down: no such name",
            "m1 is down: no such name",
            "m0 is up",
            "m0 is down: the name has no address"
        ]
    );
    group.check();
}

#[test]
fn reconfigure_keeps_states_and_orders_by_name() {
    let mut fixture = Fixture::new(checked(&[1, 1, 1]));
    let ids: Vec<EndpointId> = (0..3).map(|member| fixture.id(member)).collect();
    fixture.fail(ids[0], 3);
    fixture.group.order(1, Order::Drain, fixture.now);
    fixture.group.order(1, Order::Weight(7), fixture.now);
    fixture.group.begin(ids[2]);
    let mut next = checked(&[1, 1, 1]);
    next.members.reverse();
    next.members.push(MemberSettings::new("new".into()));
    fixture.group.reconfigure(next.clone(), fixture.now);
    fixture.group.check();
    assert_eq!((0..3).map(|member| fixture.id(2 - member)).collect::<Vec<_>>(), ids);
    let reports: Vec<MemberReport> = fixture.group.members(fixture.now).collect();
    assert_eq!(reports[0].in_flight, 1);
    assert_eq!((reports[1].draining, reports[1].weight), (true, 7));
    assert!(matches!(reports[2].endpoints[0].state, EndpointState::Ejected { .. }));
    assert_eq!((reports[2].requests, reports[2].failures), (3, 3));
    assert!(reports[3].endpoints.is_empty());
    let orders = fixture.group.orders();
    let name: Arc<str> = "m1".into();
    assert_eq!(orders, [(name.clone(), Order::Drain), (name, Order::Weight(7))]);
    next.members.truncate(1);
    fixture.group.reconfigure(next, fixture.now);
    fixture.group.check();
    assert_eq!(fixture.group.orders(), []);
    assert_eq!(fixture.group.endpoint(ids[0]).map(|view| view.member), None);
    assert_eq!(fixture.group.members(fixture.now).count(), 1);
}

#[test]
fn reconfigure_without_checks_brings_endpoints_up() {
    let mut fixture = Fixture::new(checked(&[1, 1, 1]));
    fixture.probe(60, |member| member != 0);
    let id = fixture.id(1);
    fixture.fail(id, 3);
    assert_eq!(fixture.shares(3), [0, 0, 3]);
    let passive = PassiveSettings { failures: 0, ..PassiveSettings::default() };
    fixture.group.reconfigure(GroupSettings { passive, ..settings(&[1; 3]) }, fixture.now);
    fixture.group.check();
    assert_eq!(fixture.shares(3), [1, 1, 1]);
    assert_eq!(fixture.group.next_deadline(), None);
}

#[test]
fn no_endpoint_starves_while_others_come_and_go() {
    let mut fixture = Fixture::new(bounded(&[1, 1, 1000], 1, 0));
    fixture.group.reconfigure(settings(&[1, 1, 100]), fixture.now);
    let mut picked = [0; 3];
    for step in 0..2000 {
        let order = if step % 2 == 0 { Order::Drain } else { Order::Ready };
        fixture.group.order(2, order, fixture.now);
        fixture.group.order(0, Order::Weight(1 + step % 3), fixture.now);
        let id = fixture.pick();
        picked[fixture.member_of(id)] += 1;
    }
    assert!(picked.iter().all(|&times| times > 300), "{picked:?}");
}

#[test]
fn changes_of_addresses_leak_nothing() {
    let mut fixture = Fixture::new(checked(&[1]));
    for round in 0..20u16 {
        let addresses: Vec<OriginAddress> =
            (0..1000).map(|port| address(usize::from(round), port)).collect();
        fixture.group.set_addresses(0, &addresses, fixture.now);
        fixture.group.probes_due(fixture.now);
        for _ in 0..3 {
            fixture.begin();
        }
    }
    fixture.resolve(0, 1);
    assert_eq!(fixture.group.endpoints.len(), 1);
    assert!(fixture.group.endpoints.capacity() <= 4096);
    assert!(fixture.group.sticky.len() == 1 && fixture.group.probes.len() == 1);
    assert!(fixture.group.ejected.is_empty() && fixture.group.probing == 0);
}

#[test]
fn selection_among_1000_endpoints_takes_few_steps() {
    for policy in [Policy::RoundRobin, Policy::LeastRequests, Policy::TwoChoices, Policy::Hash] {
        let mut fixture = Fixture::new(GroupSettings { policy, ..bounded(&[1], 3, 0) });
        fixture.resolve(0, 1000);
        fixture.group.select(&Ask { hash: Some(1), ..Ask::default() }, fixture.now);
        let tried = [fixture.id(0)];
        for hash in 0..3000 {
            let mark = Mark::now();
            let ask = Ask { hash: Some(hash), tried: &tried, ..Ask::default() };
            match fixture.group.select(&ask, fixture.now) {
                Selection::Endpoint(id) => fixture.group.begin(id),
                other => assert!(hash >= 2997 && other == Selection::Full, "{policy:?} {hash}"),
            }
            let steps = mark.steps();
            assert!(steps < 5000, "{policy:?} {hash}: {steps}");
            assert!(policy == Policy::Hash || steps < 1000, "{policy:?}: {steps}");
        }
    }
}

#[test]
fn hash_finds_the_last_endpoint_among_many() {
    for hash_balance in [0, 125] {
        let settings = GroupSettings { hash_balance, ..with_policy(Policy::Hash, &[1; 200]) };
        let mut fixture = Fixture::new(settings);
        (1..200).for_each(|member| fixture.group.order(member, Order::Disable, fixture.now));
        let last = fixture.id(0);
        for hash in 0..500 {
            assert_eq!(fixture.pick_with(&Ask { hash: Some(hash), ..Ask::default() }), last);
        }
    }
}

#[test]
fn ordered_weight_replaces_that_of_the_settings() {
    let mut fixture = Fixture::new(settings(&[1, 1]));
    for (ordered, weight) in [(3, 3), (0, 1), (5000, 1000)] {
        fixture.group.order(0, Order::Weight(ordered), fixture.now);
        let total = 10 * (usize::try_from(weight).unwrap() + 1);
        assert!(are_near(&fixture.shares(total), &[total - 10, 10]), "{ordered}");
        assert_eq!(fixture.group.members(fixture.now).next().unwrap().weight, weight);
    }
}

#[test]
fn retries_are_bounded_by_the_budget() {
    let retry_budget = RetryBudget { percent: 50, least_per_second: 1 };
    let mut fixture = Fixture::new(GroupSettings { retry_budget, ..settings(&[1]) });
    (0..20).for_each(|_| fixture.group.note_request(fixture.now));
    let retries = (0..100).filter(|_| fixture.group.may_retry(fixture.now)).count();
    assert_eq!(retries, 10 + 10);
}

#[test]
fn changes_that_are_not_taken_are_bounded() {
    let mut fixture = Fixture::new(settings(&[1, 1]));
    let id = fixture.id(0);
    for _ in 0..MOST_CHANGES {
        fixture.fail(id, 3);
        fixture.seconds(300);
    }
    assert_eq!(fixture.group.take_changes().len(), MOST_CHANGES);
}

/// Operation of the property test.
#[derive(Clone, Debug)]
enum Step {
    Select { hash: Option<u64>, sticky: usize, tried: Vec<usize> },
    End { request: usize, outcome: u8 },
    LeaveQueue(usize),
    TakeGrant(usize),
    Resolve { member: usize, addresses: Vec<u16> },
    Unresolve(usize),
    Order(usize, Order),
    Probe { succeeds: bool },
    Pass(u64),
    Reconfigure(usize, Policy),
}

fn steps() -> impl Strategy<Value = Step> {
    let member = 0usize..4;
    let order = prop_oneof![
        3 => Just(Order::Ready),
        1 => Just(Order::Drain),
        1 => Just(Order::Disable),
        1 => (0u32..20).prop_map(Order::Weight),
    ];
    let select = (proptest::option::of(0u64..5), 0usize..20, vec(0usize..8, 0..3));
    prop_oneof![
        8 => select.prop_map(|(hash, sticky, tried)| Step::Select { hash, sticky, tried }),
        6 => (0usize..20, 0u8..4).prop_map(|(request, outcome)| Step::End { request, outcome }),
        1 => (0usize..9).prop_map(Step::LeaveQueue),
        2 => (0usize..9).prop_map(Step::TakeGrant),
        2 => (member.clone(), vec(1u16..5, 0..4))
            .prop_map(|(member, addresses)| Step::Resolve { member, addresses }),
        1 => member.clone().prop_map(Step::Unresolve),
        2 => (member, order).prop_map(|(member, order)| Step::Order(member, order)),
        2 => any::<bool>().prop_map(|succeeds| Step::Probe { succeeds }),
        2 => (0u64..9).prop_map(Step::Pass),
        1 => (1usize..5, policy()).prop_map(|(members, policy)| Step::Reconfigure(members, policy)),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::RoundRobin),
        Just(Policy::LeastRequests),
        Just(Policy::TwoChoices),
        Just(Policy::Hash),
    ]
}

fn random_settings(members: usize, policy: Policy) -> GroupSettings {
    let mut settings = bounded(&[3, 1, 2, 5][..members], 2, 5);
    settings.policy = policy;
    settings.slow_start = Duration::from_secs(7);
    settings.health = (members != 2).then(HealthSettings::default);
    settings.passive.failures = 2;
    settings.members[members - 1].backup = members > 1;
    settings
}

/// Group with a model: the requests in flight, and the queue.
struct Model {
    fixture: Fixture,
    requests: Vec<EndpointId>,
    seen: Vec<EndpointId>,
    /// Waiters without a grant, and with one that they did not take.
    line: Vec<u32>,
    woken: Vec<u32>,
    next: u32,
}

impl Model {
    fn new(members: usize, policy: Policy) -> Self {
        let fixture = Fixture::new(random_settings(members, policy));
        let (requests, seen, line, woken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { fixture, requests, seen, line, woken, next: 0 }
    }

    fn run(&mut self, step: Step) {
        let now = self.fixture.now;
        let group = &mut self.fixture.group;
        match step {
            Step::Select { hash, sticky, tried } => self.select(hash, sticky, &tried),
            Step::End { request, outcome } if !self.requests.is_empty() => {
                let id = self.requests.remove(request % self.requests.len());
                let outcome = match outcome {
                    0 => None,
                    1 => Some(Outcome::Success),
                    _ => Some(Outcome::Failure("reset".into())),
                };
                group.end(id, outcome, now);
            }
            Step::LeaveQueue(number) if !self.line.is_empty() => {
                let waiter = self.line.remove(number % self.line.len());
                group.leave_queue(&waiter);
            }
            Step::TakeGrant(number) if !self.woken.is_empty() => {
                let waiter = self.woken.remove(number % self.woken.len());
                if number == 0 {
                    group.leave_queue(&waiter);
                } else {
                    self.requests.extend(group.take_grant(&waiter));
                }
            }
            Step::End { .. } | Step::LeaveQueue(_) | Step::TakeGrant(_) => {}
            Step::Resolve { member, addresses } => {
                let addresses: Vec<OriginAddress> =
                    addresses.into_iter().map(|port| address(member, port)).collect();
                group.set_addresses(member, &addresses, now);
            }
            Step::Unresolve(member) => group.set_unresolved(member, "timeout".into(), now),
            Step::Order(member, order) => group.order(member, order, now),
            Step::Probe { succeeds } => {
                for id in group.probes_due(now) {
                    let result = if succeeds { Ok(()) } else { Err("refused".into()) };
                    group.probe_done(id, result, now);
                }
            }
            Step::Pass(seconds) => {
                self.fixture.seconds(seconds);
                self.fixture.group.probes_due(self.fixture.now);
            }
            Step::Reconfigure(members, policy) => {
                group.reconfigure(random_settings(members, policy), now);
            }
        }
    }

    fn select(&mut self, hash: Option<u64>, sticky: usize, tried: &[usize]) {
        let tried: Vec<EndpointId> = tried
            .iter()
            .filter_map(|&number| self.seen.iter().rev().nth(number))
            .copied()
            .collect();
        let sticky = self.seen.iter().rev().nth(sticky).copied();
        let sticky = sticky.and_then(|id| self.fixture.group.sticky_of(id));
        let ask = Ask { hash, sticky, tried: &tried };
        match self.fixture.ask(&ask) {
            Selection::Endpoint(id) => {
                assert!(!tried.contains(&id));
                let view = self.fixture.group.endpoint(id).unwrap();
                assert!(view.is_up && view.in_flight < 2);
                self.fixture.group.begin(id);
                self.requests.push(id);
                self.seen.push(id);
            }
            Selection::Full => match self.fixture.group.enqueue(self.next, &ask) {
                Ok(()) => {
                    self.line.push(self.next);
                    self.next += 1;
                }
                Err(QueueFull) => assert!(self.line.len() >= 5),
            },
            Selection::None => {}
        }
    }

    /// Compares the group with the model.
    fn check(&mut self) {
        let woken = self.fixture.group.take_woken();
        for waiter in &woken {
            let at = self.line.iter().position(|other| other == waiter);
            self.line.remove(at.expect("only those that wait are woken"));
        }
        self.woken.extend(woken);
        self.fixture.group.check();
        assert_eq!(self.fixture.group.waiting(), self.line.len());
        for member in self.fixture.group.members(self.fixture.now).collect::<Vec<_>>() {
            for endpoint in member.endpoints {
                let own = self.requests.iter().filter(|&&id| id == endpoint.id).count();
                let granted = self.fixture.group.queue.granted();
                let granted = granted.filter(|&id| id == endpoint.id).count();
                assert_eq!(usize::try_from(endpoint.in_flight).unwrap(), own + granted);
            }
        }
    }
}

proptest! {
    /// Any operations keep the bookkeeping consistent, requests counted, and the queue in order.
    #[test]
    fn any_operations_keep_the_group_consistent(
        members in 1usize..5,
        policy in policy(),
        steps in vec(steps(), 0..120),
    ) {
        let mut model = Model::new(members, policy);
        for step in steps {
            model.run(step);
            model.check();
        }
    }

    /// Draws by weight follow the weights exactly, whatever they are.
    #[test]
    fn round_robin_follows_any_weights(weights in vec(1u32..50, 1..6)) {
        let mut fixture = Fixture::new(settings(&weights));
        let total = usize::try_from(weights.iter().sum::<u32>()).unwrap();
        for _ in 0..3 {
            let shares = fixture.shares(total);
            prop_assert!(shares.iter().zip(&weights).all(|(&n, &w)| n == w as usize), "{:?}", shares);
        }
    }
}
