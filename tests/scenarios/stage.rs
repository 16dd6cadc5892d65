//! The stage of a scenario: the proxy on one reactor, its peers on another, and one clock for both.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use tidegate::auth::VerifyJob;
use tidegate::geo::GeoDatabases;
use tidegate::proxy::{
    Command, Environment, JobDone, JobRunner, JobWork, Lane, ListenerKind, ListenerSettings,
    LogSink, Mail, NameResolver, PasswordVerifier, Reclaimer, ServiceId, Settings, Worker,
};
use tidegate::reactor::sim::{Fate, Faults, Metered, Network};
use tidegate::reactor::{Clock, LoopStats, Reactor, TcpTransport, VirtualClock};
use tidegate::tls::{OriginTls, ServerTls};

use super::peers::Peers;
use super::pki;
use super::security::Security;

/// The network that a scenario is played over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// The simulated network, with faults that follow from the seed. Seed 0 has none.
    Simulation {
        seed: u64,
        faults: bool,
    },
    Loopback,
}

/// Both reactors, and the services around the proxy.
pub(crate) struct Stage {
    network: Option<Network>,
    pub(crate) clock: VirtualClock,
    proxy: Reactor<Mail>,
    pub(crate) worker: Worker,
    /// The proxy gets no turns.
    pub(crate) paused: bool,
    pub(crate) peer_reactor: Reactor<()>,
    pub(crate) peers: Peers,
    questions: Receiver<String>,
    jobs: Receiver<VerifyJob>,
    /// The verifier verifies no passwords.
    pub(crate) verifier_pauses: bool,
    /// Jobs of files and handlers.
    work: Receiver<JobWork>,
    /// Threads run no such jobs.
    pub(crate) threads_pause: bool,
    /// Number of verified passwords.
    pub(crate) verified: usize,
    log: Receiver<String>,
    /// Log lines that no step has consumed.
    pub(crate) lines: Vec<String>,
    /// The answers of the resolver: addresses, or a word for a failure.
    pub(crate) hosts: HashMap<String, Vec<String>>,
    /// Number of lookups of each name.
    pub(crate) asked: HashMap<String, usize>,
}

/// Both reactors before the proxy exists.
pub(crate) struct Ground {
    network: Option<Network>,
    clock: VirtualClock,
    proxy: Reactor<Mail>,
    pub(crate) peer_reactor: Reactor<()>,
    pub(crate) peers: Peers,
    security: Security,
    /// Connections of clients begin with PROXY headers.
    proxy_headers: bool,
}

/// Addresses that the proxy listens on.
pub(crate) struct Places {
    /// The address of the usual listener.
    pub(crate) usual: SocketAddr,
    /// The address of the first `[[listener]]`.
    pub(crate) other: Option<SocketAddr>,
}

/// The network that a scenario specifies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terrain {
    pub(crate) clients: IpAddr,
    pub(crate) sockets: usize,
    pub(crate) window: Option<usize>,
    /// Connections of clients begin with PROXY headers.
    pub(crate) proxy_headers: bool,
}

impl Default for Terrain {
    fn default() -> Self {
        Self { clients: HERE, sockets: usize::MAX, window: None, proxy_headers: false }
    }
}

/// The address of all hosts, unless a scenario of the simulation specifies others.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The port of the proxy in the simulation; the next one is that of its other listener.
const PORT: u16 = 3128;
/// The control socket of the proxy in the simulation.
pub(crate) const CONTROL: &str = "/control";
/// Maximum delay of the kernel, in polls, before an expectation fails.
const PATIENCE: u32 = 5000;
const MOMENT: Duration = Duration::from_millis(1);
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Arrivals in the simulation within this time are part of settling; the scenario waits for later
/// ones.
const SOON: Duration = MOMENT;
/// Maximum number of turns before a scenario counts as endless.
const MOST_TURNS: u32 = 200_000;

/// Faults that must not change the outcome: short reads and writes, late and spurious readiness,
/// any order of drives.
fn mild(terrain: &Terrain) -> Faults {
    Faults {
        latency: Duration::from_micros(1)..Duration::from_micros(100),
        window: terrain.window.map_or(2_000..40_000, |window| window..window + 1),
        spurious: 2, // more would prevent hundreds of connections from settling
        ..Faults::SOME
    }
}

fn perfect(terrain: &Terrain) -> Faults {
    let window = terrain.window.unwrap_or(64 * 1024);
    Faults { window: window..window + 1, ..Faults::NONE }
}

impl Ground {
    pub(crate) fn new(medium: Medium, security: Security, terrain: &Terrain) -> io::Result<Self> {
        match medium {
            Medium::Simulation { seed, faults } => {
                let faults = if faults { mild(terrain) } else { perfect(terrain) };
                let network = Network::new(seed);
                let sockets = terrain.sockets.saturating_add(1); // one is for operators
                let of_proxy = Faults { sockets, ..faults.clone() };
                let faults = Faults { spurious: 0, ..faults };
                Ok(Self {
                    clock: network.clock(),
                    proxy: network.reactor(HERE, of_proxy),
                    peer_reactor: network.reactor(terrain.clients, faults),
                    peers: Peers::new(security, &network.clock()),
                    network: Some(network),
                    security,
                    proxy_headers: terrain.proxy_headers,
                })
            }
            Medium::Loopback => {
                let clock = VirtualClock::default();
                let transport = || TcpTransport::new().map(Box::new);
                Ok(Self {
                    network: None,
                    proxy: Reactor::with(transport()?, Box::new(clock.clone())),
                    peer_reactor: Reactor::with(transport()?, Box::new(clock.clone())),
                    peers: Peers::new(security, &clock),
                    clock,
                    security,
                    proxy_headers: terrain.proxy_headers,
                })
            }
        }
    }

    /// Returns the settings towards origins, whichever side speaks TLS.
    pub(crate) fn origin_tls(&self) -> Option<Arc<OriginTls>> {
        Some(pki::origin_tls(&self.clock))
    }

    /// Returns the settings towards clients, if clients speak TLS.
    pub(crate) fn server_tls(&self) -> Option<Arc<ServerTls>> {
        self.security.clients.then(|| pki::server_tls(&self.clock))
    }

    /// Sets the outcome of connects to `address` on a simulated network.
    pub(crate) fn set_fate(&self, address: SocketAddr, fate: Fate) {
        if let Some(network) = &self.network {
            network.set_fate(address, fate);
        }
    }

    /// Creates the proxy on its reactor; returns the addresses of its listeners.
    pub(crate) fn open(mut self, settings: Settings) -> io::Result<(Stage, Places)> {
        let (asker, questions) = channel();
        let (verifier, jobs) = channel();
        let (worked, work) = channel();
        let (writer, log) = channel();
        let surroundings = Environment {
            resolver: Some(Box::new(Asker(asker))),
            verifier: Box::new(Hashing(verifier)),
            jobs: Box::new(Threads(worked)),
            reclaimer: Box::new(Elsewhere),
            addresses: Some(vec![HERE]),
            log: Box::new(Lines(writer)),
            secret: [1, 2],
        };
        let has_other = !settings.services.is_empty();
        let mut worker = Worker::new(settings, surroundings, 1000);
        worker.offer_explanations("tidegate explain --live".to_owned());
        let port = if self.network.is_some() { PORT } else { 0 };
        let kind = if self.security.clients { ListenerKind::Tls } else { ListenerKind::Plain };
        let listener =
            ListenerSettings { proxy_protocol: self.proxy_headers, ..ListenerSettings::from(kind) };
        let usual = worker.listen_as(listener, &mut self.proxy, SocketAddr::new(HERE, port))?;
        let mut other = None;
        if has_other {
            let address = SocketAddr::new(HERE, if port == 0 { 0 } else { port + 1 });
            let service = ServiceId(1);
            let settings = ListenerSettings { service, ..ListenerSettings::default() };
            other = Some(worker.listen_as(settings, &mut self.proxy, address)?);
        }
        if self.network.is_some() {
            worker.listen_control(&mut self.proxy, CONTROL.as_ref())?;
        }
        let stage = Stage {
            network: self.network,
            clock: self.clock,
            proxy: self.proxy,
            worker,
            paused: false,
            peer_reactor: self.peer_reactor,
            peers: self.peers,
            questions,
            jobs,
            verifier_pauses: false,
            work,
            threads_pause: false,
            verified: 0,
            log,
            lines: Vec::new(),
            hosts: HashMap::new(),
            asked: HashMap::new(),
        };
        Ok((stage, Places { usual, other }))
    }
}

impl Stage {
    pub(crate) fn wall(&self) -> SystemTime {
        self.clock.now().wall
    }

    /// Returns the number of retries of an expectation: none in the simulation, which is
    /// deterministic.
    pub(crate) const fn patience(&self) -> u32 {
        if self.network.is_some() { 0 } else { PATIENCE }
    }

    /// Turns both reactors until both are idle and no bytes are in flight between them.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MOST_TURNS {
            if self.turn(NOW) {
                continue;
            }
            let soon = self.clock.now().mono + SOON;
            let arrival = self.network.as_ref().and_then(Network::next_arrival);
            let Some(arrival) = arrival.filter(|&at| at <= soon) else { return };
            self.clock.advance_to(arrival);
        }
        panic!("the proxy and its peers keep each other busy");
    }

    /// Settles, and gives the kernel time to deliver bytes in flight.
    pub(crate) fn settle_well(&mut self) {
        self.settle();
        if self.network.is_none() {
            while self.turn(Some(MOMENT)) {
                self.settle();
            }
        }
    }

    /// Turns both reactors; returns true if any event occurred.
    fn turn(&mut self, timeout: Option<Duration>) -> bool {
        self.answer();
        self.verify();
        self.run_jobs();
        let mut idle = true;
        if !self.paused {
            let mut metered = Metered::new(&mut self.worker);
            idle = self.proxy.turn(&mut metered, timeout).unwrap().is_idle();
            metered.end();
            self.worker.check();
        }
        idle &= self.peer_reactor.turn(&mut self.peers, timeout).unwrap().is_idle();
        self.take_log();
        !idle
    }

    /// Advances the clock by `time`, from deadline to deadline.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.settle_well();
        let end = self.clock.now().mono + time;
        let arrival = |stage: &Self| stage.network.as_ref().and_then(Network::next_arrival);
        while let Some(next) = self.proxy.next_deadline().into_iter().chain(arrival(self)).min()
            && next <= end
            && !self.paused
        {
            self.clock.advance_to(next);
            self.settle_well();
        }
        self.clock.advance_to(end);
        self.settle_well();
    }

    /// Answers the lookups of the proxy.
    fn answer(&mut self) {
        for name in self.questions.try_iter() {
            *self.asked.entry(name.clone()).or_default() += 1;
            let answer = self.hosts.get(&name).map(Vec::as_slice).unwrap_or_default();
            let answer = match answer {
                [word] if word == "silent" => continue,
                [] => Err(io::Error::other("no such host")),
                [word] if word == "fails" => Err(io::Error::other("no such host")),
                addresses => Ok(addresses.iter().filter_map(|text| text.parse().ok()).collect()),
            };
            self.proxy.mailbox().send(Mail::Resolved(name, answer)).unwrap();
        }
    }

    /// Verifies the passwords that were requested.
    fn verify(&mut self) {
        if !self.verifier_pauses {
            for job in self.jobs.try_iter() {
                self.verified += 1;
                self.proxy.mailbox().send(Mail::Verified(job.run())).unwrap();
            }
        }
    }

    /// Runs the jobs of files and handlers.
    fn run_jobs(&mut self) {
        if !self.threads_pause {
            for job in self.work.try_iter() {
                self.proxy.mailbox().send(Mail::Job(Box::new(job()))).unwrap();
            }
        }
    }

    /// Returns the value of a metric of the proxy.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let metrics = self.worker.stats(&LoopStats::default(), self.proxy.now()).prometheus();
        let line =
            metrics.lines().find_map(|line| line.strip_prefix("tidegate_")?.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    }

    /// Sends the proxy a command, as a signal would.
    pub(crate) fn command(&self, command: Command) {
        self.proxy.mailbox().send(Mail::Command(command)).unwrap();
    }

    pub(crate) fn locate_by(&mut self, databases: Arc<GeoDatabases>) {
        self.worker.locate_by(databases, &mut self.proxy);
    }

    pub(crate) fn abort(&mut self) {
        self.worker.abort(&mut self.proxy);
    }

    fn take_log(&mut self) {
        for lines in self.log.try_iter() {
            self.lines.extend(lines.lines().map(str::to_owned));
        }
    }
}

/// Passes lookups on to the stage.
#[derive(Debug)]
struct Asker(Sender<String>);

impl NameResolver for Asker {
    fn ask(&mut self, name: &str, _: Option<IpAddr>) {
        let _ = self.0.send(name.to_owned());
    }
}

/// Passes verification jobs on to the stage, which runs them between turns.
#[derive(Debug)]
struct Hashing(Sender<VerifyJob>);

impl PasswordVerifier for Hashing {
    fn ask(&mut self, job: VerifyJob, _: usize) -> bool {
        self.0.send(job).is_ok()
    }
}

/// Passes jobs of files and handlers on to the stage, which runs them between turns.
#[derive(Debug)]
struct Threads(Sender<JobWork>);

impl JobRunner for Threads {
    fn run(&mut self, _: Lane, work: JobWork) -> io::Result<Option<JobDone>> {
        self.0.send(work).map(|()| None).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Frees on a thread, so that the work is not counted as the loop's.
#[derive(Debug)]
struct Elsewhere;

impl Reclaimer for Elsewhere {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        let _ = thread::spawn(move || drop(garbage));
    }
}

/// Passes log lines on to the stage.
#[derive(Debug)]
struct Lines(Sender<String>);

impl LogSink for Lines {
    fn write(&mut self, lines: &mut String) {
        let _ = self.0.send(std::mem::take(lines));
    }

    fn lost(&self) -> u64 {
        0
    }

    fn reopen(&mut self) {}
}
