//! A proxy, its clients and its origins on one simulated network, turned by one thread.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tidegate::auth::{self, PathPrefix, Side, Users, VerifyJob};
use tidegate::proxy::{
    AuthRules, Command, Environment, LogFormat, LogSink, Mail, NameResolver, PasswordVerifier,
    ProtectionSpace, ReclaimAtOnce, Settings, Worker,
};
use tidegate::reactor::sim::{Fate, Faults, Metered, Network, Rng};
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, Listener, Mailbox, NameSource, NameSources, Reactor,
    SocketId, Token, Wake,
};

use crate::client::{SimClient, Tally};
use crate::names::{Manner, NAMES, NameServer, ORIGIN_IPV6, address_of};
use crate::origin::OriginConnection;
use crate::plan::Plan;

const PROXY: &str = "203.0.113.1:3128";
const ORIGIN: &str = "198.51.100.1";

/// A resolver that answers like the name server, by mail.
#[derive(Debug)]
struct Hosts(Mailbox<Mail>);

impl NameResolver for Hosts {
    fn ask(&mut self, name: &str, _: Option<IpAddr>) {
        let address = address_of(name).map(|address| vec![IpAddr::from(address)]);
        let answer = address.ok_or_else(|| std::io::Error::other("no such name"));
        self.0.send(Mail::Resolved(name.to_owned(), answer)).unwrap();
    }
}

/// A log whose reader stops and resumes: it drops half of the lines.
#[derive(Debug)]
struct BlockedLog {
    rng: Rng,
    lost: u64,
}

impl LogSink for BlockedLog {
    fn write(&mut self, lines: &mut String) {
        assert!(lines.ends_with('\n'), "a line is incomplete: {lines:?}");
        if self.rng.percent(50) {
            self.lost += lines.lines().count() as u64;
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn reopen(&mut self) {}
}

/// Passes verification jobs on.
#[derive(Debug)]
struct Hashing(Sender<VerifyJob>);

impl PasswordVerifier for Hashing {
    fn ask(&mut self, job: VerifyJob, _: usize) -> bool {
        self.0.send(job).is_ok()
    }
}

/// Verifies passwords, each after a delay that may be too long.
struct Verifier {
    asked: Receiver<VerifyJob>,
    due: Vec<(Instant, VerifyJob)>,
    mailbox: Mailbox<Mail>,
}

impl Verifier {
    fn turn(&mut self, now: Instant, rng: &mut Rng) {
        for job in self.asked.try_iter() {
            let longest = if rng.percent(5) { 20_000 } else { 200 };
            let delay = Duration::from_millis(rng.below(longest) as u64);
            self.due.push((now + delay, job));
        }
        for (_, job) in self.due.extract_if(.., |(at, _)| *at <= now) {
            self.mailbox.send(Mail::Verified(job.run())).unwrap();
        }
    }

    fn next(&self) -> Option<Instant> {
        self.due.iter().map(|(at, _)| *at).min()
    }
}

/// All parties other than the proxy.
struct Peers {
    names: NameServer,
    gates: Arena<Gate>,
    origins: Arena<OriginConnection>,
    clients: Arena<SimClient>,
    plans: Vec<Plan>,
    /// The proxy requires authentication.
    users: bool,
    rng: Rng,
    tally: Tally,
}

struct Gate {
    listener: Listener,
    echoes: bool,
}

impl Driven for Gate {
    const KIND: u8 = 8;
}

/// The object under which the name server is driven.
struct Asked;

impl Driven for Asked {
    const KIND: u8 = 11;
}

impl App for Peers {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(id) = token.id::<Gate>() {
            self.accept(reactor, token);
            let _ = id;
        } else if token.id::<Asked>().is_some() {
            self.names.drive(reactor);
        } else if let Some(id) = token.id::<OriginConnection>() {
            if let Some(origin) = self.origins.get_mut(id)
                && !origin.drive(reactor, &self.plans, &mut self.rng)
            {
                self.origins.remove(id);
            }
        } else if let Some(id) = token.id::<SimClient>()
            && let Some(client) = self.clients.get_mut(id)
            && !client.drive(reactor, &self.plans, &mut self.tally)
        {
            self.clients.remove(id);
        }
    }
}

impl Peers {
    fn accept(&mut self, reactor: &mut Reactor<()>, token: Token) {
        let Some(gate) = token.id().and_then(|id| self.gates.get_mut(id)) else { return };
        let mut accepted = Vec::new();
        gate.listener.accept(reactor, usize::MAX, &mut accepted);
        for (io, _) in accepted {
            let echoes = gate.echoes;
            let id = self.origins.insert_with(|id| OriginConnection::new(id, io, echoes));
            reactor.set_owner(io, id.token());
        }
    }

    fn listen(&mut self, reactor: &mut Reactor<()>, address: SocketAddr, echoes: bool) {
        self.gates
            .try_insert_with(|id| {
                let listener = Listener::bind(reactor, address, id.token())?;
                Ok::<_, std::io::Error>(Gate { listener, echoes })
            })
            .unwrap();
    }

    fn add_client(&mut self, reactor: &mut Reactor<()>) {
        let now = reactor.now().mono;
        let (plans, users, rng) = (&self.plans, self.users, &mut self.rng);
        let mut connect =
            |token| -> SocketId { reactor.connect(PROXY.parse().unwrap(), token).unwrap() };
        let id = self
            .clients
            .insert_with(|id| SimClient::new(id, connect(id.token()), plans, users, rng, now));
        reactor.wake(id.token());
    }
}

/// Runs one simulation, from the first client until the proxy is empty.
pub(crate) fn simulate(seed: u64) -> Tally {
    let network = Network::new(seed);
    let mut rng = network.fork_rng();
    let mut proxy: Reactor<Mail> =
        network.reactor("203.0.113.1".parse().unwrap(), faults(&mut rng));
    let mut outside: Reactor<()> =
        network.reactor("198.51.100.7".parse().unwrap(), faults(&mut rng));
    let users = rng.percent(30);
    let (hasher, asked) = channel();
    let mut verifier = Verifier { asked, due: Vec::new(), mailbox: proxy.mailbox() };
    let mut worker = worker(&proxy, users, hasher, &mut rng);
    worker.listen(&mut proxy, PROXY.parse::<SocketAddr>().unwrap()).unwrap();

    let manner = Manner::draw(&mut rng);
    let fates = [Fate::default(), Fate::default(), Fate::Refuse, Fate::Silence];
    for port in [80, 443] {
        network.set_fate(SocketAddr::new(ORIGIN_IPV6.into(), port), *rng.pick(&fates));
    }
    let plans = (0..6).map(|number| Plan::draw(number, &mut rng)).collect();
    let asked = Arena::new().insert(Asked).token();
    let mut peers = Peers {
        names: NameServer::bind(&mut outside, asked, manner),
        gates: Arena::new(),
        origins: Arena::new(),
        clients: Arena::new(),
        plans,
        users,
        rng: rng.clone(),
        tally: Tally::default(),
    };
    for address in [ORIGIN.parse().unwrap(), IpAddr::from(ORIGIN_IPV6)] {
        peers.listen(&mut outside, SocketAddr::new(address, 80), false);
        peers.listen(&mut outside, SocketAddr::new(address, 443), true);
    }

    let mut coming = 5 + rng.below(25);
    let mut draining = false;
    for _ in 0..200_000 {
        verifier.turn(network.clock().now().mono, &mut rng);
        let quiet = turn(&mut proxy, &mut worker, &mut outside, &mut peers);
        if coming > 0 && (quiet || rng.percent(10)) {
            peers.add_client(&mut outside);
            coming -= 1;
            continue;
        }
        if !quiet {
            continue;
        }
        if coming == 0 && !draining && (peers.clients.is_empty() || rng.percent(2)) {
            draining = true;
            worker.command(Command::Drain, &mut proxy);
            continue;
        }
        if worker.is_over() {
            break;
        }
        pass_time(&network, &proxy, &outside, verifier.next());
    }
    assert!(worker.is_over() && worker.is_empty(), "{worker:#?}");
    worker.give_up(&mut proxy); // a lookup without waiters may still be in flight
    assert_eq!(proxy.open_sockets(), 0, "sockets are left open");
    peers.tally
}

fn turn(
    proxy: &mut Reactor<Mail>,
    worker: &mut Worker,
    outside: &mut Reactor<()>,
    peers: &mut Peers,
) -> bool {
    let mut metered = Metered::new(worker);
    let here = proxy.turn(&mut metered, Some(Duration::ZERO)).unwrap();
    metered.end();
    let there = outside.turn(peers, Some(Duration::ZERO)).unwrap();
    worker.check();
    here.is_idle() && there.is_idle()
}

/// Advances the clock to the next event, as all parties are idle.
fn pass_time(
    network: &Network,
    proxy: &Reactor<Mail>,
    outside: &Reactor<()>,
    verified: Option<Instant>,
) {
    let next = [network.next_arrival(), proxy.next_deadline(), outside.next_deadline(), verified];
    let next = next.into_iter().flatten().min().expect("no event is pending");
    network.clock().advance_to(next.max(network.clock().now().mono + Duration::from_micros(1)));
}

/// Draws faults without lost datagrams: a failed lookup would hide what the proxy is tested for.
fn faults(rng: &mut Rng) -> Faults {
    if rng.percent(30) { Faults::NONE } else { Faults { lost: 0, ..Faults::SOME } }
}

/// Returns rules with one user, whose password is required for all paths.
fn auth_rules(rng: &mut Rng) -> AuthRules {
    let mut users = Users::default();
    users.read("users", b"alice:$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/").unwrap();
    let settings = auth::AuthSettings::new(Side::Proxy, "sim".parse().unwrap());
    let space = ProtectionSpace::new(PathPrefix::everything(), settings, users);
    let ban = *rng.pick(&["off", "1000/1m"]);
    AuthRules { spaces: vec![space], ban: ban.parse().unwrap() }
}

fn worker(
    reactor: &Reactor<Mail>,
    users: bool,
    hasher: Sender<VerifyJob>,
    rng: &mut Rng,
) -> Worker {
    let mut settings = Settings::forward("sim");
    settings.destinations.rules =
        ["198.51.100.0/24", "2001:db8::/32"].map(|rule| rule.parse().unwrap()).to_vec();
    settings.clients = vec!["198.51.100.0/24".parse().unwrap()];
    settings.name_sources = NameSources {
        hosts: NameSource::Text(String::new()),
        resolv_conf: NameSource::Text(String::new()),
        servers: vec![NAMES.parse().unwrap()],
        ..NameSources::default()
    };
    settings.cache_memory = *rng.pick(&[0, 50_000, 300_000, 10 << 20]);
    settings.cache_object_max = Some(settings.cache_memory as u64 / 2);
    settings.limits.range_slice = *rng.pick(&[None, Some(tidegate::units::Bytes(4096))]);
    settings.limits.window = tidegate::units::Bytes(*rng.pick(&[1000, 16_384, 131_072]));
    settings.auth = users.then(|| auth_rules(rng));
    let formats = [LogFormat::Human, LogFormat::Combined, LogFormat::Squid, LogFormat::Json];
    settings.log = Some(*rng.pick(&formats));
    settings.limits.passwords = *rng.pick(&[1, 4, 64]);
    let by_mail: Option<Box<dyn NameResolver>> = match rng.percent(50) {
        true => Some(Box::new(Hosts(reactor.mailbox()))),
        false => None,
    };
    let surroundings = Environment {
        resolver: by_mail,
        verifier: Box::new(Hashing(hasher)),
        reclaimer: Box::new(ReclaimAtOnce),
        addresses: Some(vec![PROXY.parse::<SocketAddr>().unwrap().ip()]),
        log: Box::new(BlockedLog { rng: rng.clone(), lost: 0 }),
        secret: [rng.next(), rng.next()],
    };
    Worker::new(settings, surroundings, 1000)
}
