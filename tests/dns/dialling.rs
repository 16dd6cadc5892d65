//! Requests during a lookup: late addresses, and lookups shared by clients.

use std::sync::Arc;
use std::time::Duration;

use tidegate::access::{GivenRule, read_rules};
use tidegate::reactor::sim::Fate;

use crate::proxy::{OUTSIDE, SIX, Scene};
use crate::server::Manner;
use crate::write::{A, AAAA};

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn dual(slow: u16) -> Scene {
    seeded(0, slow)
}

/// Returns a proxy and a name with an address of each family; the answer for the record type `slow`
/// is delayed.
fn seeded(seed: u64, slow: u16) -> Scene {
    let mut scene = Scene::seeded(seed, |_| {});
    scene.names.add("dual.test 60 A 93.184.216.34");
    scene.names.add("dual.test 60 AAAA 2606:2800:220:1::1");
    scene.names.zone.slow = Some((slow, millis(150)));
    scene
}

#[test]
fn ipv6_is_tried_before_the_ipv4_address_is_known() {
    let mut scene = dual(A);
    assert!(scene.get("dual.test").starts_with("HTTP/1.1 200"));
    assert_eq!(scene.accepted(), [0, 0, 1]);
}

#[test]
fn late_ipv4_address_is_tried_after_ipv6_failed() {
    let mut scene = dual(A);
    scene.close_six();
    let client = scene.ask("dual.test", 0);
    scene.run(millis(149));
    assert_eq!(scene.heard(client), "", "another address is pending");
    scene.run(millis(1));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"));
    assert_eq!(scene.accepted(), [1, 0, 0]);
}

#[test]
fn late_ipv4_address_is_tried_beside_an_unresponsive_ipv6_one() {
    let mut scene = dual(A);
    scene.network.set_fate(SIX.parse().unwrap(), Fate::Silence);
    let client = scene.ask("dual.test", 0);
    scene.run(millis(249));
    assert_eq!(scene.accepted(), [0; 3]);
    scene.run(millis(1));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"), "dialled 250 ms after the first");
}

#[test]
fn ipv4_is_dialled_after_50_ms_and_late_ipv6_250_ms_later() {
    let mut scene = dual(AAAA);
    scene.network.set_fate(OUTSIDE.parse().unwrap(), Fate::Silence);
    let client = scene.ask("dual.test", 0);
    scene.run(millis(299));
    assert_eq!(scene.accepted(), [0; 3], "IPv4 after 50 ms, IPv6 250 ms after that");
    scene.run(millis(1));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"));
    assert_eq!(scene.accepted(), [0, 0, 1]);
}

#[test]
fn refused_connection_is_reported_once_the_other_family_has_no_address() {
    let mut scene = dual(A);
    scene.close_six();
    scene
        .names
        .zone
        .names
        .insert("dual.test".into(), vec!["dual.test 60 AAAA 2606:2800:220:1::1".into()]);
    let client = scene.ask("dual.test", 0);
    scene.run(millis(149));
    assert_eq!(scene.heard(client), "");
    scene.run(millis(1));
    let answer = scene.heard(client);
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("connection refused"), "{answer}");
}

#[test]
fn late_address_family_is_awaited_until_the_deadline() {
    let mut scene = Scene::with(|settings| {
        settings.limits.connect_timeout = Duration::from_secs(3);
    });
    scene.names.add("dual.test 60 AAAA 2606:2800:220:1::1");
    scene.names.zone.slow = Some((A, Duration::from_secs(60)));
    scene.close_six();
    let client = scene.ask("dual.test", 0);
    scene.run(millis(2999));
    assert_eq!(scene.heard(client), "");
    scene.run(millis(1));
    let answer = scene.heard(client);
    assert!(answer.contains("connection refused"), "{answer}");
}

#[test]
fn denied_address_is_no_denial_while_another_is_pending() {
    let mut scene = Scene::new();
    scene.names.add("dual.test 60 AAAA fd00::1");
    scene.names.add("dual.test 60 A 93.184.216.34");
    scene.names.zone.slow = Some((A, millis(150)));
    let client = scene.ask("dual.test", 0);
    scene.run(millis(149));
    assert_eq!(scene.heard(client), "");
    scene.run(millis(1));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"));
    scene.names.add("denied.test 60 AAAA fd00::1");
    let client = scene.ask("denied.test", 0);
    scene.run(millis(150));
    let answer = scene.heard(client);
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("fd00::1"), "{answer}");
}

#[test]
fn late_address_is_checked_like_others() {
    let mut scene = Scene::new();
    scene.names.add("dual.test 60 AAAA 2606:2800:220:1::1");
    scene.names.add("dual.test 60 A 10.0.0.1");
    scene.names.zone.slow = Some((A, millis(150)));
    scene.close_six();
    let client = scene.ask("dual.test", 0);
    scene.run(millis(150));
    let answer = scene.heard(client);
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(scene.accepted(), [0; 3], "the denied address is never dialled");
}

#[test]
fn address_rule_applies_to_the_known_addresses() {
    let mut scene = Scene::with(|settings| {
        let rules = Arc::make_mut(&mut settings.destinations.egress);
        let option = "deny 198.41.0.0/24".parse().unwrap();
        let rule = [GivenRule { option, place: None }];
        read_rules(rules, &rule, &mut |_| unreachable!("no file is named")).unwrap();
    });
    scene.names.add("dual.test 60 AAAA 2606:2800:220:1::1");
    scene.names.add("dual.test 60 A 198.41.0.4");
    scene.names.zone.slow = Some((A, millis(150)));
    let client = scene.ask("dual.test", 0);
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"), "the known address is allowed");
    scene.run(Duration::from_secs(1));
    scene.names.add("denied.test 60 A 198.41.0.4");
    let client = scene.ask("denied.test", 0);
    scene.run(millis(200));
    let answer = scene.heard(client);
    assert!(answer.contains("denied by 'deny 198.41.0.0/24'"), "{answer}");
}

#[test]
fn client_that_aborts_while_a_family_is_late_leaks_nothing() {
    let mut scene = dual(A);
    scene.close_six();
    let client = scene.ask("dual.test", 0);
    scene.run(millis(50));
    scene.close(client);
    scene.run(Duration::from_secs(60));
    assert!(scene.worker.is_empty());
    let client = scene.ask("dual.test", 0);
    scene.run(Duration::from_secs(1));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"));
}

#[test]
fn addresses_received_during_a_stall_are_tried() {
    for seed in 0..20 {
        let mut scene = seeded(seed, AAAA);
        let client = scene.ask("dual.test", 0);
        scene.settle();
        scene.stall(Duration::from_secs(30));
        assert!(scene.heard(client).starts_with("HTTP/1.1 200"), "seed {seed}");
    }
}

#[test]
fn request_with_a_lookup_not_begun_before_a_stall_is_answered() {
    let mut scene = dual(AAAA);
    scene.names.zone.slow = None;
    let client = scene.ask("dual.test", 0);
    scene.stall(Duration::from_secs(30));
    assert!(scene.heard(client).starts_with("HTTP/1.1 200"));
}

#[test]
fn one_client_cannot_exhaust_the_lookups_of_others() {
    let mut scene = Scene::with(|settings| settings.limits.names_asked = 8);
    scene.names.zone.manner = Manner::Silent;
    let greedy: Vec<_> = (0..6).map(|n| scene.ask(&format!("n{n}.test"), 0)).collect();
    assert!(scene.heard(greedy[3]).is_empty());
    assert!(
        scene.heard(greedy[4]).starts_with("HTTP/1.1 503"),
        "the client holds half of the lookups"
    );
    scene.names.zone.manner = Manner::Right;
    scene.names.add("four.test 60 A 93.184.216.34");
    let other = scene.ask("four.test", 1);
    assert!(scene.heard(other).starts_with("HTTP/1.1 200"));
    greedy.iter().take(4).for_each(|&client| scene.close(client));
    let again = scene.ask("n9.test", 0);
    assert!(scene.heard(again).starts_with("HTTP/1.1 502"), "the name does not exist");
}
