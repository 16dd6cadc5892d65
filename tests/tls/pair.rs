//! Two hosts of a simulated network, and connections between them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor, SocketId, Token};
use tidegate::tls::{OriginTls, ServerLayer, ServerTls};

use crate::pki;

const SERVER: &str = "192.0.2.1:443";

/// A program whose sockets are used by the test between two turns.
pub(crate) struct Quiet;

impl App for Quiet {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

struct Owner;

impl Driven for Owner {
    const KIND: u8 = 0;
}

/// A host with its end of the connection.
pub(crate) struct Side {
    pub(crate) reactor: Reactor<()>,
    pub(crate) io: SocketId,
    owner: Token,
}

/// A client and a server, with a connection.
pub(crate) struct Pair {
    pub(crate) network: Network,
    pub(crate) client: Side,
    pub(crate) server: Side,
    listener: SocketId,
    client_tls: Arc<OriginTls>,
    server_tls: Arc<ServerTls>,
}

/// What a receiver gets until its stream ends.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) content: Vec<u8>,
    /// `None` as long as the stream has not ended.
    pub(crate) end: Option<io::Result<()>>,
}

impl Received {
    /// Returns true if the end was declared.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.end, Some(Ok(())))
    }

    /// Returns true if the stream has failed.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self.end, Some(Err(_)))
    }
}

impl Side {
    pub(crate) fn turn(&mut self) -> bool {
        self.reactor.turn(&mut Quiet, Some(Duration::ZERO)).unwrap().is_idle()
    }

    pub(crate) fn send(&mut self, content: &[u8]) -> Poll<io::Result<usize>> {
        self.reactor.send(self.io, &[IoSlice::new(content)])
    }

    /// Sends bytes that fit the connection.
    pub(crate) fn send_all(&mut self, content: &[u8]) {
        assert!(matches!(self.send(content), Poll::Ready(Ok(n)) if n == content.len()));
    }

    pub(crate) fn recv(&mut self, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut into = Vec::with_capacity(room);
        self.reactor.recv(self.io, &mut into).map_ok(|n| {
            assert_eq!(n, into.len());
            into
        })
    }

    pub(crate) fn handshake(&mut self) -> Poll<io::Result<()>> {
        self.reactor.handshake(self.io)
    }

    pub(crate) fn close(&mut self) {
        self.reactor.close(self.io);
    }

    /// Ends the stream as a process that dies does, without a word of the layer.
    pub(crate) fn die(&mut self) {
        self.reactor.strip(self.io);
        self.reactor.shutdown(self.io).unwrap(); // a close may reset the connection
    }
}

impl Pair {
    /// Connects a client to a server without TLS.
    pub(crate) fn plain(seed: u64, client: Faults, server: Faults) -> Self {
        let network = Network::new(seed);
        let owner = Arena::new().insert(Owner).token();
        let mut reactor = network.reactor("192.0.2.1".parse().unwrap(), server);
        let listener = reactor.listen(address(), owner).unwrap();
        let server = Side { reactor, io: listener, owner };
        let mut reactor = network.reactor("192.0.2.2".parse().unwrap(), client);
        let io = reactor.connect(address(), owner).unwrap();
        let client = Side { reactor, io, owner };
        let client_tls = pki::origin_tls(&network.clock());
        let server_tls = pki::server_tls(&network.clock());
        let mut pair = Self { network, client, server, listener, client_tls, server_tls };
        pair.accept();
        pair
    }

    /// Connects a client to a server, and completes the handshake.
    pub(crate) fn secure(seed: u64, client: Faults, server: Faults) -> Self {
        let mut pair = Self::plain(seed, client, server);
        pair.secure_client();
        pair.secure_server();
        pair.shake_hands();
        pair
    }

    pub(crate) fn without_faults() -> Self {
        Self::secure(0, Faults::NONE, Faults::NONE)
    }

    /// Makes a new connection, which replaces the one before; that stays open.
    pub(crate) fn connect(&mut self) {
        let Side { reactor, io, owner } = &mut self.client;
        *io = reactor.connect(address(), *owner).unwrap();
        self.accept();
    }

    fn accept(&mut self) {
        let accepted = loop {
            self.settle();
            match self.server.reactor.accept(self.listener) {
                Poll::Ready(accepted) => break accepted.unwrap().0,
                Poll::Pending => {}
            }
        };
        let Side { reactor, io, owner } = &mut self.server;
        *io = accepted;
        reactor.set_owner(accepted, *owner);
        while self.client.reactor.connected(self.client.io).is_pending() {
            self.settle();
        }
    }

    pub(crate) fn secure_client(&mut self) {
        let layer = self.client_tls.layer("o.test").unwrap();
        self.client.reactor.secure(self.client.io, Box::new(layer));
    }

    pub(crate) fn secure_server(&mut self) {
        let layer = ServerLayer::new(Arc::clone(&self.server_tls));
        self.server.reactor.secure(self.server.io, Box::new(layer));
    }

    pub(crate) fn shake_hands(&mut self) {
        for _ in 0..10_000 {
            let both = [self.client.handshake(), self.server.handshake()];
            if both.iter().all(|result| matches!(result, Poll::Ready(Ok(())))) {
                return self.settle();
            }
            let failed = both.iter().any(|result| matches!(result, Poll::Ready(Err(_))));
            assert!(!failed, "{both:?}");
            self.settle();
        }
        panic!("the handshake does not end");
    }

    /// Turns both hosts until they are idle and nothing is in flight.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if self.client.turn() & self.server.turn() {
                let Some(next) = self.network.next_arrival() else { return };
                self.network.clock().advance_to(next);
            }
        }
        panic!("the hosts keep each other busy");
    }

    /// Advances the time, and lets both hosts notice.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.network.advance(time);
        self.settle();
    }

    /// Receives with buffers of this size until the client's stream ends, or nothing is left.
    pub(crate) fn drain_client(&mut self, room: usize) -> Received {
        self.drain(room, |pair| &mut pair.client)
    }

    /// Receives as [`drain_client`](Self::drain_client) does, at the server.
    pub(crate) fn drain_server(&mut self, room: usize) -> Received {
        self.drain(room, |pair| &mut pair.server)
    }

    fn drain(&mut self, room: usize, side: fn(&mut Self) -> &mut Side) -> Received {
        let mut content = Vec::new();
        let mut idle = 0;
        while idle < 20 {
            match side(self).recv(room) {
                Poll::Pending => {
                    idle += 1; // faults may let several attempts fail
                    self.settle();
                }
                Poll::Ready(Ok(more)) if more.is_empty() => {
                    return Received { content, end: Some(Ok(())) };
                }
                Poll::Ready(Ok(more)) => {
                    idle = 0;
                    content.extend(more);
                }
                Poll::Ready(Err(error)) => return Received { content, end: Some(Err(error)) },
            }
        }
        Received { content, end: None }
    }
}

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// Returns content of this length, in which no two parts are alike.
pub(crate) fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = tidegate::reactor::sim::Rng::new(seed);
    (0..length.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).take(length).collect()
}

/// Returns faults with a window of exactly this size.
pub(crate) fn window(bytes: usize) -> Faults {
    Faults { window: bytes..bytes + 1, ..Faults::NONE }
}
