//! Reloads with many users and rules: the loop only swaps in settings that were read on another
//! thread.

use std::any::Any;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tidegate::access::{RuleSet, read_rules};
use tidegate::auth::{self, PathPrefix, Side, Users};
use tidegate::proxy::{
    AuthRules, Command, Environment, Mail, NoLog, ProtectionSpace, Reclaimer, Settings, Worker,
};
use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor};
use tidegate::work;

use crate::unused::Unused;

const USERS: usize = 200_000;
const GROUPS: usize = 20_000;
/// The maximum number of steps of a reload of any size.
const MOST: u64 = 1_000;

const PROXY: &str = "203.0.113.1";

struct Peer;

impl Driven for Peer {
    const KIND: u8 = 0;
}

impl App for Peer {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

/// A reclaimer that frees on a thread and reports the steps this took there.
#[derive(Debug)]
struct Counting(Sender<u64>);

impl Reclaimer for Counting {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        let told = self.0.clone();
        let freeing = thread::spawn(move || {
            drop(garbage);
            told.send(work::counted()).unwrap();
        });
        freeing.join().unwrap(); // ends before the loop drops anything itself
    }
}

/// Returns settings with many users, each with a password hash of `digit`s, and many rules.
fn settings(digit: char) -> Arc<Settings> {
    let hash = digit.to_string().repeat(32);
    let lines: String = (0..USERS).map(|number| format!("user{number}:sim:{hash}\n")).collect();
    let mut users = Users::default();
    users.read("users", lines.as_bytes()).unwrap();
    let rules = auth::AuthSettings::new(Side::Proxy, "sim".parse().unwrap());
    let space = ProtectionSpace::new(PathPrefix::everything(), rules, users);
    let mut settings = Settings::forward("sim");
    settings.service.auth = Some(AuthRules { spaces: vec![space], ban: "20/1m".parse().unwrap() });
    settings.destinations.egress = Arc::new(rules_for_many_users());
    Arc::new(settings)
}

fn rules_for_many_users() -> RuleSet {
    let text: String =
        (0..GROUPS).map(|number| format!("allow a{number}.test user=user{number}\n")).collect();
    let mut rules = RuleSet::default();
    let mut file = |_: &str| Ok(text.clone().into_bytes());
    read_rules(&mut rules, &["@rules".parse().unwrap()], &mut file).unwrap();
    rules
}

/// A proxy without users or rules, and the reports of steps taken by freeing elsewhere.
struct Bench {
    network: Network,
    reactor: Reactor<Mail>,
    worker: Worker,
    freed: Receiver<u64>,
}

impl Bench {
    fn new() -> Self {
        let network = Network::new(0);
        let here: IpAddr = PROXY.parse().unwrap();
        let reactor: Reactor<Mail> = network.reactor(here, Faults::NONE);
        let (told, freed) = channel();
        let surroundings = Environment {
            resolver: Some(Box::new(Unused)),
            verifier: Box::new(Unused),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(Counting(told)),
            addresses: Some(vec![here]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let worker = Worker::new(Settings::forward("sim"), surroundings, 10);
        Self { network, reactor, worker, freed }
    }

    /// Runs a turn; returns its steps.
    fn turn(&mut self) -> u64 {
        let mut metered = Metered::new(&mut self.worker);
        self.reactor.turn(&mut metered, Some(Duration::ZERO)).unwrap();
        metered.end()
    }

    fn reload(&mut self, settings: Arc<Settings>) {
        self.reactor.mailbox().send(Mail::Command(Command::Reload(settings))).unwrap();
        let steps = self.turn();
        assert!(steps <= MOST, "a reload has taken {steps} steps");
    }
}

#[test]
fn reload_cost_is_independent_of_the_number_of_users_and_rules() {
    let mut bench = Bench::new();
    let without_ban = {
        let mut settings = Settings::clone(&settings('2'));
        settings.service.auth.as_mut().unwrap().ban = "off".parse().unwrap();
        settings.into()
    };
    for settings in [settings('1'), without_ban, Settings::forward("sim").into()] {
        bench.reload(settings);
        bench.turn();
    }
    drop(bench.worker);
    let elsewhere: u64 = bench.freed.iter().sum();
    let least = 2 * (USERS + GROUPS) * work::LOOK_UP;
    assert!(elsewhere >= least as u64, "{elsewhere} steps elsewhere, less than {least}");
}

#[test]
fn rules_held_by_an_exchange_are_freed_on_another_thread() {
    let mut bench = Bench::new();
    let listener = bench
        .worker
        .listen(&mut bench.reactor, SocketAddr::new(PROXY.parse().unwrap(), 3128))
        .unwrap();
    let mut settings = Settings::forward("sim");
    settings.service.clients = vec!["203.0.113.2".parse().unwrap()];
    settings.destinations.egress = Arc::new(rules_for_many_users());
    bench.reload(settings.into());
    let mut client: Reactor<()> =
        bench.network.reactor("203.0.113.2".parse().unwrap(), Faults::NONE);
    let io = client.connect(listener, Arena::new().insert(Peer).token()).unwrap();
    client.turn(&mut Peer, Some(Duration::ZERO)).unwrap();
    bench.turn();
    client.turn(&mut Peer, Some(Duration::ZERO)).unwrap();
    let request = b"GET http://slow.test/ HTTP/1.1\r\nHost: slow.test\r\n\r\n";
    assert!(client.send(io, &[IoSlice::new(request)]).is_ready());
    bench.turn();
    assert!(!bench.worker.is_empty(), "no exchange waits for an address");
    bench.reload(Settings::forward("sim").into());
    client.reset(io);
    let mut most = 0;
    for _ in 0..10 {
        client.turn(&mut Peer, Some(Duration::ZERO)).unwrap();
        most = most.max(bench.turn());
        bench.network.advance(Duration::from_secs(5));
    }
    assert!(bench.worker.is_empty());
    assert!(most < 100_000, "the end of the exchange has taken {most} steps");
    drop(bench.worker);
    let elsewhere: u64 = bench.freed.iter().sum();
    assert!(elsewhere >= (GROUPS * work::LOOK_UP) as u64, "{elsewhere} steps elsewhere");
}
