//! A flood from one address: a client at another address is served as before, within bounded
//! memory.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::proxy::{Environment, Mail, NoLog, ReclaimAtOnce, Settings, Worker};
use tidegate::reactor::sim::{self, Faults, Metered, Network, Rng};
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, Listener, LoopStats, Reactor, SocketId, Token, VirtualClock,
};
use tidegate::units::Bytes;

use crate::unused::Unused;

const PROXY: &str = "203.0.113.1:3128";
const ORIGIN: &str = "198.51.100.1";
const PLACES: usize = 64;
const MEMORY: u64 = 1 << 20;
/// Number of requests of the good client, and of connections that the flood holds open.
const REQUESTS: usize = 30;
const FLOOD: usize = 200;
/// Time between two bytes of a dripping connection.
const DRIP: Duration = Duration::from_millis(100);

struct Thing;

impl Driven for Thing {
    const KIND: u8 = 0;
}

/// The program of a host; its connections are handled between turns.
struct Watched;

impl App for Watched {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

/// A host other than the proxy.
struct Host {
    reactor: Reactor<()>,
    owner: Token,
}

impl Host {
    fn new(network: &Network, address: &str) -> Self {
        let reactor = network.reactor(address.parse().unwrap(), Faults::NONE);
        Self { reactor, owner: Arena::new().insert(Thing).token() }
    }

    fn turn(&mut self) -> bool {
        !self.reactor.turn(&mut Watched, Some(Duration::ZERO)).unwrap().is_idle()
    }

    fn connect(&mut self) -> Connection {
        let io = self.reactor.connect(PROXY.parse().unwrap(), self.owner).unwrap();
        Connection { io, unsent: Vec::new(), received: Vec::new(), ended: false }
    }
}

/// A connection of such a host.
struct Connection {
    io: SocketId,
    unsent: Vec<u8>,
    received: Vec<u8>,
    ended: bool,
}

impl Connection {
    /// Sends pending bytes, and receives if it `reads`.
    fn go_on(&mut self, reactor: &mut Reactor<()>, reads: bool) {
        if !matches!(reactor.connected(self.io), Poll::Ready(Ok(()))) {
            return;
        }
        while !self.unsent.is_empty() {
            match reactor.send(self.io, &[IoSlice::new(&self.unsent)]) {
                Poll::Ready(Ok(sent)) => drop(self.unsent.drain(..sent)),
                Poll::Ready(Err(_)) => return self.ended = true,
                Poll::Pending => break,
            }
        }
        while reads && !self.ended {
            self.received.reserve(4096);
            match reactor.recv(self.io, &mut self.received) {
                Poll::Ready(Ok(0) | Err(_)) => self.ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
    }

    fn has_head(&self) -> bool {
        self.received.windows(4).any(|window| window == b"\r\n\r\n")
    }
}

/// The behaviour of a connection of the flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nuisance {
    Silent,
    DripsHead,
    DripsContent,
    NeverReads,
    IdleTunnel,
    Keeps,
}

const NUISANCES: [Nuisance; 6] = [
    Nuisance::Silent,
    Nuisance::DripsHead,
    Nuisance::DripsContent,
    Nuisance::NeverReads,
    Nuisance::IdleTunnel,
    Nuisance::Keeps,
];

impl Nuisance {
    fn greeting(self) -> String {
        let request =
            |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: {ORIGIN}\r\n{more}\r\n");
        match self {
            Self::Silent => String::new(),
            Self::DripsHead => "GET http://".to_owned(),
            Self::DripsContent => {
                request(&format!("PUT http://{ORIGIN}/"), "Content-Length: 100000\r\n")
            }
            Self::NeverReads => request(&format!("GET http://{ORIGIN}/large"), ""),
            Self::IdleTunnel => {
                format!("CONNECT {ORIGIN}:443 HTTP/1.1\r\nHost: {ORIGIN}:443\r\n\r\n")
            }
            Self::Keeps => request(&format!("GET http://{ORIGIN}/"), ""),
        }
    }

    const fn drips(self) -> bool {
        matches!(self, Self::DripsHead | Self::DripsContent)
    }
}

/// Many connections from one address, opened again when the proxy closes them.
struct Flood {
    host: Host,
    connections: Vec<(Connection, Nuisance)>,
    size: usize,
    drip_at: Instant,
}

impl Flood {
    fn turn(&mut self, rng: &mut Rng) -> bool {
        let active = self.host.turn();
        let reactor = &mut self.host.reactor;
        let drips = reactor.now().mono >= self.drip_at;
        if drips {
            self.drip_at = reactor.now().mono + DRIP;
        }
        for (connection, what) in &mut self.connections {
            if drips && what.drips() {
                connection.unsent.push(b'x');
            }
            connection.go_on(reactor, *what != Nuisance::NeverReads);
        }
        for (connection, _) in self.connections.extract_if(.., |(connection, _)| connection.ended) {
            reactor.close(connection.io);
        }
        while self.connections.len() < self.size {
            let (mut connection, what) = (self.host.connect(), *rng.pick(&NUISANCES));
            connection.unsent.extend_from_slice(what.greeting().as_bytes());
            self.connections.push((connection, what));
        }
        active
    }
}

/// An origin that answers GET for `/` at once and for `/large` without end, and reads all other
/// requests without a response.
struct Origin {
    host: Host,
    listeners: Vec<Listener>,
    connections: Vec<Connection>,
}

impl Origin {
    fn new(network: &Network) -> Self {
        let mut host = Host::new(network, ORIGIN);
        let listeners = [80, 443].map(|port| {
            let address = SocketAddr::new(ORIGIN.parse::<IpAddr>().unwrap(), port);
            Listener::bind(&mut host.reactor, address, host.owner).unwrap()
        });
        Self { host, listeners: listeners.into(), connections: Vec::new() }
    }

    fn turn(&mut self) -> bool {
        let active = self.host.turn();
        let (reactor, owner) = (&mut self.host.reactor, self.host.owner);
        let mut accepted = Vec::new();
        for listener in &mut self.listeners {
            listener.accept(reactor, usize::MAX, &mut accepted);
        }
        for (io, _) in accepted {
            reactor.set_owner(io, owner);
            let (unsent, received) = (Vec::new(), Vec::new());
            self.connections.push(Connection { io, unsent, received, ended: false });
        }
        for connection in &mut self.connections {
            connection.go_on(reactor, true);
            if connection.has_head() {
                match &connection.received[..6] {
                    b"GET / " => connection.unsent.extend_from_slice(SMALL),
                    b"GET /l" => {
                        connection.unsent.extend_from_slice(LARGE);
                        connection.unsent.resize(LARGE.len() + 200_000, b'l');
                    }
                    _ => {}
                }
                connection.received.clear();
            }
        }
        for connection in self.connections.extract_if(.., |connection| connection.ended) {
            reactor.close(connection.io);
        }
        active
    }
}

const SMALL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok";
const LARGE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\nCache-Control: no-store\r\n\r\n";

/// Serves requests of a good client beside a flood of `size` connections; returns the largest
/// number of turns and the longest time that a request took.
fn serve_beside(size: usize, seed: u64) -> (usize, Duration) {
    let network = Network::new(seed);
    let clock = network.clock();
    let mut rng = network.fork_rng();
    let mut proxy: Reactor<Mail> = network.reactor("203.0.113.1".parse().unwrap(), Faults::NONE);
    let mut worker = worker(&mut rng);
    worker.listen(&mut proxy, PROXY.parse::<SocketAddr>().unwrap()).unwrap();
    let mut origin = Origin::new(&network);
    let host = Host::new(&network, "198.51.100.66");
    let mut flood = Flood { host, connections: Vec::new(), size, drip_at: clock.now().mono };
    let mut good = Host::new(&network, "198.51.100.9");

    let (mut most_turns, mut longest) = (0, Duration::ZERO);
    for request in 0..REQUESTS {
        let (began, mut turns) = (clock.now().mono, 0);
        let mut connection = good.connect();
        connection.unsent.extend_from_slice(Nuisance::Keeps.greeting().as_bytes());
        while !connection.received.ends_with(b"ok") {
            assert!(!connection.ended, "request {request} was closed");
            let mut metered = Metered::new(&mut worker);
            let turn = proxy.turn(&mut metered, Some(Duration::ZERO)).unwrap();
            metered.end();
            worker.check();
            let others = [flood.turn(&mut rng), origin.turn(), good.turn()];
            connection.go_on(&mut good.reactor, true);
            turns += usize::from(!turn.is_idle());
            if turn.is_idle() && !others.contains(&true) {
                let next = [network.next_arrival(), proxy.next_deadline(), Some(flood.drip_at)];
                clock.advance_to(next.into_iter().flatten().min().unwrap());
            }
            assert!(clock.now().mono - began < Duration::from_secs(5), "request {request} waits");
        }
        let held = metric(&worker, "connection_bytes");
        assert!(held <= MEMORY + MEMORY / 2, "{held} bytes are held for connections");
        most_turns = most_turns.max(turns);
        longest = longest.max(clock.now().mono - began);
        good.reactor.close(connection.io);
        clock.advance(Duration::from_millis(300));
    }
    worker.abort(&mut proxy);
    (most_turns, longest)
}

fn metric(worker: &Worker, name: &str) -> u64 {
    let metrics = worker.stats(&LoopStats::default(), VirtualClock::default().now()).prometheus();
    let name = format!("tidegate_{name} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

fn worker(rng: &mut Rng) -> Worker {
    let mut settings = Settings::forward("sim");
    settings.destinations.rules = vec!["198.51.100.0/24".parse().unwrap()];
    settings.service.clients = vec!["198.51.100.0/24".parse().unwrap()];
    settings.limits.connection_memory = Bytes(MEMORY);
    let surroundings = Environment {
        resolver: Some(Box::new(Unused)),
        verifier: Box::new(Unused),
        jobs: Box::new(tidegate::proxy::RunAtOnce),
        reclaimer: Box::new(ReclaimAtOnce),
        addresses: Some(vec![PROXY.parse::<SocketAddr>().unwrap().ip()]),
        log: Box::new(NoLog),
        secret: [rng.next(), rng.next()],
    };
    Worker::new(settings, surroundings, PLACES)
}

#[test]
fn client_is_served_beside_a_flood_from_another_address() {
    sim::explore(0..20, |seed| {
        let (alone, _) = serve_beside(0, seed);
        let (turns, longest) = serve_beside(FLOOD, seed);
        assert!(turns <= 3 * alone + 10, "{turns} turns beside a flood, {alone} without");
        assert!(longest < Duration::from_millis(1500), "{longest:?} beside a flood");
    });
}
