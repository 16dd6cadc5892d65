//! Cost of look-ups that need no query: a stored answer, a name of the hosts file, and parsing a
//! response.

use std::net::SocketAddr;
use std::task::Poll;

use divan::{Bencher, black_box};
use tidegate::dns::{Kind, Name, Resolution, Response, query};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    App, Arena, Driven, Event, NameSource, NameSources, Reactor, Resolver, ResolverLimits,
    SocketId, Token,
};

fn main() {
    divan::main();
}

const SERVER: &str = "192.0.2.53:53";
const KNOWN: &str = "known.example.test";

struct Thing;
impl Driven for Thing {
    const KIND: u8 = 0;
}

struct Asked;
impl Driven for Asked {
    const KIND: u8 = 1;
}

/// A program that drives the resolver for every event.
struct Asking(Resolver);
impl App for Asking {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        if let Event::Drive(token, _) = event {
            self.0.drive(reactor, token);
        }
    }
}

/// A server with one address for every name.
struct Server(SocketId);
impl App for Server {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        let mut question = Vec::with_capacity(600);
        while let Poll::Ready(Ok(from)) = reactor.recv_datagram(self.0, &mut question) {
            let _ = reactor.send_datagram(self.0, &response(&question), Some(from));
            question.clear();
        }
    }
}

/// Returns the response to a query: one address for a query for IPv4, none otherwise.
fn response(query: &[u8]) -> Vec<u8> {
    let mut response = query[..query.len() - 11].to_vec(); // without the EDNS record
    let answers = u8::from(response.ends_with(&[0, 1, 0, 1]));
    response[2..4].copy_from_slice(&[0x81, 0x80]);
    response[7] = answers;
    response[11] = 0;
    if answers == 1 {
        response.extend(b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x01");
    }
    response
}

fn tokens() -> [Token; 2] {
    let mut arena = Arena::new();
    [arena.insert(Thing).token(), arena.insert(Thing).token()]
}

/// Creates a resolver with one stored answer of its server, and one name of the hosts file.
fn resolver() -> (Reactor<()>, Resolver, Token) {
    let server: SocketAddr = SERVER.parse().expect("an address");
    let network = Network::new(0);
    let mut there = network.reactor(server.ip(), Faults::NONE);
    let mut here: Reactor<()> = network.reactor([192, 0, 2, 1].into(), Faults::NONE);
    let [owner, waiter] = tokens();
    let mut program = Server(there.bind_datagrams(server, owner).expect("a free address"));
    let sources = NameSources {
        hosts: NameSource::Text("192.0.2.7 printer.test".into()),
        resolv_conf: NameSource::Text(String::new()),
        servers: vec![server],
        ..NameSources::default()
    };
    let resolver = Resolver::new::<Asked>(sources, ResolverLimits::default(), [7; 32]);
    let mut asking = Asking(resolver);
    for _ in 0..10 {
        let _ = asking.0.look_up(&mut here, KNOWN, waiter, None);
        here.turn(&mut asking, Some(std::time::Duration::ZERO)).expect("a simulated network");
        there.turn(&mut program, Some(std::time::Duration::ZERO)).expect("a simulated network");
    }
    (here, asking.0, waiter)
}

#[divan::bench]
fn known(bencher: Bencher<'_, '_>) {
    let (mut reactor, mut resolver, waiter) = resolver();
    bencher.bench_local(|| {
        let found = resolver.look_up(&mut reactor, black_box(KNOWN), waiter, None);
        assert!(matches!(found, Poll::Ready(Ok(_))));
    });
}

#[divan::bench]
fn in_the_file_of_hosts(bencher: Bencher<'_, '_>) {
    let (mut reactor, mut resolver, waiter) = resolver();
    bencher.bench_local(|| {
        let found = resolver.look_up(&mut reactor, black_box("printer.test"), waiter, None);
        assert!(matches!(found, Poll::Ready(Ok(_))));
    });
}

#[divan::bench]
fn read_a_response(bencher: Bencher<'_, '_>) {
    let name = Name::parse(KNOWN).expect("a name");
    let message = response(&query(7, &name, Kind::A, true));
    bencher.bench(|| {
        let response = Response::read(black_box(&message)).expect("a response");
        Resolution::of(&response, &name, Kind::A, 0)
    });
}
