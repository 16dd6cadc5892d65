//! A proxy with a hook, its origin and its clients on a simulated network, in virtual time.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tidegate::auth::VerifyJob;
use tidegate::proxy::{
    Action, Environment, Finished, Hook, LogFormat, LogSink, Mail, PasswordVerifier, ReclaimAtOnce,
    RequestEdit, Service, Settings, Sites, Worker,
};
use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::reactor::{Mailbox, Reactor};

use crate::peers::{End, Peers};

const PROXY: &str = "203.0.113.1:3128";
const OUTSIDE: &str = "198.51.100.1";
pub(crate) const ORIGIN: &str = "198.51.100.1:80";
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A hook that acts as a test says, and reports each finished exchange as a line of words.
#[derive(Debug)]
struct Reporting {
    act: fn(&mut RequestEdit<'_>) -> Action,
    asked: Sender<String>,
    finished: Sender<String>,
}

impl Hook for Reporting {
    fn on_request(&mut self, request: &mut RequestEdit<'_>) -> Action {
        let head = request.head();
        let fields: Vec<String> = head.fields().iter().map(|field| format!("{field:?}")).collect();
        let user = request.user().unwrap_or("-");
        let line = format!(
            "{} {} ({}) from {} via {} to {} as {user}",
            head.method_name(),
            head.target(),
            fields.join(", "),
            request.client(),
            request.peer().ip(),
            request.listener(),
        );
        self.asked.send(line).unwrap();
        (self.act)(request)
    }

    fn on_finish(&mut self, finished: &Finished<'_>) {
        let status = finished.status().map_or(0, |status| status.code());
        let line = format!(
            "{} {} {status} {} {} bytes to {} as {} in {} s",
            finished.method().unwrap_or("-"),
            finished.url().unwrap_or("-"),
            finished.outcome().name(),
            finished.sent(),
            finished.client(),
            finished.user().unwrap_or("-"),
            finished.duration().as_secs(),
        );
        self.finished.send(line).unwrap();
    }
}

/// A log whose lines the test reads.
#[derive(Debug)]
struct Lines(Sender<String>);

impl LogSink for Lines {
    fn write(&mut self, lines: &mut String) {
        self.0.send(std::mem::take(lines)).unwrap();
    }

    fn lost(&self) -> u64 {
        0
    }

    fn reopen(&mut self) {}
}

/// Verifies passwords at once.
#[derive(Debug)]
struct Verifying(Mailbox<Mail>);

impl PasswordVerifier for Verifying {
    fn ask(&mut self, job: VerifyJob, _: usize) -> bool {
        self.0.send(Mail::Verified(job.run())).is_ok()
    }
}

/// Number of a client.
#[derive(Clone, Copy)]
pub(crate) struct Client(usize);

pub(crate) struct Stage {
    network: Network,
    proxy: Reactor<Mail>,
    pub(crate) worker: Worker,
    outside: Reactor<()>,
    peers: Peers,
    asked: Receiver<String>,
    finished: Receiver<String>,
    log: Receiver<String>,
}

impl Stage {
    /// A reverse proxy whose hook acts so.
    pub(crate) fn new(act: fn(&mut RequestEdit<'_>) -> Action) -> Self {
        Self::with(|_| {}, act)
    }

    /// A reverse proxy with changed settings.
    pub(crate) fn with(
        change: impl FnOnce(&mut Settings),
        act: fn(&mut RequestEdit<'_>) -> Action,
    ) -> Self {
        let network = Network::new(0);
        let mut proxy: Reactor<Mail> = network.reactor(address(PROXY).ip(), Faults::NONE);
        let mut outside = network.reactor(OUTSIDE.parse().unwrap(), Faults::NONE);
        let mut settings = Settings::forward("gate");
        settings.service =
            Service::reverse(Sites::of_origin(format!("http://{ORIGIN}").parse().unwrap()));
        settings.log = Some(LogFormat::Json);
        change(&mut settings);
        let (lines, log) = channel();
        let environment = Environment {
            resolver: None,
            verifier: Box::new(Verifying(proxy.mailbox())),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(Vec::new()),
            log: Box::new(Lines(lines)),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, environment, 100);
        worker.listen(&mut proxy, address(PROXY)).unwrap();
        let (to_asked, asked) = channel();
        let (to_finished, finished) = channel();
        worker.set_hook(Box::new(Reporting { act, asked: to_asked, finished: to_finished }));
        let peers = Peers::new(&mut outside, address(ORIGIN));
        Self { network, proxy, worker, outside, peers, asked, finished, log }
    }

    /// Turns both reactors until nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut metered = Metered::new(&mut self.worker);
            let here = self.proxy.turn(&mut metered, NOW).unwrap();
            metered.end();
            self.worker.check();
            let there = self.outside.turn(&mut self.peers, NOW).unwrap();
            if here.is_idle() && there.is_idle() {
                match self.network.next_arrival() {
                    Some(at) => self.network.clock().advance_to(at),
                    None => return,
                }
            }
        }
        panic!("the proxy and its peers keep each other busy");
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.network.advance(time);
        self.settle();
    }

    /// Has the origin read no requests, or read them again.
    pub(crate) fn pause_origin(&mut self, pauses: bool) {
        self.peers.pause(pauses, &mut self.outside);
        self.settle();
    }

    pub(crate) fn connect(&mut self) -> Client {
        let client = self.peers.connect(&mut self.outside, address(PROXY));
        self.settle();
        Client(client)
    }

    pub(crate) fn send(&mut self, client: Client, text: &str) {
        self.peers.clients[client.0].send(text, &mut self.outside);
        self.settle();
    }

    /// Returns the bytes that a client has received since it was asked last.
    pub(crate) fn received(&mut self, client: Client) -> String {
        self.peers.clients[client.0].take_received()
    }

    /// Returns the end of a client's connection, if the proxy has ended it.
    pub(crate) fn end(&self, client: Client) -> Option<End> {
        self.peers.clients[client.0].end
    }

    /// Returns the response to a new client's GET request with these field lines.
    pub(crate) fn get(&mut self, target: &str, fields: &str) -> String {
        let client = self.connect();
        self.send(client, &format!("GET {target} HTTP/1.1\r\nHost: h.example\r\n{fields}\r\n"));
        self.received(client)
    }

    /// Returns the heads that the origin has received since it was asked last.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        std::mem::take(&mut self.peers.requests)
    }

    /// Returns the requests that the hook was asked about since then.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }

    /// Returns the exchanges that the hook saw finish since then.
    pub(crate) fn finished(&self) -> Vec<String> {
        self.finished.try_iter().collect()
    }

    /// Returns the log lines since then.
    pub(crate) fn log(&self) -> Vec<String> {
        let lines = self.log.try_iter().collect::<String>();
        lines.lines().map(str::to_owned).collect()
    }

    /// Explains a request to the end.
    pub(crate) fn explain(&mut self, query: &str) -> String {
        self.worker.explain(query.parse().unwrap(), &mut self.proxy);
        self.settle();
        self.worker.take_explanation().unwrap().text
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Returns the value of a field of a response, if it has one line of the name.
pub(crate) fn field<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().unwrap();
    let mut values = head.lines().filter_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    });
    values.next().filter(|_| values.next().is_none())
}

/// Returns the content of a response.
pub(crate) fn content(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, content)| content)
}
