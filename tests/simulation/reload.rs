//! A reload of many users and rules: the loop only swaps what was read elsewhere.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use tidegate::access::{RuleSet, read_rules};
use tidegate::auth::{self, Job, PathPrefix, Side, Users};
use tidegate::proxy::{
    AuthRules, Command, Hasher, Mail, NoLog, ProtectionSpace, Reclaimer, Settings, Surroundings,
    Worker,
};
use tidegate::reactor::Reactor;
use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::work;

const USERS: usize = 200_000;
const GROUPS: usize = 20_000;
/// Steps of a reload, whatever its size.
const MOST: u64 = 1_000;

#[derive(Debug)]
struct Nobody;

impl Hasher for Nobody {
    fn ask(&mut self, _: Job) -> bool {
        false
    }
}

/// Frees on a thread, and tells the steps that this has taken there.
#[derive(Debug)]
struct Counting(Sender<u64>);

impl Reclaimer for Counting {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        let told = self.0.clone();
        thread::spawn(move || {
            drop(garbage);
            told.send(work::counted()).unwrap();
        });
    }
}

/// Settings with many users, each with the password hash `digit`, and many rules.
fn settings(digit: char) -> Arc<Settings> {
    let hash = digit.to_string().repeat(32);
    let lines: String = (0..USERS).map(|number| format!("user{number}:sim:{hash}\n")).collect();
    let mut users = Users::default();
    users.read("users", lines.as_bytes()).unwrap();
    let rules = auth::Settings::new(Side::Proxy, "sim".parse().unwrap());
    let space = ProtectionSpace::new(PathPrefix::everything(), rules, users);
    let mut settings = Settings::forward("sim");
    settings.auth = Some(AuthRules { spaces: vec![space], ban: "20/1m".parse().unwrap() });
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

#[test]
fn reload_costs_the_same_however_many_users_and_rules_there_are() {
    let network = Network::new(0);
    let here: IpAddr = "203.0.113.1".parse().unwrap();
    let mut reactor: Reactor<Mail> = network.reactor(here, Faults::NONE);
    let (told, freed) = channel();
    let surroundings = Surroundings {
        resolver: None,
        hasher: Box::new(Nobody),
        reclaimer: Box::new(Counting(told)),
        addresses: Some(vec![here]),
        log: Box::new(NoLog),
        secret: [1, 2],
    };
    let mut worker = Worker::new(Settings::forward("sim"), surroundings, 10);
    let ban: Arc<Settings> = {
        let mut settings = Settings::clone(&settings('2'));
        settings.auth.as_mut().unwrap().ban = "off".parse().unwrap();
        settings.into()
    };
    for settings in [settings('1'), ban, Settings::forward("sim").into()] {
        reactor.mailbox().send(Mail::Command(Command::Reload(settings))).unwrap();
        let mut metered = Metered::new(&mut worker);
        let turn = reactor.turn(&mut metered, Some(Duration::ZERO)).unwrap();
        assert_eq!(turn.events, 1);
        let steps = metered.end();
        assert!(steps <= MOST, "a reload has taken {steps} steps");
    }
    drop(worker);
    let elsewhere: u64 = freed.iter().sum();
    let least = 2 * (USERS + GROUPS) * work::LOOK_UP;
    assert!(elsewhere >= least as u64, "{elsewhere} steps elsewhere, less than {least}");
}
