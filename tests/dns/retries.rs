//! A look-up at servers that are not quite right: queries without EDNS, over TCP, and in plain case.

use std::io;

use tidegate::dns::{
    DnsTransport, Lookup, LookupAction, Query, Random, ResolvConf, Server, ServerObservation,
};
use tidegate::reactor::{Clock, VirtualClock};

use crate::lookup::{Scene, TIMES, nothing, one_server, server, two_servers};
use crate::write::{A, AAAA, FORMERR, NOTIMP, SERVFAIL, Written};

/// True if a query carries an OPT record.
fn has_edns(query: &Query) -> bool {
    query.message[10..12] == [0, 1]
}

/// Notices of EDNS and of case.
fn learned(scene: &mut Scene) -> Vec<ServerObservation> {
    let notices = scene.lookup.noticed().map(|(_, notice)| notice);
    notices
        .filter(|notice| !matches!(notice, ServerObservation::Answered | ServerObservation::Silent))
        .collect()
}

#[test]
fn server_that_answers_edns_by_an_error_is_asked_without() {
    for code in [FORMERR, NOTIMP, SERVFAIL] {
        let mut scene = Scene::new("a.test", &one_server());
        scene.answer(AAAA, nothing);
        assert_eq!(learned(&mut scene), [ServerObservation::Edns]);
        assert!(has_edns(scene.query(A)));
        assert_eq!(scene.answer(A, |w| w.code(code)), 1);
        assert!(!has_edns(scene.query(A)));
        assert_eq!(learned(&mut scene), [], "it may be an error of another kind, or forged");
        scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
        assert_eq!(learned(&mut scene), [ServerObservation::NoEdns]);
        scene.expect_done(&["192.0.2.9"], Some(60));
    }
}

#[test]
fn error_to_a_query_without_edns_is_one() {
    for (code, name) in [(FORMERR, "FORMERR"), (NOTIMP, "NOTIMP"), (SERVFAIL, "SERVFAIL")] {
        let mut scene = Scene::new("a.test", &one_server());
        scene.answer(AAAA, nothing);
        assert_eq!(scene.answer(A, |w| w.code(code)), 1);
        assert_eq!(scene.answer(A, |w| w.code(code)), 0);
        assert_eq!(learned(&mut scene), [ServerObservation::Edns], "that of the other question");
        let text = format!("192.0.2.1:53 says {name} (1 server, 2 attempts)");
        scene.expect_error(&text, None);
    }
}

#[test]
fn bare_format_error_is_heard() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    let (place, id) = (scene.place_of(A), scene.query(A).message[..2].to_vec());
    let bare = [&id, &b"\x81\x01\0\0\0\0\0\0\0\0"[..]].concat();
    scene.lookup.received(place, server(1), &bare);
    assert_eq!(scene.step(), 1, "one that does not repeat the question");
    assert!(!has_edns(scene.query(A)));
}

#[test]
fn server_that_fails_is_asked_without_edns_after_the_others() {
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
fn server_that_is_silent_is_asked_without_edns_the_next_time() {
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
fn silence_over_tcp_says_nothing_of_edns() {
    let mut scene = Scene::new("a.test", &ResolvConf { use_tcp: true, ..one_server() });
    scene.answer(AAAA, nothing);
    assert_eq!(scene.wait(TIMES.attempt), 1);
    assert!(has_edns(scene.query(A)));
}

#[test]
fn silence_without_edns_does_not_say_that_a_server_lacks_it() {
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
fn server_is_asked_as_was_learned_of_it() {
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

/// An answer with the name in lower case.
fn fold(mut w: Written) -> Written {
    w.question.make_ascii_lowercase();
    w.answers(&["abcdefghijklm.test 60 A 192.0.2.9"])
}

/// An answer that is forged without seeing the query: only the case of the name is wrong.
fn forged(mut w: Written) -> Written {
    w.question.make_ascii_lowercase();
    w.answers(&["abcdefghijklm.test 60 A 203.0.113.6"])
}

#[test]
fn answer_in_another_case_is_asked_for_over_tcp_and_proves_nothing_itself() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    learned(&mut scene);
    assert_eq!(scene.answer(A, forged), 1);
    assert_eq!(scene.query(A).over, DnsTransport::Tcp);
    scene.answer(A, |w| w.answers(&["abcdefghijklm.test 60 A 192.0.2.9"]));
    assert_eq!(learned(&mut scene), [ServerObservation::Edns], "the server has kept the case");
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn server_that_loses_the_case_over_tcp_too_is_remembered() {
    let mut scene = Scene::new("abcdefghijklm.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, fold);
    scene.answer(A, fold);
    assert!(learned(&mut scene).contains(&ServerObservation::NoCase));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn server_without_tcp_loses_the_case_if_three_answers_in_a_row_do() {
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
        assert_ne!(scene.query(A).message[..2], first[..2], "another id");
        assert_eq!(scene.answer(A, fold), 1, "the second");
        assert_eq!(scene.query(A).over, DnsTransport::Udp);
        assert!(!learned(&mut scene).contains(&ServerObservation::NoCase));
        scene.answer(A, fold);
        assert!(learned(&mut scene).contains(&ServerObservation::NoCase));
        scene.expect_done(&["192.0.2.9"], Some(60));
    }
}

#[test]
fn forged_answers_in_another_case_do_not_count_once_the_server_is_heard() {
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
fn server_without_tcp_that_is_gone_is_given_up() {
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
fn server_that_loses_the_case_is_asked_in_lower_case_for_what_an_alias_leads_to() {
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
