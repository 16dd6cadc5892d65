//! Responses on reused connections: bytes that the origin sent before a request reached it are
//! never part of the response to that request.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use tidegate::auth::VerifyJob;
use tidegate::http::{ClientCodec, ClientEvent, HeadLimits, Method};
use tidegate::proxy::{
    Environment, Mail, NameResolver, NoLog, PasswordVerifier, ReclaimAtOnce, RunAtOnce, Settings,
    Worker,
};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Listener, Reactor, SocketId, Token};

const PROXY: &str = "203.0.113.1:3128";
const ORIGIN: &str = "198.51.100.1:80";
/// Byte of the input that is replaced by the tag of the present request.
const TAG: u8 = b'#';
/// Byte of the input after which the rest is sent a moment later.
const LATER: u8 = 0xfe;
/// Byte of the input after which the rest is the response to the next request.
const NEXT: u8 = 0xff;
const MAX_REQUESTS: usize = 8;
/// Tags of all requests. No other byte that the origin sends is one of them.
const TAGS: std::ops::Range<u8> = 0xa0..0xa8;
const METHODS: [&str; 4] = ["GET", "HEAD", "GET", "POST"];

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

struct Thing;

impl Driven for Thing {
    const KIND: u8 = 0;
}

struct Watched;

impl App for Watched {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

/// The proxy, and a host that acts as both client and origin.
struct Stage {
    network: Network,
    proxy: Reactor<Mail>,
    worker: Worker,
    outside: Reactor<()>,
    owner: Token,
    listener: Listener,
    /// Connections on the origin's side, the newest last.
    connections: Vec<(SocketId, Vec<u8>)>,
}

impl Stage {
    fn new() -> Self {
        let network = Network::new(1);
        let host = |address: &str| address.parse::<SocketAddr>().unwrap().ip();
        let mut proxy = network.reactor(host(PROXY), Faults::NONE);
        let mut outside = network.reactor(host(ORIGIN), Faults::NONE);
        let mut settings = Settings::forward("sim");
        settings.destinations.rules = vec!["198.51.100.0/24".parse().unwrap()];
        settings.service.clients = vec!["198.51.100.0/24".parse().unwrap()];
        let surroundings = Environment {
            resolver: Some(Box::new(Nobody)),
            verifier: Box::new(Nobody),
            jobs: Box::new(RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![host(PROXY)]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, surroundings, 100);
        worker.listen(&mut proxy, PROXY.parse::<SocketAddr>().unwrap()).unwrap();
        let owner = Arena::new().insert(Thing).token();
        let listener =
            Listener::bind(&mut outside, ORIGIN.parse::<SocketAddr>().unwrap(), owner).unwrap();
        Self { network, proxy, worker, outside, owner, listener, connections: Vec::new() }
    }

    /// Turns both hosts until nothing happens, while the origin accepts and receives.
    fn settle(&mut self) {
        loop {
            let here = self.proxy.turn(&mut self.worker, Some(Duration::ZERO)).unwrap();
            self.worker.check();
            let there = self.outside.turn(&mut Watched, Some(Duration::ZERO)).unwrap();
            let mut accepted = Vec::new();
            self.listener.accept(&mut self.outside, usize::MAX, &mut accepted);
            for (io, _) in accepted {
                self.outside.set_owner(io, self.owner);
                self.connections.push((io, Vec::new()));
            }
            for (io, received) in &mut self.connections {
                receive(&mut self.outside, *io, received);
            }
            if here.is_idle() && there.is_idle() {
                return;
            }
        }
    }

    /// Returns the origin's connection with a waiting request, if any.
    fn take_request(&mut self) -> Option<SocketId> {
        let waiting = self.connections.iter_mut().find(|(_, received)| !received.is_empty())?;
        waiting.1.clear();
        Some(waiting.0)
    }

    fn send(&mut self, io: SocketId, bytes: &[u8]) {
        if !bytes.is_empty() {
            let _ = self.outside.send(io, &[IoSlice::new(bytes)]); // the connection may be closed
        }
        self.settle();
    }
}

/// Appends received bytes. Returns true while the stream is open.
fn receive(reactor: &mut Reactor<()>, io: SocketId, into: &mut Vec<u8>) -> bool {
    loop {
        into.reserve(4096);
        match reactor.recv(io, into) {
            Poll::Ready(Ok(0) | Err(_)) => return false,
            Poll::Ready(Ok(_)) => {}
            Poll::Pending => return true,
        }
    }
}

/// Sends requests of one client, each answered by the origin with the next piece of the input.
pub fn rules(input: &[u8]) {
    let mut stage = Stage::new();
    let mut client = None;
    for (number, piece) in input.split(|&byte| byte == NEXT).take(MAX_REQUESTS).enumerate() {
        let tag = TAGS.start + u8::try_from(number).unwrap();
        let method = METHODS[number % METHODS.len()];
        let io = *client.get_or_insert_with(|| {
            let io = stage.outside.connect(PROXY.parse().unwrap(), stage.owner).unwrap();
            stage.settle();
            assert!(stage.outside.connected(io).is_ready());
            io
        });
        let request = format!(
            "{method} http://198.51.100.1/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        );
        stage.send(io, request.as_bytes());
        let mut origin = stage.take_request();
        for part in piece.split(|&byte| byte == LATER) {
            let tagged = |&byte: &u8| match byte {
                TAG => tag,
                byte if TAGS.contains(&byte) => b'.',
                byte => byte,
            };
            let part: Vec<u8> = part.iter().map(tagged).collect();
            if let Some(origin) = origin {
                stage.send(origin, &part);
            }
            // A request that the proxy repeats is answered by the rest of the same piece.
            origin = stage.take_request().or(origin);
            stage.network.advance(Duration::from_millis(200));
            stage.settle();
        }
        let mut answer = Vec::new();
        let goes_on = receive(&mut stage.outside, io, &mut answer);
        judge(&answer, method, tag);
        if !goes_on || !is_whole(&answer, method) {
            stage.outside.close(io);
            stage.settle();
            client = None;
        }
    }
}

/// The content of a response never contains the tag of another request.
fn judge(answer: &[u8], method: &str, tag: u8) {
    for byte in content(answer, method).0 {
        assert!(!TAGS.contains(&byte) || byte == tag, "{}", answer.escape_ascii());
    }
}

fn is_whole(answer: &[u8], method: &str) -> bool {
    content(answer, method).1
}

/// Returns the content of a response of the origin, and true if the response is complete.
fn content(answer: &[u8], method: &str) -> (Vec<u8>, bool) {
    let method = if method == "HEAD" { Method::Head } else { Method::Get };
    let mut codec = ClientCodec::new(method);
    let (mut at, mut content, mut own) = (0, Vec::new(), false);
    loop {
        let decoded = codec.decode(&answer[at..], &HeadLimits::default());
        let (used, event) = decoded.expect("the proxy sends well-formed answers");
        match event {
            Some(ClientEvent::Response(head)) => {
                own = head.fields().all_named(b"Proxy-Status").next().is_some();
            }
            Some(ClientEvent::Content(range)) if !own => {
                content.extend_from_slice(&answer[at..][range]);
            }
            Some(ClientEvent::End(_)) => return (content, true),
            None if used == 0 => return (content, false),
            _ => {}
        }
        at += used;
    }
}
