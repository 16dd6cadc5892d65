//! The whole proxy, a name server, origins and clients on a simulated network.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::auth::VerifyJob;
use tidegate::proxy::{
    Environment, Mail, NoLog, PasswordVerifier, ReclaimAtOnce, Settings, Worker,
};
use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, NameSource, NameSources, Reactor, SocketId, Token,
};

use crate::server::Server;

const NOW: Option<Duration> = Some(Duration::ZERO);
pub(crate) const PROXY: &str = "203.0.113.1:3128";
pub(crate) const OUTSIDE: &str = "93.184.216.34:80";
pub(crate) const INSIDE: &str = "10.0.0.1:80";
/// The address of the IPv6 origin.
pub(crate) const SIX: &str = "[2606:2800:220:1::1]:80";
const NAMES: &str = "203.0.113.53:53";
/// Addresses of clients; the origins share the first.
const CLIENTS: [&str; 2] = ["203.0.113.9", "203.0.113.77"];

#[derive(Debug)]
struct NoVerifier;

impl PasswordVerifier for NoVerifier {
    fn ask(&mut self, _: VerifyJob, _: usize) -> bool {
        false
    }
}

struct Peer;
impl Driven for Peer {
    const KIND: u8 = 0;
}

/// Clients, and origins that count connections and send the same response to every request.
pub(crate) struct Peers {
    token: Token,
    listeners: Vec<SocketId>,
    pub(crate) accepted: [usize; 3],
    origins: Vec<SocketId>,
    clients: Vec<(SocketId, Vec<u8>)>,
}

impl App for Peers {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        for (&listener, count) in self.listeners.iter().zip(&mut self.accepted) {
            while let Poll::Ready(Ok((io, _))) = reactor.accept(listener) {
                reactor.set_owner(io, self.token);
                *count += 1;
                self.origins.push(io);
            }
        }
        self.origins.retain(|&io| {
            let mut request = Vec::with_capacity(2000);
            match reactor.recv(io, &mut request) {
                Poll::Pending => return true,
                Poll::Ready(Ok(n)) if n > 0 => {
                    let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\
                                   Cache-Control: no-store\r\n\r\nok";
                    assert!(reactor.send(io, &[IoSlice::new(answer)]).is_ready());
                }
                Poll::Ready(_) => {}
            }
            reactor.close(io);
            false
        });
        for (client, heard) in &mut self.clients {
            heard.reserve(4000);
            let _ = reactor.recv(*client, heard);
        }
    }
}

pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) proxy: Reactor<Mail>,
    pub(crate) worker: Worker,
    outside: [(Reactor<()>, Peers); 2],
    pub(crate) names: Server,
}

/// A client with a request: its place, and its number there.
#[derive(Clone, Copy)]
pub(crate) struct Client(usize, usize);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Creates a proxy with changed settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::seeded(0, change)
    }

    /// Creates a proxy whose objects are driven in an order that depends on `seed`.
    pub(crate) fn seeded(seed: u64, change: impl FnOnce(&mut Settings)) -> Self {
        let network = Network::new(seed);
        let shuffled = Faults { shuffle: true, ..Faults::NONE };
        let mut proxy = network.reactor(address(PROXY).ip(), shuffled);
        let mut settings = Settings::forward("gate");
        settings.service.clients = vec!["203.0.113.0/24".parse().unwrap()];
        settings.name_sources = NameSources {
            hosts: NameSource::Text(String::new()),
            resolv_conf: NameSource::Text(String::new()),
            servers: vec![address(NAMES)],
            ..NameSources::default()
        };
        change(&mut settings);
        let surroundings = Environment {
            resolver: None,
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(Vec::new()),
            verifier: Box::new(NoVerifier),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, surroundings, 1000);
        worker.listen(&mut proxy, address(PROXY)).unwrap();
        let token = Arena::new().insert(Peer).token();
        let mut outside = CLIENTS.map(|at| {
            let peers = Peers {
                token,
                listeners: Vec::new(),
                accepted: [0; 3],
                origins: Vec::new(),
                clients: Vec::new(),
            };
            (network.reactor(at.parse().unwrap(), Faults::NONE), peers)
        });
        let (reactor, peers) = &mut outside[0];
        let listen = |at| reactor.listen(address(at), token).unwrap();
        peers.listeners = [OUTSIDE, INSIDE, SIX].map(listen).to_vec();
        let names = Server::new(&network, address(NAMES), Faults::NONE);
        Self { network, proxy, worker, outside, names }
    }

    /// Returns the numbers of connections that the origins have accepted: outside, inside, and
    /// IPv6.
    pub(crate) fn accepted(&self) -> [usize; 3] {
        self.outside[0].1.accepted
    }

    /// Closes the listener of the IPv6 origin.
    pub(crate) fn close_six(&mut self) {
        let (reactor, peers) = &mut self.outside[0];
        reactor.close(peers.listeners[2]);
    }

    /// Turns all reactors but the proxy's. Returns true if any event occurred.
    fn turn_others(&mut self) -> bool {
        let mut busy = self.names.turn();
        for (reactor, peers) in &mut self.outside {
            busy |= !reactor.turn(peers, NOW).unwrap().is_idle();
        }
        busy
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut metered = Metered::new(&mut self.worker);
            let idle = self.proxy.turn(&mut metered, NOW).unwrap().is_idle();
            metered.end();
            self.worker.check();
            if !self.turn_others() && idle {
                match self.network.next_arrival() {
                    Some(at) => self.network.clock().advance_to(at),
                    None => return,
                }
            }
        }
        panic!("the network never becomes idle");
    }

    /// Returns the time of the next timer or arrival.
    fn next(&self) -> Option<Instant> {
        let own = [self.proxy.next_deadline(), self.names.reactor.next_deadline()];
        own.into_iter().flatten().chain(self.network.next_arrival()).min()
    }

    /// Advances the clock by `time`, with turns for all.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.network.clock().now().mono + time;
        loop {
            self.settle();
            match self.next().filter(|&next| next <= end) {
                Some(next) => self.network.clock().advance_to(next),
                None => break,
            }
        }
        self.network.clock().advance_to(end);
        self.settle();
    }

    /// Advances the clock by `time` without a turn of the proxy.
    pub(crate) fn stall(&mut self, time: Duration) {
        let end = self.network.clock().now().mono + time;
        loop {
            while self.turn_others() {}
            let others = [self.network.next_arrival(), self.names.reactor.next_deadline()];
            match others.into_iter().flatten().min().filter(|&next| next <= end) {
                Some(next) => self.network.clock().advance_to(next),
                None => break,
            }
        }
        self.network.clock().advance_to(end);
    }

    /// Returns the response to a request for `host` by a client of the first place.
    pub(crate) fn get(&mut self, host: &str) -> String {
        let client = self.ask(host, 0);
        self.heard(client)
    }

    /// Sends a request for `host` from a client at one of the two places.
    pub(crate) fn ask(&mut self, host: &str, place: usize) -> Client {
        let (reactor, peers) = &mut self.outside[place];
        let client = reactor.connect(address(PROXY), peers.token).unwrap();
        peers.clients.push((client, Vec::new()));
        let number = peers.clients.len() - 1;
        self.settle();
        let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let reactor = &mut self.outside[place].0;
        assert!(reactor.send(client, &[IoSlice::new(request.as_bytes())]).is_ready());
        Client(place, number)
    }

    /// Returns the response bytes that the client has received so far.
    pub(crate) fn heard(&mut self, client: Client) -> String {
        self.settle();
        String::from_utf8(self.outside[client.0].1.clients[client.1].1.clone()).unwrap()
    }

    /// Waits for the response to the client, and returns it.
    pub(crate) fn wait_for_answer(&mut self, client: Client) -> String {
        loop {
            let heard = self.heard(client);
            if !heard.is_empty() {
                return heard;
            }
            let next = self.next().expect("no timer is set");
            self.network.clock().advance_to(next);
        }
    }

    /// Resets the client's connection.
    pub(crate) fn close(&mut self, client: Client) {
        let (reactor, peers) = &mut self.outside[client.0];
        reactor.reset(peers.clients[client.1].0);
        self.settle();
    }

    pub(crate) fn asked(&self) -> usize {
        self.names.zone.heard.len()
    }
}
