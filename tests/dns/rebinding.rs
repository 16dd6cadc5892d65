//! A name server that changes its answer between the check and the dial, and the whole proxy.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tidegate::auth::Job;
use tidegate::proxy::{Hasher, Mail, NoLog, ReclaimAtOnce, Settings, Surroundings, Worker};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{Active, App, Arena, Event, Io, NameSources, Reactor, Source, Token};

use crate::server::Server;

const NOW: Option<Duration> = Some(Duration::ZERO);
const PROXY: &str = "203.0.113.1:3128";
const OUTSIDE: &str = "93.184.216.34:80";
const INSIDE: &str = "10.0.0.1:80";
const NAMES: &str = "203.0.113.53:53";

#[derive(Debug)]
struct Nobody;

impl Hasher for Nobody {
    fn ask(&mut self, _: Job) -> bool {
        false
    }
}

struct Peer;
impl Active for Peer {
    const KIND: u8 = 0;
}

/// A client, and two origins that answer everything alike and count.
struct Peers {
    token: Token,
    listeners: [Io; 2],
    accepted: [usize; 2],
    origins: Vec<Io>,
    client: Option<Io>,
    heard: Vec<u8>,
}

impl App for Peers {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        for (listener, count) in self.listeners.into_iter().zip(&mut self.accepted) {
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
        if let Some(client) = self.client {
            self.heard.reserve(4000);
            let _ = reactor.recv(client, &mut self.heard);
        }
    }
}

struct Scene {
    network: Network,
    proxy: Reactor<Mail>,
    worker: Worker,
    outside: Reactor<()>,
    peers: Peers,
    names: Server,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Scene {
    fn new() -> Self {
        let network = Network::new(0);
        let mut proxy = network.reactor(address(PROXY).ip(), Faults::NONE);
        let mut outside: Reactor<()> = network.reactor([203, 0, 113, 9].into(), Faults::NONE);
        let mut settings = Settings::forward("gate");
        settings.clients = vec!["203.0.113.0/24".parse().unwrap()];
        settings.name_sources = NameSources {
            hosts: Source::Text(String::new()),
            resolv_conf: Source::Text(String::new()),
            servers: vec![address(NAMES)],
        };
        let surroundings = Surroundings {
            resolver: None,
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(Vec::new()),
            hasher: Box::new(Nobody),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, surroundings, 100);
        worker.listen(&mut proxy, address(PROXY)).unwrap();
        let token = Arena::new().insert(Peer).token();
        let listeners = [OUTSIDE, INSIDE].map(|at| outside.listen(address(at), token).unwrap());
        let names = Server::new(&network, address(NAMES), Faults::NONE);
        let peers = Peers {
            token,
            listeners,
            accepted: [0; 2],
            origins: Vec::new(),
            client: None,
            heard: Vec::new(),
        };
        Self { network, proxy, worker, outside, peers, names }
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            let proxy = self.proxy.turn(&mut self.worker, NOW).unwrap().is_idle();
            let outside = self.outside.turn(&mut self.peers, NOW).unwrap().is_idle();
            if !self.names.turn() && proxy && outside {
                match self.network.next_arrival() {
                    Some(at) => self.network.clock().advance_to(at),
                    None => return,
                }
            }
        }
        panic!("it never ends");
    }

    /// What is answered to a client that asks for something of `host`.
    fn get(&mut self, host: &str) -> String {
        self.ask(host);
        self.heard()
    }

    fn ask(&mut self, host: &str) {
        let client = self.outside.connect(address(PROXY), self.peers.token).unwrap();
        self.peers.client = Some(client);
        self.peers.heard.clear();
        self.settle();
        let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(self.outside.send(client, &[IoSlice::new(request.as_bytes())]).is_ready());
        self.settle();
    }

    fn heard(&mut self) -> String {
        if let Some(client) = self.peers.client.take() {
            self.outside.close(client);
        }
        String::from_utf8(self.peers.heard.clone()).unwrap()
    }

    /// The same, for a question that takes its time.
    fn wait_for_answer(&mut self, host: &str) -> String {
        self.ask(host);
        while self.peers.heard.is_empty() {
            let deadline = self.proxy.next_deadline().expect("it waits for something");
            self.network.clock().advance_to(deadline);
            self.settle();
        }
        self.heard()
    }

    fn asked(&self) -> usize {
        self.names.zone.heard.len()
    }
}

#[test]
fn the_address_that_was_judged_is_dialled_and_the_next_one_is_judged_again() {
    let mut scene = Scene::new();
    scene.names.add("moves.test 0 A 93.184.216.34");
    scene.names.zone.then.insert("moves.test".into(), vec!["moves.test 0 A 10.0.0.1".into()]);
    let first = scene.get("moves.test");
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert_eq!(scene.peers.accepted, [1, 0]);
    assert_eq!(scene.asked(), 2, "one question of each kind; none between check and dial");
    scene.network.advance(Duration::from_secs(1)); // as long as addresses are kept at least
    let second = scene.get("moves.test");
    assert!(second.starts_with("HTTP/1.1 403"), "{second}");
    assert!(second.contains("moves.test resolves to 10.0.0.1"), "{second}");
    assert_eq!(scene.peers.accepted, [1, 0], "what is denied is never dialled");
    assert_eq!(scene.asked(), 4);
}

#[test]
fn of_several_addresses_only_those_are_dialled_that_may_be() {
    let mut scene = Scene::new();
    scene.names.add("both.test 60 A 10.0.0.1");
    scene.names.add("both.test 60 A 93.184.216.34");
    scene.names.add("inner.test 60 CNAME moved.test");
    scene.names.add("moved.test 60 A 10.0.0.1");
    assert!(scene.get("both.test").starts_with("HTTP/1.1 200"));
    assert!(scene.get("inner.test").starts_with("HTTP/1.1 403"));
    assert!(scene.get("localhost").starts_with("HTTP/1.1 403"));
    assert_eq!(scene.peers.accepted, [1, 0]);
    assert!(!scene.names.zone.heard.iter().any(|heard| heard.0 == "localhost"));
}

#[test]
fn what_became_of_a_name_is_said() {
    let mut scene = Scene::new();
    let gone = scene.get("gone.test");
    assert!(gone.starts_with("HTTP/1.1 502") && gone.contains("no such name"), "{gone}");
    assert!(gone.contains("error=dns_error"), "{gone}");
    scene.names.zone.manner = crate::server::Manner::Code(2);
    let failed = scene.get("other.test");
    assert!(failed.contains("203.0.113.53:53 says SERVFAIL (1 server, 1 attempt)"), "{failed}");
    scene.names.zone.manner = crate::server::Manner::Silent;
    assert_eq!(scene.get("silent.test"), "", "it is being asked for");
    let silent = scene.wait_for_answer("silent.test");
    assert!(silent.starts_with("HTTP/1.1 504") && silent.contains("error=dns_timeout"), "{silent}");
    let text = "not resolved in time: no answer from 203.0.113.53:53 (1 server, 4 attempts)";
    assert!(silent.contains(text), "{silent}");
    let asked = scene.asked();
    let wrong = scene.get("a~b.test");
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    assert_eq!(scene.asked(), asked, "what is no name is not asked for");
}
