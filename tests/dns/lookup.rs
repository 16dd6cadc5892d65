//! A lookup step by step, with a manual clock and hand-made messages.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tidegate::dns::{
    DATAGRAM, DnsTransport, Found, Lookup, LookupAction, NameError, Query, Random, ResolvConf,
    Server, ServerObservation, Timeouts,
};
use tidegate::reactor::{Clock, VirtualClock};

use crate::write::{A, AAAA, NXDOMAIN, REFUSED, Written, question_of};

pub(crate) const TIMES: Timeouts =
    Timeouts { attempt: Duration::from_secs(2), total: Duration::from_secs(8) };

pub(crate) struct Scene {
    pub(crate) lookup: Lookup,
    random: Random,
    now: Instant,
    /// The last query of each slot.
    queries: [Option<Query>; 2],
    found: Vec<Found>,
}

pub(crate) fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 53))
}

pub(crate) fn one_server() -> ResolvConf {
    ResolvConf { servers: vec![server(1)], ..ResolvConf::default() }
}

pub(crate) fn two_servers() -> ResolvConf {
    ResolvConf { servers: vec![server(1), server(2)], ..ResolvConf::default() }
}

impl Scene {
    pub(crate) fn new(name: &str, conf: &ResolvConf) -> Self {
        let now = VirtualClock::default().now().mono;
        let servers: Vec<Server> = conf.servers.iter().map(|&at| Server::new(at)).collect();
        let lookup = Lookup::new(name, conf, &servers, TIMES).unwrap();
        let mut scene = Self {
            lookup,
            random: Random::new([9; 32]),
            now,
            queries: [None, None],
            found: Vec::new(),
        };
        scene.step();
        scene
    }

    /// Runs all pending steps; returns the number of queries sent.
    pub(crate) fn step(&mut self) -> usize {
        let mut sent = 0;
        while let Some(step) = self.lookup.step(self.now, &mut self.random) {
            match step {
                LookupAction::Ask(place, query) => {
                    self.queries[place] = Some(query);
                    sent += 1;
                }
                LookupAction::Found(found) => self.found.push(found),
            }
        }
        sent
    }

    pub(crate) fn wait(&mut self, time: Duration) -> usize {
        self.now += time;
        self.step()
    }

    pub(crate) fn place_of(&self, kind: u16) -> usize {
        let asks = |query: &Option<Query>| {
            query.as_ref().is_some_and(|query| question_of(&query.message).1 == kind)
        };
        self.queries.iter().position(asks).unwrap()
    }

    /// Returns the query in flight for a record type.
    pub(crate) fn query(&self, kind: u16) -> &Query {
        self.queries[self.place_of(kind)].as_ref().unwrap()
    }

    /// Delivers a response to the query for a record type; returns the number of queries that
    /// follow.
    pub(crate) fn answer(&mut self, kind: u16, write: impl FnOnce(Written) -> Written) -> usize {
        let (place, query) = (self.place_of(kind), self.query(kind).clone());
        let response = write(Written::to(&query.message));
        self.lookup.received(place, query.server, &response.bytes());
        self.step()
    }

    pub(crate) fn fail(&mut self, kind: u16, error: io::ErrorKind) -> usize {
        let place = self.place_of(kind);
        self.lookup.failed(place, &error.into());
        self.step()
    }

    #[track_caller]
    pub(crate) fn expect_done(&self, addresses: &[&str], ttl: Option<u64>) {
        let found = self.found.last().expect("no answer was found");
        let told = found.answer.as_ref().unwrap().iter().map(ToString::to_string);
        assert_eq!(told.collect::<Vec<_>>(), addresses);
        assert_eq!((found.ttl, found.complete), (ttl.map(Duration::from_secs), true));
        self.expect_over();
    }

    #[track_caller]
    pub(crate) fn expect_error(&self, error: &str, ttl: Option<u64>) {
        let found = self.found.last().expect("no answer was found");
        assert_eq!(found.answer.as_ref().unwrap_err().to_string(), error);
        assert_eq!((found.ttl, found.complete), (ttl.map(Duration::from_secs), true));
        self.expect_over();
    }

    #[track_caller]
    pub(crate) fn expect_over(&self) {
        assert!((0..2).all(|place| !self.lookup.is_waiting(place)), "a query is still waiting");
        assert_eq!(self.found.iter().filter(|found| found.complete).count(), 1);
    }
}

pub(crate) fn nothing(written: Written) -> Written {
    written.authority(&["test 60 SOA 30"])
}

#[test]
fn both_record_types_are_queried_at_once_and_ipv6_is_listed_first() {
    let mut scene = Scene::new("A.Test", &one_server());
    let (four, six) = (scene.query(A), scene.query(AAAA));
    assert_eq!((four.server, four.over), (server(1), DnsTransport::Udp));
    assert_eq!(question_of(&four.message), ("a.test".into(), A));
    assert_ne!(four.message[..2], six.message[..2], "the ids differ");
    assert_ne!(four.message[12..18], six.message[12..18], "the spellings differ");
    assert!(four.message.ends_with(&[0, 0, 0, 0, 0, 0]), "the query ends with an EDNS record");
    assert_eq!(four.message[four.message.len() - 8..][..2], DATAGRAM.to_be_bytes());
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    assert!(scene.found.is_empty());
    scene.answer(AAAA, |w| w.answers(&["a.test 50 AAAA 2001:db8::9"]));
    scene.expect_done(&["2001:db8::9", "192.0.2.9"], Some(50));
}

#[test]
fn ipv6_addresses_are_reported_at_once() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, |w| w.answers(&["a.test 50 AAAA 2001:db8::9"]));
    assert_eq!(scene.found.len(), 1);
    assert!(!scene.found[0].complete && scene.found[0].answer.is_ok());
    let [four, six] = [A, AAAA].map(|kind| scene.lookup.is_waiting(scene.place_of(kind)));
    assert!(four && !six, "only the unanswered query needs its socket");
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["2001:db8::9", "192.0.2.9"], Some(50));
}

#[test]
fn ipv4_addresses_wait_50_ms_for_ipv6() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    assert_eq!(scene.lookup.next_deadline(), Some(scene.now + Duration::from_millis(50)));
    scene.wait(Duration::from_millis(49));
    assert!(scene.found.is_empty());
    scene.wait(Duration::from_millis(1));
    assert!(!scene.found[0].complete && scene.found[0].answer.is_ok());
    scene.wait(Duration::from_millis(500));
    assert_eq!(scene.found.len(), 1, "the partial answer is reported once");
    scene.answer(AAAA, |w| w.answers(&["a.test 50 AAAA 2001:db8::9"]));
    scene.expect_done(&["2001:db8::9", "192.0.2.9"], Some(50));
}

#[test]
fn addresses_of_one_type_suffice_and_none_is_an_error() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(A, nothing);
    scene.answer(AAAA, nothing);
    scene.expect_error("no address", Some(30));
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(A, |w| nothing(w).code(NXDOMAIN));
    scene.expect_error("no such name", Some(30));
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(A, |w| w.code(NXDOMAIN));
    scene.expect_error("no such name", None);
}

#[test]
fn nxdomain_for_aaaa_is_final_only_if_a_agrees() {
    let gone = |w: Written| nothing(w).code(NXDOMAIN);
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, gone);
    assert!(scene.found.is_empty());
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));

    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, gone);
    scene.answer(A, gone);
    scene.expect_error("no such name", Some(30));

    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, gone);
    scene.answer(A, nothing);
    scene.expect_error("no address", Some(30));

    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, gone);
    scene.wait(TIMES.total);
    scene.expect_error("no answer from 192.0.2.1:53 (1 server, 1 attempt)", None);
}

#[test]
fn ipv6_addresses_count_despite_nxdomain_for_a() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, |w| w.answers(&["a.test 50 AAAA 2001:db8::9"]));
    scene.answer(A, |w| nothing(w).code(NXDOMAIN));
    scene.expect_done(&["2001:db8::9"], Some(50));
}

#[test]
fn lookup_time_starts_with_its_first_step() {
    let servers = [Server::new(server(1))];
    let mut lookup = Lookup::new("a.test", &one_server(), &servers, TIMES).unwrap();
    assert_eq!(lookup.next_deadline(), None);
    let (late, mut random) =
        (VirtualClock::default().now().mono + TIMES.total, Random::new([9; 32]));
    assert!(matches!(lookup.step(late, &mut random), Some(LookupAction::Ask(..))));
    assert!(matches!(lookup.step(late, &mut random), Some(LookupAction::Ask(..))));
    assert_eq!(lookup.step(late, &mut random), None);
    assert_eq!(lookup.next_deadline(), Some(late + TIMES.attempt));
}

#[test]
fn forged_responses_are_ignored_and_the_real_one_is_accepted() {
    let mut scene = Scene::new("abcdefgh.test", &one_server());
    let (place, query) = (scene.place_of(A), scene.query(A).clone());
    let good = Written::to(&query.message).answers(&["abcdefgh.test 60 A 192.0.2.9"]);
    let evil = |from: u8, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes =
            Written::to(&query.message).answers(&["abcdefgh.test 60 A 203.0.113.6"]).bytes();
        change(&mut bytes);
        (server(from), bytes)
    };
    let forged = [
        evil(2, &|_| {}),                                  // from another address
        evil(1, &|bytes| bytes[1] ^= 1),                   // with another id
        evil(1, &|bytes| bytes[2] &= 0x7f),                // a query
        evil(1, &|bytes| bytes[13] = b'x'),                // about another name
        evil(1, &|bytes| bytes[12 + 15 + 1] = 28),         // about another kind
        evil(1, &|bytes| bytes[12 + 15 + 3] = 3),          // of another class
        evil(1, &|bytes| bytes.truncate(bytes.len() - 1)), // cut
        evil(1, &|bytes| bytes.truncate(5)),
    ];
    for (i, (from, bytes)) in forged.iter().enumerate() {
        scene.lookup.received(place, *from, bytes);
        assert_eq!(scene.step(), 0, "{i}");
        assert!(scene.lookup.is_waiting(place), "{i}");
    }
    scene.lookup.received(place, query.server, &good.bytes());
    scene.answer(AAAA, nothing);
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn query_with_many_mismatched_responses_is_retried_over_tcp() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    let (place, query) = (scene.place_of(A), scene.query(A).clone());
    let mut forged = Written::to(&query.message).answers(&["a.test 60 A 203.0.113.6"]);
    for n in 1..32 {
        forged.id ^= n;
        scene.lookup.received(place, server(1), &forged.bytes());
        assert_eq!(scene.step(), 0, "{n}");
        forged.id ^= n;
    }
    scene.lookup.received(place, server(1), b"");
    assert_eq!(scene.step(), 1);
    assert_eq!((scene.query(A).server, scene.query(A).over), (server(1), DnsTransport::Tcp));
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn server_with_mismatched_responses_over_tcp_is_abandoned() {
    let conf = ResolvConf { use_tcp: true, ..one_server() };
    let mut scene = Scene::new("a.test", &conf);
    scene.answer(AAAA, nothing);
    let place = scene.place_of(A);
    for n in 1..32 {
        scene.lookup.received(place, server(1), b"");
        assert!(scene.lookup.is_waiting(place), "{n}");
    }
    scene.lookup.received(place, server(1), b"");
    assert_eq!(scene.step(), 0);
    let text =
        "192.0.2.1:53 cannot be queried: its answers do not match the query (1 server, 1 attempt)";
    scene.expect_error(text, None);
}

#[test]
fn silent_server_is_followed_by_the_next_and_retried() {
    let mut scene = Scene::new("a.test", &two_servers());
    scene.answer(AAAA, nothing);
    assert_eq!(scene.lookup.next_deadline(), Some(scene.now + TIMES.attempt));
    let first = scene.query(A).message.clone();
    assert_eq!(scene.wait(TIMES.attempt), 1);
    assert_eq!(scene.query(A).server, server(2));
    assert_ne!(scene.query(A).message[..2], first[..2], "the retry has another id");
    scene.wait(TIMES.attempt);
    assert_eq!(scene.query(A).server, server(1));
    assert!(scene.lookup.noticed().any(|seen| seen == (server(2), ServerObservation::Silent)));
    scene.wait(TIMES.attempt);
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn error_names_the_last_server_if_all_are_silent() {
    let conf = ResolvConf { attempts: Some(1), ..two_servers() };
    let mut scene = Scene::new("a.test", &conf);
    scene.wait(TIMES.attempt);
    scene.wait(TIMES.attempt);
    scene.expect_error("no answer from 192.0.2.2:53 (2 servers, 2 attempts)", None);
    let conf = ResolvConf { timeout: Some(Duration::from_secs(30)), ..two_servers() };
    let mut scene = Scene::new("a.test", &conf);
    assert_eq!(scene.wait(TIMES.total / 2), 2, "the time is shared among the servers");
    assert_eq!(scene.query(A).server, server(2));
    let conf = ResolvConf { timeout: Some(Duration::from_secs(30)), ..one_server() };
    let mut scene = Scene::new("a.test", &conf);
    scene.wait(TIMES.total - Duration::from_millis(1));
    assert!(scene.found.is_empty());
    scene.wait(Duration::from_millis(1));
    scene.expect_error("no answer from 192.0.2.1:53 (1 server, 1 attempt)", None);
}

#[test]
fn few_servers_get_more_attempts() {
    for (conf, text) in [
        (one_server(), "no answer from 192.0.2.1:53 (1 server, 4 attempts)"),
        (two_servers(), "no answer from 192.0.2.2:53 (2 servers, 4 attempts)"),
    ] {
        let mut scene = Scene::new("a.test", &conf);
        for _ in 0..4 {
            scene.wait(TIMES.attempt);
        }
        scene.expect_error(text, None);
    }
    let conf = ResolvConf { timeout: Some(Duration::from_secs(3)), ..one_server() };
    let mut scene = Scene::new("a.test", &conf);
    assert_eq!(scene.wait(Duration::from_secs(3)), 2);
    assert_eq!(scene.wait(Duration::from_secs(3)), 0, "no time is left for a third attempt");
    scene.expect_error("no answer from 192.0.2.1:53 (1 server, 2 attempts)", None);
}

#[test]
fn failed_server_is_not_retried_and_the_next_is_queried_at_once() {
    let mut scene = Scene::new("a.test", &two_servers());
    scene.answer(AAAA, nothing);
    assert_eq!(scene.answer(A, |w| w.code(REFUSED)), 1);
    assert_eq!(scene.query(A).server, server(2));
    assert_eq!(scene.fail(A, io::ErrorKind::ConnectionRefused), 0);
    scene.expect_error(
        "192.0.2.2:53 cannot be queried: connection refused (2 servers, 2 attempts)",
        None,
    );
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, |w| w.code(REFUSED));
    scene.expect_error("192.0.2.1:53 says REFUSED (1 server, 1 attempt)", None);
}

#[test]
fn failed_record_type_is_ignored_if_the_other_has_addresses() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.answer(AAAA, |w| w.code(REFUSED));
    // Half an answer is kept for 30 s: the origin may be reachable only at an address of the other
    // type.
    scene.expect_done(&["192.0.2.9"], Some(30));
}

#[test]
fn truncated_response_is_retried_over_tcp() {
    let cut = |mut w: Written| {
        w.flags |= 0x0200;
        w
    };
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    assert_eq!(scene.answer(A, cut), 1);
    assert_eq!((scene.query(A).server, scene.query(A).over), (server(1), DnsTransport::Tcp));
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));

    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    scene.answer(A, cut);
    scene.fail(A, io::ErrorKind::ConnectionRefused);
    let text = "192.0.2.1:53 truncates its answer, and over TCP: connection refused \
                (1 server, 2 attempts)";
    scene.expect_error(text, None);
}

#[test]
fn use_tcp_option_queries_over_tcp_from_the_start() {
    let scene = Scene::new("a.test", &ResolvConf { use_tcp: true, ..one_server() });
    assert_eq!(
        (scene.query(A).over, scene.query(AAAA).over),
        (DnsTransport::Tcp, DnsTransport::Tcp)
    );
}

#[test]
fn alias_is_followed_over_several_responses() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    assert_eq!(scene.answer(A, |w| w.answers(&["a.test 20 CNAME b.test"])), 1);
    assert_eq!(question_of(&scene.query(A).message).0, "b.test");
    scene.answer(A, |w| w.answers(&["b.test 60 A 192.0.2.9", "a.test 60 A 203.0.113.6"]));
    scene.expect_done(&["192.0.2.9"], Some(20));

    let mut scene = Scene::new("n0.test", &one_server());
    scene.answer(AAAA, nothing);
    for i in 0..16 {
        let line = format!("n{i}.test 20 CNAME n{}.test", i + 1);
        assert_eq!(scene.answer(A, |w| w.answers(&[&line])), 1, "{i}");
    }
    scene.answer(A, |w| w.answers(&["n16.test 20 CNAME n17.test"]));
    let text = "192.0.2.1:53 has CNAME records in a loop, or too many (1 server, 17 attempts)";
    scene.expect_error(text, None);
}

#[test]
fn name_is_looked_up_in_the_search_domains() {
    let conf = ResolvConf::read("nameserver 192.0.2.1\nsearch x.test y.test");
    let mut scene = Scene::new("h", &conf);
    let asked = |scene: &Scene| question_of(&scene.query(A).message).0;
    assert_eq!(asked(&scene), "h.x.test");
    assert_eq!(scene.answer(A, |w| nothing(w).code(NXDOMAIN)), 2);
    assert_eq!(asked(&scene), "h.y.test");
    scene.answer(A, nothing);
    assert_eq!(scene.answer(AAAA, nothing), 2);
    assert_eq!(asked(&scene), "h");
    scene.answer(A, |w| w.code(NXDOMAIN).authority(&["h 5 SOA 5"]));
    scene.expect_error("no address", Some(5));

    let mut scene = Scene::new("h", &conf);
    scene.answer(A, |w| w.code(REFUSED));
    scene.answer(AAAA, |w| w.code(REFUSED));
    assert_eq!(asked(&scene), "h.x.test", "a failed server does not end the search");
    scene.expect_error("192.0.2.1:53 says REFUSED (1 server, 1 attempt)", None);

    let mut scene = Scene::new("h.", &conf);
    assert_eq!(asked(&scene), "h");
    scene.answer(A, |w| w.code(NXDOMAIN));
    scene.expect_error("no such name", None);
}

#[test]
fn lack_of_descriptors_only_delays() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    let place = scene.place_of(A);
    for _ in 0..50 {
        scene.lookup.postpone(place, scene.now);
        assert_eq!(scene.step(), 0);
        let until = scene.lookup.next_deadline().unwrap();
        assert!(until > scene.now);
        assert_eq!(scene.wait(until - scene.now), 1);
    }
    scene.answer(A, |w| w.answers(&["a.test 60 A 192.0.2.9"]));
    scene.expect_done(&["192.0.2.9"], Some(60));
}

#[test]
fn query_without_a_descriptor_is_not_counted_as_an_attempt() {
    let mut scene = Scene::new("a.test", &one_server());
    scene.answer(AAAA, nothing);
    for _ in 0..3 {
        scene.lookup.postpone(scene.place_of(A), scene.now);
        assert_eq!(scene.wait(Duration::from_millis(50)), 1);
    }
    scene.answer(A, |w| w.code(REFUSED));
    scene.expect_error("192.0.2.1:53 says REFUSED (1 server, 1 attempt)", None);
}

#[test]
fn invalid_name_is_not_queried() {
    for name in ["", "a b", "a..b", "\u{e4}.test", "a/b"] {
        let lookup = Lookup::new(name, &one_server(), &[Server::new(server(1))], TIMES);
        assert_eq!(lookup.unwrap_err(), NameError::NotAName, "{name}");
    }
}

#[test]
fn lookup_without_servers_fails_at_once() {
    let scene = Scene::new("a.test", &ResolvConf { servers: Vec::new(), ..one_server() });
    scene.expect_error("no server was queried in time (0 servers, 0 attempts)", None);
}
