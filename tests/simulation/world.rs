//! A proxy, its clients and its origins on one simulated network, turned by one thread.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tidegate::auth::{self, PathPrefix, Side, Users, VerifyJob};
use tidegate::coding::CompressionRules;
use tidegate::http::ContentCoding;
use tidegate::proxy::{
    AuthRules, Command, Environment, JobDone, JobRunner, JobWork, Lane, ListenerKind, LogFormat,
    LogSink, Mail, NameResolver, PasswordVerifier, ProtectionSpace, ReclaimAtOnce, Settings,
    Worker,
};
use tidegate::reactor::sim::{Fate, Faults, Metered, Network, Rng};
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, Listener, Mailbox, NameSource, NameSources, Reactor, Token,
    VirtualClock, Wake,
};
use tidegate::tls::{OriginTls, ServerLayer, ServerTls};

use crate::application;
use crate::ask::Run;
use crate::client::{SimClient, Tally};
use crate::members;
use crate::names::{Manner, NAMES, NameServer, ORIGIN_IPV6, address_of};
use crate::origin::{OriginConnection, Service};
use crate::pki;
use crate::plan::{Plan, Resources};

const PROXY: &str = "203.0.113.1:3128";
/// Where the proxy listens for clients that speak TLS.
const PROXY_TLS: &str = "203.0.113.1:3129";

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

/// A log whose reader stops and resumes: it drops half of the lines. All of them are passed on.
#[derive(Debug)]
struct BlockedLog {
    rng: Rng,
    lost: u64,
    all: Sender<String>,
}

impl LogSink for BlockedLog {
    fn write(&mut self, lines: &mut String) {
        assert!(lines.ends_with('\n'), "a line is incomplete: {lines:?}");
        let _ = self.all.send(lines.clone());
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

/// Passes jobs on that compress content.
#[derive(Debug)]
struct Compressing(Sender<JobWork>);

impl JobRunner for Compressing {
    fn run(&mut self, _: Lane, work: JobWork) -> std::io::Result<Option<JobDone>> {
        self.0.send(work).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(None)
    }
}

/// Threads of the proxy: each job is done after a delay.
struct Threads<J> {
    asked: Receiver<J>,
    due: Vec<(Instant, J)>,
    run: fn(J) -> Mail,
    mailbox: Mailbox<Mail>,
}

impl<J> Threads<J> {
    fn new(asked: Receiver<J>, run: fn(J) -> Mail, mailbox: Mailbox<Mail>) -> Self {
        Self { asked, due: Vec::new(), run, mailbox }
    }

    /// Begins new jobs, which take up to `longest` milliseconds each, and ends those that are due.
    fn turn(&mut self, now: Instant, longest: impl Fn(&mut Rng) -> usize, rng: &mut Rng) {
        for job in self.asked.try_iter() {
            let longest = longest(rng);
            let delay = Duration::from_millis(rng.below(longest) as u64);
            self.due.push((now + delay, job));
        }
        for (_, job) in self.due.extract_if(.., |(at, _)| *at <= now) {
            self.mailbox.send((self.run)(job)).unwrap();
        }
    }

    fn next(&self) -> Option<Instant> {
        self.due.iter().map(|(at, _)| *at).min()
    }
}

/// Returns the longest time of verifying a password, in milliseconds, which may be too long.
fn longest_verification(rng: &mut Rng) -> usize {
    if rng.percent(5) { 20_000 } else { 200 }
}

/// TLS of a run: settings of both roles, and the percentage of clients and of resources with TLS.
struct Tls {
    server: Arc<ServerTls>,
    client: Arc<OriginTls>,
    clients: u32,
    origins: u32,
}

impl Tls {
    fn draw(clock: &VirtualClock, rng: &mut Rng) -> Self {
        Self {
            server: pki::server_tls(clock),
            client: pki::origin_tls(clock),
            clients: *rng.pick(&[0, 0, 0, 50, 100]),
            origins: *rng.pick(&[0, 0, 50, 100]),
        }
    }
}

/// All parties other than the proxy.
struct Peers {
    tls: Tls,
    names: NameServer,
    gates: Arena<Gate>,
    origins: Arena<OriginConnection>,
    clients: Arena<SimClient>,
    resources: Resources,
    run: Run,
    rng: Rng,
    tally: Tally,
}

struct Gate {
    listener: Listener,
    service: Service,
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
                && !origin.drive(reactor, &mut self.resources, &mut self.rng)
            {
                self.origins.remove(id);
            }
        } else if let Some(id) = token.id::<SimClient>()
            && let Some(client) = self.clients.get_mut(id)
            && !client.drive(reactor, &self.resources, &mut self.tally)
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
            let service = gate.service;
            if service == Service::Tls {
                reactor.secure(io, Box::new(ServerLayer::new(Arc::clone(&self.tls.server))));
            }
            let id = self.origins.insert_with(|id| OriginConnection::new(id, io, service));
            reactor.set_owner(io, id.token());
        }
    }

    fn listen(&mut self, reactor: &mut Reactor<()>, address: SocketAddr, service: Service) {
        self.gates
            .try_insert_with(|id| {
                let listener = Listener::bind(reactor, address, id.token())?;
                Ok::<_, std::io::Error>(Gate { listener, service })
            })
            .unwrap();
    }

    fn add_client(&mut self, reactor: &mut Reactor<()>) {
        let now = reactor.now().mono;
        let (plans, rng) = (&self.resources.plans, &mut self.rng);
        let is_secure = rng.percent(self.tls.clients);
        let proxy = if is_secure { PROXY_TLS } else { PROXY }.parse().unwrap();
        let layer = is_secure.then(|| Box::new(self.tls.client.layer("proxy.test").unwrap()));
        let run = self.run;
        let id = self.clients.insert_with(|id| {
            let io = reactor.connect(proxy, id.token()).unwrap();
            SimClient::new(id, (io, layer), plans, run, rng, now)
        });
        reactor.wake(id.token());
    }

    /// Resets one of the connections of origins.
    fn kill(&mut self, reactor: &mut Reactor<()>) {
        let all: Vec<_> = self.origins.iter().map(|(id, _)| id).collect();
        if !all.is_empty()
            && let Some(origin) = self.origins.remove(*self.rng.pick(&all))
        {
            reactor.reset(origin.io);
        }
    }
}

/// Runs one simulation, from the first client until the proxy is empty. Returns its access log, too.
pub(crate) fn simulate(seed: u64) -> (Tally, String) {
    let network = Network::new(seed);
    let mut rng = network.fork_rng();
    let mut proxy: Reactor<Mail> =
        network.reactor("203.0.113.1".parse().unwrap(), faults(&mut rng));
    let mut outside: Reactor<()> =
        network.reactor("198.51.100.7".parse().unwrap(), faults(&mut rng));
    let is_reverse = rng.percent(25);
    let users = rng.percent(30) && !is_reverse;
    let (hasher, asked) = channel();
    let verified = |job: VerifyJob| Mail::Verified(job.run());
    let mut verifier = Threads::new(asked, verified, proxy.mailbox());
    let (compressing, asked) = channel();
    let compressed = |work: JobWork| Mail::Job(Box::new(work()));
    let mut compressor = Threads::new(asked, compressed, proxy.mailbox());
    let (logger, log) = channel();
    let mut tls = Tls::draw(&network.clock(), &mut rng);
    let is_application = is_reverse && rng.percent(30);
    if is_reverse {
        // The members of a group serve the same resources; an application is no member.
        tls.origins = if is_application { 0 } else { *rng.pick(&[0, 100]) };
    }
    let run = Run { users, secure: tls.origins, is_reverse };
    let mut resources = Resources::draw(tls.origins, is_reverse, &mut rng);
    resources.are_of_application = is_application;
    let plans = is_application.then_some(resources.plans.as_slice());
    let mut worker = worker(&proxy, (run, plans), &tls, (hasher, compressing, logger), &mut rng);
    for (kind, address) in [(ListenerKind::Plain, PROXY), (ListenerKind::Tls, PROXY_TLS)] {
        worker.listen_as(kind, &mut proxy, address.parse::<SocketAddr>().unwrap()).unwrap();
    }

    let manner = Manner::draw(&mut rng);
    let fates = [Fate::default(), Fate::default(), Fate::Refuse, Fate::Silence];
    for port in [80, 443, 8443] {
        network.set_fate(SocketAddr::new(ORIGIN_IPV6.into(), port), *rng.pick(&fates));
    }
    let asked = Arena::new().insert(Asked).token();
    let mut peers = Peers {
        names: NameServer::bind(&mut outside, asked, manner),
        gates: Arena::new(),
        origins: Arena::new(),
        clients: Arena::new(),
        resources,
        tls,
        run,
        rng: rng.clone(),
        tally: Tally::default(),
    };
    let addresses = members::ALL.map(|(_, address)| IpAddr::from(address));
    for address in addresses.into_iter().chain([IpAddr::from(ORIGIN_IPV6)]) {
        for (port, service) in [(80, Service::Plain), (443, Service::Echo), (8443, Service::Tls)] {
            peers.listen(&mut outside, SocketAddr::new(address, port), service);
        }
    }

    let mut coming = 5 + rng.below(25);
    let mut draining = false;
    // No end is in sight beyond: the busiest of thousands of seeds takes 212,598 turns.
    for _ in 0..400_000 {
        let now = network.clock().now().mono;
        verifier.turn(now, longest_verification, &mut rng);
        compressor.turn(now, |_| 5, &mut rng);
        let quiet = turn(&mut proxy, &mut worker, &mut outside, &mut peers);
        if coming > 0 && (quiet || rng.percent(10)) {
            peers.add_client(&mut outside);
            coming -= 1;
            continue;
        }
        if is_reverse && rng.percent(1) {
            members::turn(&network, run.secure > 0, &mut rng);
            if rng.percent(30) {
                peers.kill(&mut outside);
            }
        }
        if !quiet {
            continue;
        }
        if coming == 0 && !draining && (peers.clients.is_empty() || rng.percent(2)) {
            draining = true;
            let how = if rng.percent(50) { Command::HandOver } else { Command::Drain };
            worker.command(how, &mut proxy);
            continue;
        }
        if worker.is_finished() {
            break;
        }
        let jobs = [verifier.next(), compressor.next()];
        pass_time(&network, &proxy, &outside, jobs.into_iter().flatten().min());
    }
    assert!(worker.is_finished() && worker.is_empty(), "{worker:#?}");
    worker.abort(&mut proxy); // a lookup without waiters may still be in flight
    assert_eq!(proxy.open_sockets(), 0, "sockets are left open");
    drop(worker);
    (peers.tally, log.iter().collect())
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
    job: Option<Instant>,
) {
    let next = [network.next_arrival(), proxy.next_deadline(), outside.next_deadline(), job];
    let next = next.into_iter().flatten().min().expect("no event is pending");
    network.clock().advance_to(next.max(network.clock().now().mono + Duration::from_micros(1)));
}

/// Draws faults without lost datagrams: a failed lookup would hide what the proxy is tested for.
fn faults(rng: &mut Rng) -> Faults {
    if rng.percent(30) { Faults::NONE } else { Faults { lost: 0, ..Faults::SOME } }
}

/// Returns rules by which content of any length is compressed, or by which that of private responses is not.
fn compression(rng: &mut Rng) -> CompressionRules {
    let codings = ContentCoding::ALL.to_vec();
    let (skipped, count) = (rng.below(codings.len()), 1 + rng.below(codings.len()));
    CompressionRules {
        codings: Some(codings.into_iter().cycle().skip(skipped).take(count).collect()),
        min_length: Some(rng.below(2000) as u64),
        private: Some(rng.percent(50)),
        types: Vec::new(),
    }
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
    (run, application): (Run, Option<&[Plan]>),
    tls: &Tls,
    (hasher, compressing, logger): (Sender<VerifyJob>, Sender<JobWork>, Sender<String>),
    rng: &mut Rng,
) -> Worker {
    let mut settings = Settings::forward("sim");
    settings.server_tls = Some(Arc::clone(&tls.server));
    settings.origin_tls = Some(Arc::clone(&tls.client));
    settings.destinations.rules =
        ["198.51.100.0/24", "2001:db8::/32"].map(|rule| rule.parse().unwrap()).to_vec();
    settings.service.clients = vec!["198.51.100.0/24".parse().unwrap()];
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
    settings.service.auth = run.users.then(|| auth_rules(rng));
    if run.is_reverse {
        settings.service = match application {
            Some(plans) => application::draw(plans, rng),
            None => members::draw(run.secure > 0, rng),
        };
    }
    let custom = "custom: {time} {url} {status} {bytes_in} {bytes_out} {origin_ms}".parse();
    let custom = custom.expect("a valid format");
    let formats =
        [LogFormat::Human, LogFormat::Combined, LogFormat::Squid, LogFormat::Json, custom];
    settings.log = Some(rng.pick(&formats).clone());
    if rng.percent(50) {
        settings.compression = compression(rng);
    }
    settings.limits.passwords = *rng.pick(&[1, 4, 64]);
    // A request may wait for a place, and for several members that are silent: all of that ends by itself.
    settings.limits.drain_timeout = Duration::from_secs(300);
    let bandwidth = *rng.pick(&[None, None, Some("1MiB/s burst=4KiB"), Some("4MiB/s by=user")]);
    if let Some(limit) = bandwidth {
        settings.client_limits.bandwidth.push(limit.parse().unwrap());
    }
    let by_mail: Option<Box<dyn NameResolver>> = match rng.percent(50) {
        true => Some(Box::new(Hosts(reactor.mailbox()))),
        false => None,
    };
    let surroundings = Environment {
        resolver: by_mail,
        verifier: Box::new(Hashing(hasher)),
        jobs: Box::new(Compressing(compressing)),
        reclaimer: Box::new(ReclaimAtOnce),
        addresses: Some(vec![PROXY.parse::<SocketAddr>().unwrap().ip()]),
        log: Box::new(BlockedLog { rng: rng.clone(), lost: 0, all: logger }),
        secret: [rng.next(), rng.next()],
    };
    Worker::new(settings, surroundings, 1000)
}
