//! Quirks of name servers: what the resolver learns of a server, and how it queries that server
//! afterwards.

use std::time::Duration;

use tidegate::dns::{Server, ServerObservation, Servers};
use tidegate::reactor::sim::{Faults, Rng, explore};
use tidegate::reactor::{Clock, NameSource, NameSources, ResolverLimits, VirtualClock};

use crate::scene::{Scene, server_address};
use crate::server::Manner;
use crate::write::{A, question_of};

/// Time for which a server's missing feature is remembered.
const LEARNED: Duration = Duration::from_secs(15 * 60);
/// Time limit of one attempt at one server.
const ATTEMPT: Duration = Duration::from_secs(2);

fn scene(manner: Manner) -> Scene {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    scene.servers[0].zone.manner = manner;
    scene.servers[0].add("other.test 60 A 198.51.100.9");
    scene
}

/// Returns the numbers of queries for addresses of the name, sent as datagrams and over TCP.
fn asked(scene: &Scene, name: &str) -> [usize; 2] {
    let heard = &scene.servers[0].zone.heard;
    [false, true].map(|tcp| heard.iter().filter(|query| query.0 == name && query.2 == tcp).count())
}

/// Returns true if the last query spelled its name in lower case.
fn is_lower_case(scene: &Scene) -> bool {
    let query = scene.servers[0].zone.queries.last().unwrap();
    let name = &query[12..query[12..].iter().position(|&byte| byte == 0).unwrap() + 12];
    name.to_ascii_lowercase() == name
}

fn has_edns(scene: &Scene) -> bool {
    scene.servers[0].zone.queries.last().unwrap()[11] == 1
}

#[test]
fn server_that_folds_case_is_queried_in_lower_case_afterwards() {
    let mut scene = scene(Manner::LowerCase);
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(asked(&scene, "four.test"), [2, 2], "each query is repeated once over TCP");
    assert_eq!(scene.resolve("other.test"), "198.51.100.9");
    assert_eq!(asked(&scene, "other.test"), [2, 0]);
    assert!(is_lower_case(&scene));
    assert_eq!(scene.took(), Duration::ZERO);
    scene.run(LEARNED);
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(asked(&scene, "four.test"), [4, 4], "the server may have been fixed");
    scene.expect_closed();
}

#[test]
fn server_that_folds_case_and_has_no_tcp_is_still_usable() {
    let mut scene = scene(Manner::LowerCase);
    scene.servers[0].refuse_connections();
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(asked(&scene, "four.test"), [6, 0], "each query is sent three times");
    assert_eq!(scene.resolve("other.test"), "198.51.100.9");
    assert_eq!(asked(&scene, "other.test"), [2, 0]);
    scene.expect_closed();
}

#[test]
fn disabled_random_case_queries_in_lower_case() {
    let mut scene = scene(Manner::LowerCase);
    let sources = NameSources {
        hosts: NameSource::Text(String::new()),
        resolv_conf: NameSource::Text(String::new()),
        servers: vec![server_address(1)],
        random_case: false,
    };
    let resolver = &mut scene.program.resolver;
    resolver.reconfigure(&mut scene.reactor, sources, ResolverLimits::default());
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(asked(&scene, "four.test"), [2, 0]);
    assert!(is_lower_case(&scene));
}

#[test]
fn server_that_drops_edns_is_queried_without_it_afterwards() {
    let mut scene = scene(Manner::NoEdns(None));
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(scene.took(), ATTEMPT, "one attempt times out");
    assert_eq!(scene.resolve("other.test"), "198.51.100.9");
    assert_eq!(scene.took(), ATTEMPT);
    assert!(!has_edns(&scene));
    scene.run(LEARNED);
    scene.servers[0].zone.manner = Manner::Right;
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert!(has_edns(&scene), "the server may have been fixed");
}

#[test]
fn server_that_rejects_edns_is_queried_without_it_afterwards() {
    for code in [1, 2, 4] {
        let mut scene = scene(Manner::NoEdns(Some(code)));
        assert_eq!(scene.resolve("four.test"), "198.51.100.4");
        assert_eq!(asked(&scene, "four.test"), [4, 0]);
        assert_eq!(scene.resolve("other.test"), "198.51.100.9");
        assert_eq!(asked(&scene, "other.test"), [2, 0]);
        assert_eq!(scene.took(), Duration::ZERO);
        assert!(!has_edns(&scene));
    }
}

#[test]
fn nxdomain_for_aaaa_does_not_hide_the_ipv4_address() {
    let mut scene = scene(Manner::NoIpv6);
    assert_eq!(scene.resolve("four.test"), "198.51.100.4");
    assert_eq!(scene.resolve("a.test"), "2001:db8::1 198.51.100.1");
    assert_eq!(scene.resolve("gone.test"), "no such name");
}

#[test]
fn chain_of_sixteen_aliases_is_followed() {
    let mut scene = scene(Manner::Right);
    for n in 0..17 {
        scene.servers[0].add(&format!("n{n}.test 60 CNAME n{}.test", n + 1));
    }
    scene.servers[0].add("n17.test 60 A 198.51.100.17");
    assert_eq!(scene.resolve("n1.test"), "198.51.100.17");
    assert!(scene.resolve("n0.test").contains("CNAME records in a loop, or too many"));
}

#[test]
fn last_query_asks_for_the_target_of_an_alias() {
    let mut scene = scene(Manner::LowerCase);
    scene.resolve("four.test");
    scene.resolve("alias.test");
    let last = scene.servers[0].zone.queries.last().unwrap();
    assert_eq!(question_of(last), ("four.test".into(), A));
}

#[test]
fn servers_are_queried_in_order_with_silent_ones_last() {
    let [a, b, c] = [1, 2, 3].map(server_address);
    let (mut servers, now) = (Servers::default(), VirtualClock::default().now().mono);
    let silent = Duration::from_secs(30);
    let order = |servers: &mut Servers, rotate, now| {
        let order = servers.order(&[a, b, c], rotate, now);
        order.iter().map(|server| server.address).collect::<Vec<_>>()
    };
    servers.notice(a, ServerObservation::Silent, now);
    assert_eq!(order(&mut servers, false, now), [b, c, a]);
    servers.notice(b, ServerObservation::Silent, now + silent / 2);
    assert_eq!(order(&mut servers, false, now + silent / 2), [c, a, b]);
    assert_eq!(order(&mut servers, false, now + silent), [a, c, b]);
    servers.notice(b, ServerObservation::Answered, now + silent);
    assert_eq!(order(&mut servers, false, now + silent), [a, b, c]);
    assert_eq!(order(&mut servers, true, now + silent), [b, c, a]);
    assert_eq!(order(&mut servers, true, now + silent), [c, a, b]);
    assert_eq!(servers.order(&[], true, now), []);
}

#[test]
fn one_lost_datagram_does_not_disable_edns() {
    let (mut servers, now) = (Servers::default(), VirtualClock::default().now().mono);
    let at = server_address(1);
    let mut server = |notices: &[ServerObservation], now| {
        notices.iter().for_each(|&notice| servers.notice(at, notice, now));
        servers.order(&[at], false, now)[0]
    };
    assert_eq!(server(&[], now), Server::new(at));
    assert!(server(&[ServerObservation::NoEdns], now).edns);
    assert!(
        server(&[ServerObservation::Edns, ServerObservation::NoEdns], now).edns,
        "the server answered with EDNS in between"
    );
    assert!(!server(&[ServerObservation::NoEdns], now).edns);
    assert!(!server(&[], now + LEARNED - Duration::from_secs(1)).edns);
    assert!(server(&[], now + LEARNED).edns);
    assert!(!server(&[ServerObservation::NoCase], now).random_case);
    assert!(!server(&[], now + LEARNED - Duration::from_secs(1)).random_case);
    assert!(server(&[], now + LEARNED).random_case);
}

#[test]
fn forget_discards_observations_of_servers() {
    let [a, b] = [1, 2].map(server_address);
    let (mut servers, now) = (Servers::default(), VirtualClock::default().now().mono);
    for notice in [
        ServerObservation::Silent,
        ServerObservation::NoEdns,
        ServerObservation::NoEdns,
        ServerObservation::NoCase,
    ] {
        servers.notice(a, notice, now);
    }
    let plain = Server { address: a, edns: false, random_case: false };
    assert_eq!(servers.order(&[a, b], false, now), [Server::new(b), plain]);
    servers.forget();
    assert_eq!(servers.order(&[a, b], false, now), [Server::new(a), Server::new(b)]);
}

#[test]
fn servers_with_any_quirk_yield_correct_addresses_or_an_error() {
    let seeds = std::env::var("TIDEGATE_SEEDS").map_or(200, |seeds| seeds.parse().unwrap());
    let (mut right, mut failed) = (0, 0);
    explore(0..seeds, |seed| {
        let mut rng = Rng::new(seed);
        let lost = *rng.pick(&[0, 5]);
        let mut scene = Scene::new(seed, 1 + rng.below(3), &Faults { lost, ..Faults::SOME });
        let manners = [
            Manner::Right,
            Manner::Cut,
            Manner::LowerCase,
            Manner::NoEdns(None),
            Manner::NoEdns(Some(1)),
            Manner::NoEdns(Some(2)),
            Manner::NoIpv6,
        ];
        for server in &mut scene.servers {
            server.zone.manner = *rng.pick(&manners);
            if rng.percent(30) {
                server.refuse_connections();
            }
        }
        for _ in 0..8 {
            let names = ["four.test", "alias.test", "a.test", "gone.test"];
            let name = *rng.pick(&names);
            let shown = scene.resolve(name);
            let expected = match name {
                "a.test" => "2001:db8::1 198.51.100.1",
                "gone.test" => "no such name",
                _ => "198.51.100.4",
            };
            let error = ["no answer", "SERVFAIL", "TCP", "cannot be queried"];
            if shown == expected || expected.split(' ').any(|address| address == shown) {
                right += 1;
            } else {
                assert!(error.iter().any(|text| shown.contains(text)), "{name}: {shown}");
                failed += 1;
            }
            scene.run(rng.duration(&(Duration::ZERO..Duration::from_secs(100))));
        }
        scene.expect_closed();
    });
    println!("{right} right, {failed} failed");
    if std::env::var("TIDEGATE_SEED").is_err() {
        assert!(right > 10 * failed, "{right} right, {failed} failed");
    }
}
