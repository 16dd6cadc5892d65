use std::io::IoSlice;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use crate::auth::Job;
use crate::proxy::{Hasher, NoLog, Resolver, Settings, Surroundings, Worker};
use crate::reactor::sim::{Faults, Network};
use crate::reactor::{App, Event, Io};

use super::super::control::MAX_LINE;
use super::*;

/// An operator who says something and hears the answer.
#[derive(Debug, Default)]
struct Asker {
    io: Option<Io>,
    unsaid: Vec<u8>,
    heard: Vec<u8>,
    ended: bool,
}

impl Active for Asker {
    const KIND: u8 = 0;
}

impl App for Asker {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        let Some(io) = self.io else { return };
        if reactor.connected(io).is_pending() {
            return;
        }
        while !self.unsaid.is_empty() {
            match reactor.send(io, &[IoSlice::new(&self.unsaid)]) {
                Poll::Ready(sent) => drop(self.unsaid.drain(..sent.unwrap())),
                Poll::Pending => break,
            }
        }
        while !self.ended {
            self.heard.reserve(1000);
            match reactor.recv(io, &mut self.heard) {
                Poll::Ready(n) => self.ended = n.unwrap() == 0,
                Poll::Pending => break,
            }
        }
    }
}

#[derive(Debug)]
struct Nobody;

impl Resolver for Nobody {
    fn ask(&mut self, _: &str, _: Option<IpAddr>) {}
}

impl Hasher for Nobody {
    fn ask(&mut self, _: Job) -> bool {
        false
    }
}

/// What a proxy answers, on a bad day.
fn answer(seed: u64, metrics: bool, question: &[u8]) -> String {
    answer_within(seed, metrics, question, |_, _| {})
}

/// The same, within a program that does something after each turn.
fn answer_within(
    seed: u64,
    metrics: bool,
    question: &[u8],
    mut program: impl FnMut(&mut Worker, &mut Reactor<Mail>),
) -> String {
    let network = Network::new(seed);
    let here = [127, 0, 0, 1].into();
    let mut reactor: Reactor<Mail> = network.reactor(here, Faults::SOME);
    let mut asking: Reactor<()> = network.reactor(here, Faults::SOME);
    let surroundings = Surroundings {
        resolver: Some(Box::new(Nobody)),
        hasher: Box::new(Nobody),
        interfaces: Box::new(vec![here]),
        log: Box::new(NoLog),
        secret: [1, 2],
    };
    let mut worker = Worker::new(Settings::forward("gate"), surroundings, 10);
    let (path, token) = (Path::new("/control"), Arena::new().insert(Asker::default()).token());
    let address = SocketAddr::new(here, 9100);
    worker.listen_to_operators(&mut reactor, path).unwrap();
    worker.serve_figures(&mut reactor, address).unwrap();
    let io = match metrics {
        true => asking.connect(address, token),
        false => asking.connect_local(path, token),
    };
    let mut asker = Asker { io: Some(io.unwrap()), unsaid: question.to_vec(), ..Asker::default() };
    for _ in 0..20_000 {
        reactor.turn(&mut worker, Some(Duration::ZERO)).unwrap();
        program(&mut worker, &mut reactor);
        asking.turn(&mut asker, Some(Duration::ZERO)).unwrap();
        if asker.ended {
            asking.close(io_of(&asker));
            return String::from_utf8(asker.heard).unwrap();
        }
        network.advance(Duration::from_millis(1));
    }
    panic!("no answer to {question:?}, with seed {seed}");
}

fn io_of(asker: &Asker) -> Io {
    asker.io.unwrap()
}

#[test]
fn a_line_is_answered_and_the_connection_closed() {
    for seed in 0..20 {
        let ask = |line: &str| answer(seed, false, line.as_bytes());
        assert_eq!(ask("purge hard all \n"), "ok\npurged 0\n");
        assert_eq!(ask("purge soft tag a b\n"), "ok\npurged 0\n");
        assert!(ask("stats text\n").starts_with("ok\nrequests_total hit"));
        assert!(ask("stats json\nand more").starts_with("ok\n{\"requests_total\":{\"hit\":0"));
        assert_eq!(ask("nonsense\n"), "error this is no command that is known here\n");
        assert!(ask("purge hard url /a\n").starts_with("error '/a' does not begin with http"));
        assert_eq!(ask(&"x".repeat(MAX_LINE + 1)), "error the line is too long\n");
    }
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    assert_eq!(answer(1, false, b"stats"), "");
    assert_eq!(answer(1, true, b"GET /metrics HTTP/1.1\r\n"), "");
}

#[test]
fn reloads_are_for_the_program_around_the_proxy() {
    for seed in 0..20 {
        let ask = |line: &[u8], program: fn(&mut Worker, &mut Reactor<Mail>)| {
            answer_within(seed, false, line, program)
        };
        let without = ask(b"reload now\n", |_, _| {});
        assert_eq!(without, "error a reload is not supported here\n");
        let done: fn(&mut Worker, &mut Reactor<Mail>) = |worker, reactor| {
            worker.offer_reloads();
            while let Some(request) = worker.take_reload() {
                let answer = if request.plan { Ok("a\nb".into()) } else { Err("c\nd".into()) };
                worker.answer_reload(&request, answer, reactor);
            }
        };
        assert_eq!(ask(b"reload plan\n", done), "ok\na\nb\n");
        assert_eq!(ask(b"reload now\n", done), "error c\nd\n");
        let ignored = ask(b"reload now\n", |worker, _| worker.offer_reloads());
        assert_eq!(ignored, "error it takes too long; it may still be done\n");
    }
}

#[test]
fn figures_are_served_at_their_path_only() {
    for seed in 0..20 {
        let ask = |line: &str| {
            answer(seed, true, format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
        };
        let figures = ask("GET /metrics");
        assert!(figures.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
        assert!(figures.contains("\r\n\r\n# HELP tidegate_requests_total "), "{figures}");
        assert!(ask("HEAD /metrics").ends_with("Connection: close\r\n\r\n"));
        assert!(ask("GET /").starts_with("HTTP/1.1 404 "));
        assert!(ask("GET http://h.test/").starts_with("HTTP/1.1 404 "));
        assert!(ask("POST /metrics").starts_with("HTTP/1.1 405 "));
        assert!(ask("nonsense").starts_with("HTTP/1.1 400 "));
    }
}
