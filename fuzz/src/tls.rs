//! TLS on connections: what a peer sends, and what the network does, never makes a layer panic, work
//! without bound, or deliver content that was not sent.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Layer, Reactor, SocketId, Token};
use tidegate::tls::{
    Certificate, Certificates, OriginTls, OriginTlsOptions, Problem, ServerLayer, ServerTls,
    ServerTlsOptions, TimeProvider, WallTime, certificates_of, key_of,
};
use tidegate::work;

const THERE: &str = "192.0.2.1:443";
/// Most steps of an operation: a batch of records, or a flight of messages and what was received.
const MOST_STEPS: u64 = 500_000;
/// Most bytes that a layer holds: a batch of records, and messages of the protocol.
const MOST_HELD: usize = 4 * (16 * 1024 + 64) + 4096;
/// Most bytes that one side sends.
const MOST_CONTENT: usize = 200_000;

struct Quiet;

impl App for Quiet {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

struct Owner;

impl Driven for Owner {
    const KIND: u8 = 0;
}

/// A host whose connections have layers, and one whose connections are plain.
struct Stage {
    network: Network,
    here: Reactor<()>,
    there: Reactor<()>,
    listener: SocketId,
    owner: Token,
}

impl Stage {
    fn new() -> Self {
        let network = Network::new(0);
        let here = network.reactor("192.0.2.2".parse().unwrap(), Faults::NONE);
        let mut there: Reactor<()> = network.reactor("192.0.2.1".parse().unwrap(), Faults::NONE);
        let owner = Arena::new().insert(Owner).token();
        let listener = there.listen(THERE.parse::<SocketAddr>().unwrap(), owner).unwrap();
        Self { network, here, there, listener, owner }
    }

    /// Makes a connection, and returns both of its ends.
    fn connect(&mut self, layer: Box<dyn Layer>) -> (SocketId, SocketId) {
        let here = self.here.connect(THERE.parse().unwrap(), self.owner).unwrap();
        self.settle();
        assert!(self.here.connected(here).is_ready());
        let Poll::Ready(Ok((there, _))) = self.there.accept(self.listener) else {
            panic!("no connection")
        };
        self.there.set_owner(there, self.owner);
        self.here.secure(here, layer);
        self.settle();
        (here, there)
    }

    fn settle(&mut self) {
        loop {
            let turns =
                [&mut self.here, &mut self.there].map(|host| host.turn(&mut Quiet, NOW).unwrap());
            if turns.iter().all(|turn| turn.is_idle()) {
                let Some(next) = self.network.next_arrival() else { return };
                self.network.clock().advance_to(next);
            }
        }
    }

    fn client(&self) -> Box<dyn Layer> {
        let authorities = certificates_of(include_bytes!("../../tests/pki/ca.pem")).unwrap();
        let options = OriginTlsOptions { authorities, ..OriginTlsOptions::default() };
        Box::new(OriginTls::new(options, &self.time()).unwrap().layer("o.test").unwrap())
    }

    fn server(&self) -> Box<dyn Layer> {
        let chain = certificates_of(include_bytes!("../../tests/pki/server.pem")).unwrap();
        let key = key_of(include_bytes!("../../tests/pki/server.key")).unwrap();
        let certificate = Certificate::new(chain, key, self.here.now().wall).unwrap();
        let certificates = Certificates::new(vec![certificate], false);
        let options = ServerTlsOptions { certificates, ..ServerTlsOptions::default() };
        let tls = ServerTls::new(options, &self.time()).unwrap();
        Box::new(ServerLayer::new(Arc::new(tls)))
    }

    fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(WallTime(self.network.clock()))
    }
}

const NOW: Option<Duration> = Some(Duration::ZERO);

/// Runs an operation and checks its work.
fn metered<T>(operation: impl FnOnce() -> T) -> T {
    let before = work::counted();
    let result = operation();
    let steps = work::counted() - before;
    assert!(steps <= MOST_STEPS, "an operation took {steps} steps");
    result
}

/// Sends the bytes to a server, split as the first bytes say.
pub fn server(data: &[u8]) {
    let stage = Stage::new();
    let layer = stage.server();
    bytes_only(stage, layer, data);
}

/// Sends the bytes to a client, split as the first bytes say.
pub fn client(data: &[u8]) {
    let stage = Stage::new();
    let layer = stage.client();
    bytes_only(stage, layer, data);
}

/// Feeds a layer with bytes of a peer that has no keys: the handshake never completes.
fn bytes_only(mut stage: Stage, layer: Box<dyn Layer>, data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (lengths, mut rest) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let (io, peer) = stage.connect(layer);
    let mut failure = None;
    for length in lengths.iter().map(|&length| usize::from(length)).chain([4096, 100_000]) {
        let (now, later) = rest.split_at(rest.len().min(length));
        rest = later;
        let mut unsent = now;
        while let Poll::Ready(Ok(n)) = stage.there.send(peer, &[IoSlice::new(unsent)]) {
            unsent = &unsent[n..];
            stage.settle();
            let operation = length % 4;
            failure = failure.or_else(|| advance(&mut stage.here, io, operation));
            stage.settle();
            if unsent.is_empty() || failure.is_some() {
                break;
            }
        }
        assert!(stage.here.held(io) <= MOST_HELD);
    }
    let _ = stage.there.shutdown(peer);
    stage.settle();
    // The end of the stream ends what the bytes have not.
    failure = failure.or_else(|| advance(&mut stage.here, io, 0));
    let failure = failure.expect("the handshake of a peer without keys ends");
    let problem = Problem::of(&failure);
    assert!(!problem.text.is_empty() && !problem.word.is_empty());
    assert!(!matches!(stage.here.send(io, &[IoSlice::new(b"x")]), Poll::Ready(Ok(_))));
    let mut content = Vec::with_capacity(100);
    assert!(!matches!(stage.here.recv(io, &mut content), Poll::Ready(Ok(_))));
    stage.here.close(io);
    stage.settle();
    check_records(&mut stage.there, peer);
}

/// Continues a handshake that cannot complete, by one of the operations that do; returns its error.
fn advance(reactor: &mut Reactor<()>, io: SocketId, operation: usize) -> Option<io::Error> {
    let mut content = Vec::with_capacity(100);
    for _ in 0..100 {
        let result = metered(|| match operation {
            1 => reactor.recv(io, &mut content).map_ok(|_| ()),
            2 => reactor.send(io, &[IoSlice::new(b"x")]).map_ok(|_| ()),
            _ => reactor.handshake(io),
        });
        match result {
            Poll::Ready(Ok(())) => panic!("a peer without keys has completed the handshake"),
            Poll::Ready(Err(error)) => return Some(error),
            Poll::Pending => {}
        }
    }
    None
}

/// Checks that the bytes that a layer has sent are records.
fn check_records(reactor: &mut Reactor<()>, io: SocketId) {
    let mut bytes = Vec::with_capacity(1 << 20);
    while let Poll::Ready(Ok(1..)) = reactor.recv(io, &mut bytes) {}
    let mut rest = &bytes[..];
    while let [typ, 3, 1..=4, high, low, after @ ..] = rest {
        assert!((20..=23).contains(typ), "a record of type {typ}");
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        assert!(length <= 16_384 + 256 && after.len() >= length);
        rest = &after[length..];
    }
    assert!(rest.is_empty(), "bytes that are no record");
}

/// One of two layers that speak to each other.
struct End {
    io: SocketId,
    /// The end of the connection from which bytes are relayed.
    relay: SocketId,
    /// Bytes of the layer that were not relayed to the other one.
    wire: Vec<u8>,
    /// Content that was reported as sent, and that was offered.
    sent: usize,
    offered: usize,
    received: usize,
    /// The end of the content was declared.
    is_shut: bool,
    /// The stream from this layer to the other one has ended, before its last byte if `is_cut`.
    has_ended: bool,
    is_cut: bool,
    is_closed: bool,
    /// Bytes to this layer were changed. It declares no end then: an alert that follows the own end
    /// fails an assertion of rustls in debug builds.
    is_fooled: bool,
    /// Result of receiving: the end, or an error.
    end: Option<bool>,
}

impl End {
    const fn new((io, relay): (SocketId, SocketId)) -> Self {
        Self {
            io,
            relay,
            wire: Vec::new(),
            sent: 0,
            offered: 0,
            received: 0,
            is_shut: false,
            has_ended: false,
            is_cut: false,
            is_closed: false,
            is_fooled: false,
            end: None,
        }
    }

    fn send(&mut self, reactor: &mut Reactor<()>, length: usize) {
        if self.is_shut || self.is_closed {
            return;
        }
        self.offered = self.offered.max(self.sent + length).min(MOST_CONTENT);
        let content: Vec<u8> = (self.sent..self.offered).map(byte_at).collect();
        if content.is_empty() {
            return;
        }
        let (first, rest) = content.split_at(content.len() / 3);
        let slices = [first, &[], rest].map(IoSlice::new);
        if let Poll::Ready(Ok(n)) = metered(|| reactor.send(self.io, &slices)) {
            assert!(n > 0 && n <= content.len());
            self.sent += n;
        }
        assert!(reactor.held(self.io) <= MOST_HELD);
    }

    fn shutdown(&mut self, reactor: &mut Reactor<()>) {
        let is_established = matches!(reactor.handshake(self.io), Poll::Ready(Ok(())));
        if is_established && self.sent == self.offered && !self.is_fooled {
            let _ = reactor.shutdown(self.io);
            self.is_shut = true;
        }
    }

    fn close(&mut self, reactor: &mut Reactor<()>, resets: bool) {
        if resets {
            reactor.reset(self.io);
            self.is_cut = true;
        } else {
            reactor.close(self.io);
            self.is_shut = true; // unless content is in flight, which the receiver misses
        }
        self.is_closed = true;
    }

    /// Receives once; checks the content, and its end. `from` is the other layer.
    fn receive(&mut self, reactor: &mut Reactor<()>, room: usize, from: &Self) -> bool {
        if self.is_closed || self.end.is_some() {
            return false;
        }
        let mut content = Vec::with_capacity(room);
        match metered(|| reactor.recv(self.io, &mut content)) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                assert!(from.is_shut, "an end that was not declared");
                assert_eq!(self.received, from.sent, "the content is truncated");
                self.end = Some(true);
            }
            Poll::Ready(Ok(n)) => {
                assert_eq!(n, content.len());
                let expected = (self.received..self.received + n).map(byte_at);
                assert!(content.into_iter().eq(expected), "other content than was sent");
                self.received += n;
                assert!(self.received <= from.offered);
            }
            Poll::Ready(Err(_)) => self.end = Some(false),
        }
        true
    }

    /// Takes the bytes of the layer off the network.
    fn collect(&mut self, reactor: &mut Reactor<()>) {
        self.wire.reserve(64 * 1024);
        loop {
            match reactor.recv(self.relay, &mut self.wire) {
                Poll::Pending => return,
                Poll::Ready(Ok(1..)) => self.wire.reserve(64 * 1024),
                Poll::Ready(_) => {
                    self.has_ended = true;
                    return;
                }
            }
        }
    }

    /// Relays at most `most` bytes of this layer to the other one, and its end behind the last.
    fn relay(&mut self, reactor: &mut Reactor<()>, to: &Self, most: usize) {
        self.collect(reactor);
        let length = self.wire.len().min(most);
        if length > 0
            && !self.is_cut
            && let Poll::Ready(Ok(n)) =
                reactor.send(to.relay, &[IoSlice::new(&self.wire[..length])])
        {
            self.wire.drain(..n);
        }
        if self.is_cut || (self.has_ended && self.wire.is_empty()) {
            let _ = reactor.shutdown(to.relay);
        }
    }
}

/// Returns the byte of the content at `place`.
fn byte_at(place: usize) -> u8 {
    (place.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0]
}

/// Has a client and a server exchange content over a network that relays, cuts and changes their bytes,
/// in the order that the input says.
pub fn pair(data: &[u8]) {
    let mut stage = Stage::new();
    let (client, server) = (stage.client(), stage.server());
    let mut client = End::new(stage.connect(client));
    let mut server = End::new(stage.connect(server));
    let mut is_harmed = false;
    for operation in data.chunks_exact(2).take(400) {
        let [code, amount] = [operation[0], operation[1]].map(usize::from);
        let length = [1, 16, 256, 1024][amount % 4] * (amount / 4 + 1);
        let (one, other) =
            if code % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
        match code / 2 % 10 {
            0 => _ = metered(|| stage.here.handshake(one.io)),
            1 | 2 => one.send(&mut stage.here, length),
            3 => _ = one.receive(&mut stage.here, length, other),
            4 => one.relay(&mut stage.there, other, length),
            5 => {
                one.relay(&mut stage.there, other, usize::MAX);
                stage.settle();
                other.relay(&mut stage.there, one, usize::MAX);
                stage.settle();
            }
            6 => stage.settle(),
            7 => one.shutdown(&mut stage.here),
            8 if amount < 64 => {
                one.collect(&mut stage.there);
                one.wire.truncate(amount);
                one.relay(&mut stage.there, other, usize::MAX);
                (one.is_cut, is_harmed) = (true, true);
            }
            8 if amount < 128 && !other.is_shut => {
                one.collect(&mut stage.there);
                let place = amount % one.wire.len().max(1);
                if let Some(byte) = one.wire.get_mut(place) {
                    *byte ^= 1 << (amount % 8);
                    (other.is_fooled, is_harmed) = (true, true);
                }
            }
            9 if amount < 64 => {
                one.close(&mut stage.here, amount % 2 == 1);
                is_harmed = true;
            }
            _ => {}
        }
    }
    for end in [&mut client, &mut server] {
        if !end.is_closed && !end.is_shut && is_harmed {
            end.close(&mut stage.here, false);
        }
    }
    finish(&mut stage, [&mut client, &mut server], is_harmed);
}

/// Completes the exchange. Unless the network or an owner has ended it, all content arrives.
fn finish(stage: &mut Stage, [client, server]: [&mut End; 2], is_harmed: bool) {
    for _ in 0..1000 {
        let _ = stage.here.handshake(client.io);
        let _ = stage.here.handshake(server.io);
        for is_up in [true, false] {
            let (one, other) =
                if is_up { (&mut *client, &mut *server) } else { (&mut *server, &mut *client) };
            if one.is_closed || one.is_shut {
            } else if one.sent < one.offered {
                one.send(&mut stage.here, 0);
            } else {
                one.shutdown(&mut stage.here);
            }
            one.relay(&mut stage.there, other, usize::MAX);
            stage.settle();
            while other.receive(&mut stage.here, 5000, one) {}
        }
        if [&client, &server].iter().all(|end| end.is_closed || end.end.is_some()) {
            break;
        }
    }
    if is_harmed {
        return;
    }
    for (one, other) in [(&*client, &*server), (&*server, &*client)] {
        assert_eq!((other.end, other.received), (Some(true), one.offered));
        assert_eq!(stage.here.held(one.io), 0);
    }
}
