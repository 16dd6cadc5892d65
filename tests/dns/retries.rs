//! Retries at servers with quirks: queries without EDNS, over TCP, and in lower case.

use std::io;

use tidegate::dns::{
    DnsTransport, Lookup, LookupAction, Query, Random, ResolvConf, Server, ServerObservation,
};
use tidegate::reactor::{Clock, VirtualClock};

use crate::lookup::{Scene, TIMES, nothing, one_server, server, two_servers};
use crate::write::{A, AAAA, FORMERR, NOTIMP, SERVFAIL, Written};

/// Returns true if a query carries an OPT record.
fn has_edns(query: &Query) -> bool {
    query.message[10..12] == [0, 1]
}

/// Returns the observations about EDNS and case.
fn learned(scene: &mut Scene) -> Vec<ServerObservation> {
    let notices = scene.lookup.noticed().map(|(_, notice)| notice);
    notices
        .filter(|notice| !matches!(notice, ServerObservation::Answered | ServerObservation::Silent))
        .collect()
}

#[test]
fn server_that_rejects_edns_is_retried_without_it() {
    for code in [FORMERR, NOTIMP, SERVFAIL] {
        let mut scene = Scene::new("a.test", &one_server());
        scene.answer(AAAA, nothing);
        assert_eq!(learned(&mut scene), [ServerObservation::Edns]);
        assert!(has_edns(scene.query(A)));
        assert_eq!(scene.answer(A, |w| w.code(code)), 1);
        assert!(!has_edns(scene.query(A)));
        assert_eq!(learned(&mut scene), [], "the error may have another cause, or be forged");
        scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
        assert_eq!(learned(&mut scene), [ServerObservation::NoEdns]);
        scene.expect_done(&["192.0.2.9"], Some(60));
    }
}

#[test]
fn error_without_edns_is_final() {
    for (code, name) in [(FORMERR, "FORMERR"), (NOTIMP, "NOTIMP"), (SERVFAIL, "SERVFAIL")] {
        let mut scene = Scene::new("a.test", &one_server());
        scene.answer(AAAA, nothing);
        assert_eq!(scene.answer(A, |w| w.code(code)), 1);
        assert_eq!(scene.answer(A, |w| w.code(code)), 0);
        assert_eq!(learned(&mut scene), [ServerObservation::Edns], "observed by the other query");
        let text = format!("192.0.2.1:53 says {name} (1 server, 2 attempts)");
        scene.expect_error(&text, None);
    }
}

#[test]
fn format_error_without_a_question_is_accepted() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    let (place, id) = (scene.place_of(A), scene.query(A).message[..2].to_vec());
    let bare = [&id, &b"\x81\x01\0\0\0\0\0\0\0\0"[..]].concat();
    scene.lookup.received(place, server(1), &bare);
    assert_eq!(scene.step(), 1, "accepted though it does not repeat the question");
    assert!(!has_edns(scene.query(A)));
}

#[test]
fn failing_server_is_retried_without_edns_after_the_others() {
    let mut scene = Scene::new("a.test", &two_servers());
    scene.answer(AAAA, nothing);
    assert_eq!(scene.answer(A, |w| w.code(SERVFAIL)), 1);
    assert_eq!((scene.query(A).server, has_edns(scene.query(A))), (server(2), true));
    assert_eq!(scene.answer(A, |w| w.code(SERVFAIL)), 1);
    assert_eq!((scene.query(A).server, has_edns(scene.query(A))), (server(1), false));
    assert_eq!(scene.answer(A, |w| w.code(SERVFAIL)), 1);
    assert_eq!((scene.query(A).server, has_edns(scene.query(A))), (server(2), false));
    scene.answer(A, |w| w.code(SERVFAIL));
    scene.expect_error("192.0.2.2:53 says SERVFAIL (2 servers, 4 attempts)", None);
}

#[test]
fn silent_server_is_retried_without_edns() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    learned(&mut scene);
    scene.wait(TIMES.attempt);
    assert!(!has_edns(scene.query(A)));
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    assert_eq!(learned(&mut scene), [ServerObservation::NoEdns]);
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn silence_over_tcp_does_not_disable_edns() {
    let mut scene = Scene::new("a.test", &ResolvConf { use_tcp: true, ..one_server() });
    scene.answer(AAAA, nothing);
    assert_eq!(scene.wait(TIMES.attempt), 1);
    assert!(has_edns(scene.query(A)));
}

#[test]
fn silence_without_edns_records_no_lack_of_edns() {
    let plain = Server { edns: false, ..Server::new(server(1)) };
    let mut lookup = Lookup::new("a.test", &one_server(), &[plain], TIMES).unwrap();
    let (mut now, mut random) = (VirtualClock::default().now().mono, Random::new([9; 32]));
    while lookup.step(now, &mut random).is_some() {}
    now += TIMES.attempt;
    let Some(LookupAction::Ask(place, query)) = lookup.step(now, &mut random) else {
        panic!("a query")
    };
    assert!(!has_edns(&query));
    assert!(lookup.noticed().all(|(_, notice)| notice == ServerObservation::Silent));
    lookup.received(place, server(1), &nothing(Written::to(&query.message)).bytes());
    assert_eq!(lookup.noticed().collect::<Vec<_>>(), [(server(1), ServerObservation::Answered)]);
}

#[test]
fn queries_follow_the_recorded_observations() {
    let plain = Server { edns: false, random_case: false, ..Server::new(server(1)) };
    let mut lookup = Lookup::new("abcdefghijklm.test", &one_server(), &[plain], TIMES).unwrap();
    let mut random = Random::new([9; 32]);
    let now = VirtualClock::default().now().mono;
    let Some(LookupAction::Ask(place, query)) = lookup.step(now, &mut random) else {
        panic!("a query")
    };
    assert!(!has_edns(&query));
    let name = &query.message[12..];
    assert_eq!(name.to_ascii_lowercase(), name);
    lookup.received(place, server(1), &nothing(Written::to(&query.message)).bytes());
    assert_eq!(lookup.noticed().collect::<Vec<_>>(), [(server(1), ServerObservation::Answered)]);
}

/// Writes a response with the name in lower case.
fn fold(mut w: Written) -> Written {
    w.question.make_ascii_lowercase();
    w.answers(&["abcdefghijklm.test 60 A 192.0.2.9"])
}

/// Writes a forged response of an off-path attacker: only the case of the name is wrong.
fn forged(mut w: Written) -> Written {
    w.question.make_ascii_lowercase();
    w.answers(&["abcdefghijklm.test 60 A 203.0.113.6"])
}

#[test]
fn response_in_another_case_is_retried_over_tcp_and_records_nothing() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    learned(&mut scene);
    assert_eq!(scene.answer(A, forged), 1);
    assert_eq!(scene.query(A).over, DnsTransport::Tcp);
    scene.answer(A, |w| w.answers(&["abcdefghijklm.test 60 A 192.0.2.9"]));
    assert_eq!(learned(&mut scene), [ServerObservation::Edns], "no lack of case is recorded");
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn server_that_folds_case_over_tcp_is_recorded() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, fold);
    scene.answer(A, fold);
    assert!(learned(&mut scene).contains(&ServerObservation::NoCase));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn third_response_in_another_case_is_accepted_without_tcp() {
    for silent in [false, true] {
        let mut scene = Scene::new("abcdefghijklm.test", &one_server());
        scene.answer(AAAA, nothing);
        let first = scene.query(A).message.clone();
        scene.answer(A, fold);
        let asked = match silent {
            true => scene.wait(TIMES.attempt),
            false => scene.fail(A, io::ErrorKind::ConnectionRefused),
        };
        assert_eq!((asked, scene.query(A).over), (1, DnsTransport::Udp));
        assert_ne!(scene.query(A).message[..2], first[..2], "the retry has another id");
        assert_eq!(scene.answer(A, fold), 1, "the second response in lower case");
        assert_eq!(scene.query(A).over, DnsTransport::Udp);
        assert!(!learned(&mut scene).contains(&ServerObservation::NoCase));
        scene.answer(A, fold);
        assert!(learned(&mut scene).contains(&ServerObservation::NoCase));
        scene.expect_done(&["192.0.2.9"], Some(60));
    }
}

#[test]
fn forged_responses_in_another_case_record_nothing_once_the_server_answers() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, forged);
    scene.fail(A, io::ErrorKind::ConnectionRefused);
    scene.answer(A, forged);
    scene.answer(A, |w| w.answers(&["abcdefghijklm.test 60 A 192.0.2.9"]));
    assert!(!learned(&mut scene).contains(&ServerObservation::NoCase));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn unreachable_server_without_tcp_is_abandoned() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, fold);
    assert_eq!(scene.fail(A, io::ErrorKind::ConnectionRefused), 1);
    assert_eq!(scene.query(A).over, DnsTransport::Udp);
    assert_eq!(scene.fail(A, io::ErrorKind::ConnectionRefused), 0);
    let text = "192.0.2.1:53 cannot be queried: connection refused (1 server, 3 attempts)";
    scene.expect_error(text, None);
}

#[test]
fn alias_target_is_queried_in_lower_case_from_a_server_that_folds_case() {
    let alias = |mut w: Written| {
        w.question.make_ascii_lowercase();
        w.answers(&["abcdefghijklm.test 60 CNAME nopqrstuvwxyz.test"])
    };
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, alias);
    assert_eq!(scene.answer(A, alias), 1);
    let message = &scene.query(A).message;
    assert_eq!(message[12..], message[12..].to_ascii_lowercase());
    scene.answer(A, |w| w.answers(&["nopqrstuvwxyz.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));
}
