//! Forbidden destinations: a proxy in a simulated network connects to none of them.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::time::Duration;

use tidegate::access::{Cidr, Host, RuleSet, read_rules};
use tidegate::proxy::{
    Command, Environment, Mail, NameResolver, NoLog, ReclaimAtOnce, Settings, Worker,
};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Mailbox, Reactor, SocketId, Token};

use crate::unused::Unused;

#[path = "../docs/spellings.rs"]
mod spellings;

use spellings::{FORBIDDEN, PASSED_ON};

pub(crate) const PROXY: &str = "93.184.216.40";
pub(crate) const CLIENT: &str = "93.184.216.41";
const PORT: u16 = 3128;
const METRICS: u16 = 9100;

/// A resolver that answers from a table and reports the names it was asked.
#[derive(Debug)]
struct Table {
    mailbox: Mailbox<Mail>,
    asked: Sender<String>,
    names: HashMap<String, IpAddr>,
}

impl NameResolver for Table {
    fn ask(&mut self, name: &str, _: Option<IpAddr>) {
        self.asked.send(name.to_owned()).unwrap();
        let known = self.names.get(name).map(|&address| vec![address]);
        let answer = known.ok_or_else(|| io::Error::other("no such name"));
        self.mailbox.send(Mail::Resolved(name.to_owned(), answer)).unwrap();
    }
}

/// A client that sends one request and reads the response.
#[derive(Debug, Default)]
struct Caller {
    io: Option<SocketId>,
    unsaid: Vec<u8>,
    heard: Vec<u8>,
    ended: bool,
}

impl Driven for Caller {
    const KIND: u8 = 0;
}

impl App for Caller {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        let Some(io) = self.io else { return };
        if reactor.connected(io).is_pending() {
            return;
        }
        while !self.unsaid.is_empty() {
            match reactor.send(io, &[IoSlice::new(&self.unsaid)]) {
                Poll::Ready(Ok(sent)) => drop(self.unsaid.drain(..sent)),
                _ => break,
            }
        }
        while !self.ended {
            self.heard.reserve(1000);
            match reactor.recv(io, &mut self.heard) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) => self.ended = true,
                Poll::Pending => break,
            }
        }
    }
}

/// A proxy in a network without other listeners.
pub(crate) struct Bench {
    network: Network,
    pub(crate) reactor: Reactor<Mail>,
    pub(crate) worker: Worker,
    asked: Receiver<String>,
}

impl Bench {
    pub(crate) fn new(listen: &str, rules: &[&str], names: HashMap<String, IpAddr>) -> Self {
        let network = Network::new(0);
        let here: IpAddr = PROXY.parse().unwrap();
        let mut reactor: Reactor<Mail> = network.reactor(here, Faults::NONE);
        let (sender, asked) = channel();
        let surroundings = Environment {
            resolver: Some(Box::new(Table { mailbox: reactor.mailbox(), asked: sender, names })),
            verifier: Box::new(Unused),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![here, "10.0.0.5".parse().unwrap()]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut settings = Settings::forward("gate");
        settings.service.clients = vec![CLIENT.parse().unwrap()];
        settings.destinations.rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let mut worker = Worker::new(settings, surroundings, 10);
        let listen: IpAddr = listen.parse().unwrap();
        worker.listen(&mut reactor, SocketAddr::new(listen, PORT)).unwrap();
        worker.listen_metrics(&mut reactor, SocketAddr::new(listen, METRICS)).unwrap();
        Self { network, reactor, worker, asked }
    }

    /// Applies changed settings.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(self.worker.settings());
        change(&mut settings);
        self.worker.command(Command::Reload(Arc::new(settings)), &mut self.reactor);
    }

    /// Returns the response of the proxy, after which it closes the connection.
    pub(crate) fn ask(&mut self, listen: &str, request: &[u8]) -> String {
        let mut outside: Reactor<()> = self.network.reactor(CLIENT.parse().unwrap(), Faults::NONE);
        let owner: Token = Arena::new().insert(Caller::default()).token();
        let to = SocketAddr::new(listen.parse().unwrap(), PORT);
        let io = outside.connect(to, owner).unwrap();
        let mut caller = Caller { io: Some(io), unsaid: request.to_vec(), ..Caller::default() };
        for _ in 0..2000 {
            self.reactor.turn(&mut self.worker, Some(Duration::ZERO)).unwrap();
            outside.turn(&mut caller, Some(Duration::ZERO)).unwrap();
            if caller.ended {
                outside.close(io);
                return String::from_utf8(caller.heard).unwrap();
            }
            self.network.advance(Duration::from_millis(10));
        }
        panic!("no answer to {:?}", String::from_utf8_lossy(request));
    }

    /// Requests a URL of `authority` and a tunnel to it; returns the responses.
    fn ask_both(&mut self, authority: &str, connect_port: &str) -> [String; 2] {
        let fields = "Host: h\r\nConnection: close\r\n\r\n";
        [
            format!("GET http://{authority}/ HTTP/1.1\r\n{fields}"),
            format!("CONNECT {authority}{connect_port} HTTP/1.1\r\n{fields}"),
        ]
        .map(|request| self.ask(PROXY, request.as_bytes()))
    }

    /// Returns the number of connections that the proxy has started.
    fn dialled(&self) -> u64 {
        self.network.connects(PROXY.parse().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn forbidden_spellings_are_neither_dialled_nor_looked_up() {
    assert!(FORBIDDEN.len() >= 90);
    let mut bench = Bench::new(PROXY, &[], HashMap::new());
    for spelling in FORBIDDEN {
        // A tunnel needs a port; a spelling that has one already is invalid with a second one, too.
        for answer in bench.ask_both(spelling, ":443") {
            assert!(matches!(status(&answer), "400" | "403"), "{spelling:?}: {answer}");
        }
        assert_eq!(bench.asked(), Vec::<String>::new(), "{spelling:?} was looked up");
        assert_eq!(bench.dialled(), 0, "{spelling:?} was dialled");
    }
}

#[test]
fn permitted_spellings_are_looked_up_or_dialled() {
    for spelling in PASSED_ON {
        let mut bench = Bench::new(PROXY, &[], HashMap::new());
        for answer in bench.ask_both(spelling, ":443") {
            assert_eq!(status(&answer), "502", "no listener: {spelling:?}: {answer}");
        }
        match Host::parse(spelling).unwrap() {
            Host::Name(name) => assert_eq!(bench.asked(), [name]),
            Host::Address(_) => assert_eq!(bench.dialled(), 2, "{spelling:?}"),
        }
    }
}

#[test]
fn names_resolving_to_forbidden_addresses_are_refused() {
    let addresses = FORBIDDEN.iter().filter_map(|spelling| match Host::parse(spelling) {
        Ok(Host::Address(address)) => Some(address),
        _ => None,
    });
    let names: HashMap<String, IpAddr> =
        addresses.enumerate().map(|(n, address)| (format!("n{n}.test"), address)).collect();
    assert!(names.len() >= 90);
    let mut bench = Bench::new(PROXY, &[], names.clone());
    for (name, address) in &names {
        for answer in bench.ask_both(name, ":443") {
            assert_eq!(status(&answer), "403", "{address}: {answer}");
            assert!(answer.contains("error=destination_ip_prohibited"), "{address}: {answer}");
            assert!(answer.contains(&format!("{name} resolves to {address}, ")), "{answer}");
        }
        assert!(bench.asked().contains(name));
        assert_eq!(bench.dialled(), 0, "{name} leads to {address}, which was dialled");
    }
}

#[test]
fn allowed_range_does_not_allow_embedded_addresses() {
    let rules = ["64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96"];
    let lifted: Vec<Cidr> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let mut bench = Bench::new(PROXY, &rules, HashMap::new());
    for spelling in FORBIDDEN {
        let Ok(Host::Address(address @ IpAddr::V6(_))) = Host::parse(spelling) else { continue };
        if lifted.iter().any(|range| range.contains(address)) && !spelling.contains("5db8") {
            for answer in bench.ask_both(spelling, ":443") {
                assert_eq!(status(&answer), "403", "{spelling}: {answer}");
            }
        }
    }
    assert_eq!(bench.dialled(), 0);
}

#[test]
fn deny_rules_cover_embedded_addresses_and_allow_rules_only_reachable_ones() {
    let names: HashMap<String, IpAddr> = [
        ("isatap.test", "2606:4700::5efe:5db8:d822"),
        ("nat64.test", "64:ff9b::5db8:d822"),
        ("6to4.test", "2002:5db8:d822::1"),
        ("plain.test", "93.184.216.34"),
    ]
    .map(|(name, address)| (name.to_owned(), address.parse().unwrap()))
    .into();
    let hosts = || {
        names.iter().flat_map(|(name, address)| {
            let literal =
                if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            [(name.clone(), name.clone()), (name.clone(), literal)]
        })
    };
    for (rules, default, passes) in [
        ("allow 93.184.216.0/24", "deny", ["nat64.test", "plain.test"].as_slice()),
        ("deny 93.184.216.0/24", "allow", &[]),
        ("deny class=global", "allow", &[]),
        ("allow class=private", "deny", &[]),
    ] {
        for (name, host) in hosts() {
            let mut bench = Bench::new(PROXY, &[], names.clone());
            bench
                .reload(|settings| settings.destinations.egress = egress(rules, default == "deny"));
            let passes = passes.contains(&name.as_str());
            let expected = if passes { "502" } else { "403" };
            for answer in bench.ask_both(&host, ":443") {
                assert_eq!(status(&answer), expected, "{rules}: {host}: {answer}");
            }
            assert_eq!(bench.dialled(), if passes { 2 } else { 0 }, "{rules}: {host}");
        }
    }
    // An address outside, into which an address is embedded that is allowed only as itself.
    let mut bench = Bench::new(PROXY, &[], HashMap::new());
    bench.reload(|settings| settings.destinations.egress = egress("allow class=private", true));
    for answer in bench.ask_both("[2606:4700::5efe:10.0.0.1]", ":443") {
        assert_eq!(status(&answer), "403", "{answer}");
    }
    for answer in bench.ask_both("10.0.0.6", ":443") {
        assert_eq!(status(&answer), "502", "no listener: {answer}");
    }
}

/// Returns a set of one rule.
fn egress(rule: &str, denies: bool) -> Arc<RuleSet> {
    let mut rules = RuleSet::default();
    rules.set_default(denies, false);
    read_rules(&mut rules, &[rule.parse().unwrap()], &mut |_| unreachable!()).unwrap();
    Arc::new(rules)
}

#[test]
fn this_machine_is_a_destination_only_if_allowed() {
    let mut bench = Bench::new(PROXY, &[], HashMap::new());
    for (authority, shown) in [
        (PROXY, PROXY),
        ("1572395048", PROXY),
        ("10.0.0.5", "10.0.0.5"),
        ("[::ffff:93.184.216.40]", "::ffff:93.184.216.40"),
        ("[64:ff9b::93.184.216.40]", "64:ff9b::5db8:d828 embeds 93.184.216.40"),
    ] {
        for answer in bench.ask_both(authority, ":443") {
            assert_eq!(status(&answer), "403", "{authority}: {answer}");
            assert!(answer.contains(shown), "{authority}: {answer}");
        }
    }
    assert_eq!(bench.dialled(), 0);
    let answer = bench.ask(PROXY, b"GET http://93.184.216.40/ HTTP/1.0\r\n\r\n");
    assert!(answer.contains("details=\"destination-own\""), "{answer}");
    assert!(answer.contains("is an address of this machine; rule 'destination-own'"), "{answer}");
    assert!(answer.contains("--allow-destination 93.184.216.40"), "{answer}");

    let mut bench = Bench::new(PROXY, &[PROXY], HashMap::new());
    for answer in bench.ask_both(PROXY, ":443") {
        assert_eq!(status(&answer), "502", "no listener: {answer}");
    }
    assert_eq!(bench.dialled(), 2);
}

#[test]
fn listeners_of_the_proxy_are_never_a_destination() {
    let all = ["0.0.0.0/0", "::/0", "self.test=0.0.0.0/0"];
    let names: HashMap<String, IpAddr> = [("self.test".into(), PROXY.parse().unwrap())].into();
    let mut bench = Bench::new(PROXY, &all, names);
    bench.reload(|settings| settings.destinations.connect_ports = "1-65535".parse().unwrap());
    for port in [PORT, METRICS] {
        for host in [PROXY, "self.test", "1572395048", "0.0.0.0", "[::]", "[::ffff:93.184.216.40]"]
        {
            for answer in bench.ask_both(&format!("{host}:{port}"), "") {
                assert_eq!(status(&answer), "403", "{host}:{port}: {answer}");
                assert!(answer.contains("\"destination-listener\""), "{host}:{port}: {answer}");
                assert!(!answer.contains("To allow it"), "no option allows the listener: {answer}");
            }
        }
    }
    assert_eq!(bench.dialled(), 0);
    for answer in bench.ask_both(&format!("{PROXY}:8080"), "") {
        assert_eq!(status(&answer), "502", "no listener: {answer}");
    }
}
