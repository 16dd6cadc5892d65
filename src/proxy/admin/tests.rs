use std::io::IoSlice;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use crate::auth::VerifyJob;
use crate::proxy::{
    Environment, NameResolver, NoLog, PasswordVerifier, ReclaimAtOnce, Settings, Worker,
};
use crate::reactor::sim::{Faults, Network};
use crate::reactor::{App, Driven, Event, SocketId};

use super::control::MAX_LINE;
use super::*;

/// An operator's program: sends a request and reads the answer.
#[derive(Debug, Default)]
struct Asker {
    io: Option<SocketId>,
    unsaid: Vec<u8>,
    heard: Vec<u8>,
    ended: bool,
    /// True if the program does not read.
    deaf: bool,
}

impl Driven for Asker {
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
        while !self.ended && !self.deaf {
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

impl NameResolver for Nobody {
    fn ask(&mut self, _: &str, _: Option<IpAddr>) {}
}

impl PasswordVerifier for Nobody {
    fn ask(&mut self, _: VerifyJob, _: usize) -> bool {
        false
    }
}

/// A proxy on a network, and a host from which operators connect.
struct Bench {
    network: Network,
    reactor: Reactor<Mail>,
    worker: Worker,
    asking: Reactor<()>,
    /// Connections of operators that do not read, and send nothing more.
    stalled: Vec<SocketId>,
}

const CONTROL: &str = "/control";
const METRICS: u16 = 9100;

impl Bench {
    fn new(seed: u64, faults: &Faults) -> Self {
        let network = Network::new(seed);
        let here = [127, 0, 0, 1].into();
        let mut reactor: Reactor<Mail> = network.reactor(here, faults.clone());
        let surroundings = Environment {
            resolver: Some(Box::new(Nobody)),
            verifier: Box::new(Nobody),
            jobs: Box::new(crate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![here]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(Settings::forward("gate"), surroundings, 10);
        worker.listen_control(&mut reactor, Path::new(CONTROL)).unwrap();
        worker.listen_metrics(&mut reactor, SocketAddr::new(here, METRICS)).unwrap();
        let asking = network.reactor(here, faults.clone());
        Self { network, reactor, worker, asking, stalled: Vec::new() }
    }

    fn connect(&mut self, metrics: bool) -> SocketId {
        let token = Arena::new().insert(Asker::default()).token();
        let io = match metrics {
            true => self.asking.connect(([127, 0, 0, 1], METRICS).into(), token),
            false => self.asking.connect_local(Path::new(CONTROL), token),
        };
        io.unwrap()
    }

    /// Sends a request while `program` runs after each turn of the proxy; returns the answer, and
    /// the time it took.
    fn answer(
        &mut self,
        metrics: bool,
        question: &[u8],
        mut program: impl FnMut(&mut Worker, &mut Reactor<Mail>),
    ) -> (String, Duration) {
        let io = self.connect(metrics);
        let mut asker = Asker { io: Some(io), unsaid: question.to_vec(), ..Asker::default() };
        let began = self.asking.now().mono;
        for _ in 0..20_000 {
            self.reactor.turn(&mut self.worker, Some(Duration::ZERO)).unwrap();
            program(&mut self.worker, &mut self.reactor);
            self.asking.turn(&mut asker, Some(Duration::ZERO)).unwrap();
            if asker.ended {
                self.asking.close(io);
                let took = self.asking.now().mono - began;
                return (String::from_utf8(asker.heard).unwrap(), took);
            }
            self.network.advance(Duration::from_millis(1));
        }
        panic!("no answer to {question:?}");
    }

    /// Has an operator send `question`, and do nothing more.
    fn stall(&mut self, metrics: bool, question: &[u8]) {
        let io = self.connect(metrics);
        let mut asker =
            Asker { io: Some(io), unsaid: question.to_vec(), deaf: true, ..Asker::default() };
        for _ in 0..5 {
            self.reactor.turn(&mut self.worker, Some(Duration::ZERO)).unwrap();
            self.asking.turn(&mut asker, Some(Duration::ZERO)).unwrap();
        }
        self.stalled.push(io);
    }
}

/// Returns the answer to a request on a network with faults.
fn answer(seed: u64, metrics: bool, question: &[u8]) -> String {
    answer_within(seed, metrics, question, |_, _| {})
}

/// Returns the same, while `program` runs after each turn of the proxy.
fn answer_within(
    seed: u64,
    metrics: bool,
    question: &[u8],
    program: impl FnMut(&mut Worker, &mut Reactor<Mail>),
) -> String {
    Bench::new(seed, &Faults::SOME).answer(metrics, question, program).0
}

const SOON: Duration = Duration::from_millis(100);

#[test]
fn stalled_operators_do_not_block_new_ones() {
    for metrics in [true, false] {
        let question: &[u8] =
            if metrics { b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" } else { b"stats text\n" };
        for stalled in [b"".as_slice(), &question[..3], question] {
            let mut bench = Bench::new(0, &Faults::NONE);
            (0..40).for_each(|_| bench.stall(metrics, stalled));
            let (answer, took) = bench.answer(metrics, question, |_, _| {});
            assert!(answer.contains("requests_total"), "{answer}");
            assert!(took <= SOON, "answered after {took:?}");
        }
    }
}

#[test]
fn operators_waiting_for_reloads_leave_places_for_metrics() {
    let mut bench = Bench::new(0, &Faults::NONE);
    bench.worker.offer_reloads();
    (0..MAX_SERVED).for_each(|_| bench.stall(false, b"reload now\n"));
    let (answer, _) = bench.answer(false, b"reload now\n", |_, _| {});
    assert_eq!(answer, "error too many operators are being served; try again later\n");
    let (answer, took) = bench.answer(false, b"stats text\n", |_, _| {});
    assert!(answer.starts_with("ok\n") && took <= SOON, "{answer} after {took:?}");
    let mut asked = 0;
    while bench.worker.take_reload().is_some() {
        asked += 1;
    }
    assert_eq!(asked, MAX_SERVED, "operators that are served keep their places");
}

#[test]
fn control_line_is_answered_and_connection_closed() {
    for seed in 0..20 {
        let ask = |line: &str| answer(seed, false, line.as_bytes());
        assert_eq!(ask("purge hard all \n"), "ok\npurged 0\n");
        assert_eq!(ask("purge soft tag a b\n"), "ok\npurged 0\n");
        assert!(ask("stats text\n").starts_with("ok\nrequests_total hit"));
        assert!(ask("stats json\nand more").starts_with("ok\n{\"requests_total\":{\"hit\":0"));
        assert_eq!(ask("nonsense\n"), "error unknown command 'nonsense'\n");
        assert!(ask("purge hard url /a\n").starts_with("error '/a' does not begin with http"));
        let too_long = ask(&"x".repeat(MAX_LINE + 1));
        assert_eq!(too_long, "error the request line is longer than 16384 bytes\n");
    }
}

#[test]
fn incomplete_request_times_out() {
    assert_eq!(answer(1, false, b"stats"), "");
    assert_eq!(answer(1, true, b"GET /metrics HTTP/1.1\r\n"), "");
}

#[test]
fn embedder_answers_reload_requests() {
    for seed in 0..20 {
        let ask = |line: &[u8], program: fn(&mut Worker, &mut Reactor<Mail>)| {
            answer_within(seed, false, line, program)
        };
        let without = ask(b"reload now\n", |_, _| {});
        assert_eq!(without, "error reloads are not supported by this program\n");
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
        assert_eq!(ignored, "error the request takes too long; it may still be carried out\n");
    }
}

#[test]
fn embedder_answers_requests_for_upgrades() {
    for seed in 0..20 {
        let ask = |program: fn(&mut Worker, &mut Reactor<Mail>)| {
            answer_within(seed, false, b"upgrade\n", program)
        };
        assert!(ask(|_, _| {}).starts_with("error this proxy has no supervisor"));
        let done: fn(&mut Worker, &mut Reactor<Mail>) = |worker, reactor| {
            worker.offer_upgrades();
            while let Some(request) = worker.take_upgrade() {
                worker.answer_upgrade(&request, Ok("worker 2 serves".into()), reactor);
            }
        };
        assert_eq!(ask(done), "ok\nworker 2 serves\n");
    }
}

#[test]
fn only_a_proxy_that_drains_leaves_its_sockets() {
    for seed in 0..20 {
        let ask = |program: fn(&mut Worker, &mut Reactor<Mail>)| {
            answer_within(seed, false, b"yield\n", program)
        };
        assert_eq!(ask(|_, _| {}), "error the proxy is running\n");
        let drains: fn(&mut Worker, &mut Reactor<Mail>) =
            |worker, reactor| worker.command(crate::proxy::Command::Drain, reactor);
        assert_eq!(ask(drains), "ok\nthe sockets are free\n");
    }
}

#[test]
fn metrics_are_served_at_their_path_only() {
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
