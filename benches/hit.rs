//! A stored 1 KiB response, requested over a persistent connection: all the work of the proxy
//! itself. The network is simulated, which excludes system calls and includes the bookkeeping of
//! the simulation.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use divan::Bencher;
use tidegate::auth::VerifyJob;
use tidegate::proxy::{
    Environment, Mail, NameResolver, NoLog, PasswordVerifier, ReclaimAtOnce, Service, Settings,
    Sites, Worker,
};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor, SocketId, Token};
use tidegate_benches::BROWSER;

fn main() {
    divan::main();
}

const PROXY: &str = "192.0.2.1:80";
const ORIGIN: &str = "192.0.2.2:80";

#[derive(Debug)]
struct Nobody;

impl NameResolver for Nobody {
    fn ask(&mut self, _: &str, _: Option<IpAddr>) {}
}

impl PasswordVerifier for Nobody {
    fn ask(&mut self, _: VerifyJob, _: usize) -> bool {
        false
    }
}

/// The host of client and origin, which needs no drives here.
struct Outside;

impl App for Outside {
    type Mail = ();

    fn handle(&mut self, _reactor: &mut Reactor<()>, _event: Event<()>) {}
}

impl Driven for Outside {
    const KIND: u8 = 0;
}

struct Bench {
    proxy: Reactor<Mail>,
    worker: Worker,
    outside: Reactor<()>,
    client: SocketId,
}

impl Bench {
    /// Creates a proxy with the response stored, and a connected client.
    fn new() -> Self {
        let network = Network::new(0);
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let host = |text: &str| -> IpAddr { address(text).ip() };
        let mut proxy = network.reactor(host(PROXY), Faults::NONE);
        let mut outside = network.reactor(host(ORIGIN), Faults::NONE);
        let mut settings = Settings::forward("bench");
        settings.service =
            Service::reverse(Sites::of_origin(format!("http://{ORIGIN}").parse().expect("a URL")));
        let surroundings = Environment {
            resolver: Some(Box::new(Nobody)),
            verifier: Box::new(Nobody),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![host(PROXY)]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, surroundings, 100);
        worker.listen(&mut proxy, address(PROXY)).expect("a free address");

        let owner: Token = Arena::new().insert(Outside).token();
        let listener = outside.listen(address(ORIGIN), owner).expect("a free address");
        let client = outside.connect(address(PROXY), owner).expect("a simulated network");
        let mut bench = Self { proxy, worker, outside, client };
        bench.turn();
        bench.send();
        bench.turn();
        let Poll::Ready(Ok((origin, _))) = bench.outside.accept(listener) else {
            panic!("the proxy has not connected to the origin")
        };
        let body = "x".repeat(1024);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: bench\r\n\
             Cache-Control: max-age=3600\r\nETag: \"1\"\r\nContent-Type: text/plain\r\n\
             Content-Length: 1024\r\n\r\n{body}"
        );
        let sent = bench.outside.send(origin, &[IoSlice::new(answer.as_bytes())]);
        assert!(sent.is_ready());
        bench.turn();
        assert!(bench.receive().len() > 1024);
        bench
    }

    fn turn(&mut self) {
        for _ in 0..4 {
            self.outside.turn(&mut Outside, Some(Duration::ZERO)).expect("a simulated network");
            self.proxy.turn(&mut self.worker, Some(Duration::ZERO)).expect("a simulated network");
        }
        self.outside.turn(&mut Outside, Some(Duration::ZERO)).expect("a simulated network");
    }

    fn send(&mut self) {
        assert!(self.outside.send(self.client, &[IoSlice::new(BROWSER)]).is_ready());
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut answer = Vec::with_capacity(8192);
        assert!(self.outside.recv(self.client, &mut answer).is_ready());
        answer
    }
}

#[divan::bench]
fn one_kibibyte(bencher: Bencher<'_, '_>) {
    let mut bench = Bench::new();
    bencher.bench_local(|| {
        bench.send();
        bench.proxy.turn(&mut bench.worker, Some(Duration::ZERO)).expect("a simulated network");
        bench.outside.turn(&mut Outside, Some(Duration::ZERO)).expect("a simulated network");
        bench.receive()
    });
}
