//! A TCP relay on the reactor: connects each client to a target and passes bytes in both
//! directions.
//!
//! `cargo run --example relay -- 127.0.0.1:8080 localhost:8000`. Each side may close its sending
//! direction and continue to receive. A slow reader slows down its sender, in bounded memory. The
//! addresses of a target are tried in the staggered way of RFC 8305.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, ToSocketAddrs};
use std::task::{Poll, ready};
use std::time::Duration;

use tidegate::reactor::{
    Accepted, App, Arena, Budget, Connector, Driven, Event, Id, Listener, Reactor, SocketId, Token,
    Wake, WakeReason,
};

const STAGGER: Duration = Duration::from_millis(250);
const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(300);
const MAX_CLIENTS: usize = 1000;
/// Buffer of one direction in bytes, allocated only while it holds data.
const BUFFER: usize = 32 * 1024;

/// The whole program, with an arena for each type of driven object.
struct Relay {
    target: Vec<SocketAddr>,
    gates: Arena<Gate>,
    dials: Arena<Dial>,
    pairs: Arena<Pair>,
}

struct Gate(Listener);

/// A client whose target is being connected. Bytes of the client wait in the kernel meanwhile.
struct Dial {
    client: SocketId,
    connector: Connector,
}

/// A client and its target, connected.
struct Pair {
    sockets: [SocketId; 2],
    flows: [Flow; 2],
}

/// A direction that receives only when everything is sent, so that a slow reader slows the
/// sender down.
struct Flow {
    from: SocketId,
    to: SocketId,
    buffer: Vec<u8>,
    sent: usize,
    ended: bool,
}

impl Driven for Gate {
    const KIND: u8 = 0;
}
impl Driven for Dial {
    const KIND: u8 = 1;
}
impl Driven for Pair {
    const KIND: u8 = 2;
}

impl App for Relay {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, why) = event else { return };
        if let Some(gate) = token.id() {
            self.accept(reactor, gate);
        } else if let Some(dial) = token.id() {
            self.dial(reactor, dial);
        } else if let Some(pair) = token.id() {
            self.relay(reactor, pair, why);
        }
    }
}

impl Relay {
    fn accept(&mut self, reactor: &mut Reactor<()>, id: Id<Gate>) {
        let Some(Gate(listener)) = self.gates.get_mut(id) else { return };
        let room = MAX_CLIENTS - self.dials.len() - self.pairs.len();
        let mut clients = Vec::new();
        let accepted = listener.accept(reactor, room, &mut clients);
        if let Accepted::Exhausted(error) | Accepted::Failed(error) = accepted {
            eprintln!("cannot accept a connection: {error}; trying again");
        }
        reactor.set_deadline(id.token(), listener.next_deadline());
        for (client, _) in clients {
            let (target, now) = (self.target.iter().copied(), reactor.now().mono);
            let dial = self.dials.insert_with(|id| {
                let connector = Connector::new(id.token(), target, now, STAGGER, CONNECT);
                Dial { client, connector }
            });
            reactor.wake(dial.token());
        }
    }

    fn dial(&mut self, reactor: &mut Reactor<()>, id: Id<Dial>) {
        let Some(dial) = self.dials.get_mut(id) else { return };
        let Poll::Ready(outcome) = dial.connector.drive(reactor) else {
            return reactor.set_deadline(id.token(), Some(dial.connector.next_deadline()));
        };
        let client = dial.client;
        self.dials.remove(id);
        match outcome {
            Ok((target, _)) => {
                let pair = self.pairs.insert(Pair::new(client, target)).token();
                reactor.set_owner(client, pair);
                reactor.set_owner(target, pair);
                reactor.wake(pair);
            }
            Err(error) => {
                eprintln!("cannot connect to the target: {error}");
                reactor.reset(client);
                self.resume(reactor);
            }
        }
    }

    fn relay(&mut self, reactor: &mut Reactor<()>, id: Id<Pair>, why: WakeReason) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let Poll::Ready(end) = pair.drive(reactor, id.token(), why) else { return };
        for io in pair.sockets {
            match end {
                Ok(()) => reactor.close(io),
                Err(_) => reactor.reset(io), // so that neither peer takes a part for the whole
            }
        }
        self.pairs.remove(id);
        self.resume(reactor);
    }

    /// Resumes accepting, because there is room for another client.
    fn resume(&mut self, reactor: &mut Reactor<()>) {
        self.gates.iter_mut().for_each(|(_, Gate(listener))| listener.resume(reactor));
    }
}

impl Pair {
    const fn new(client: SocketId, target: SocketId) -> Self {
        let flows = [Flow::new(client, target), Flow::new(target, client)];
        Self { sockets: [client, target], flows }
    }

    /// Returns `Ready` when both directions have ended, or on an error.
    fn drive(
        &mut self,
        reactor: &mut Reactor<()>,
        token: Token,
        why: WakeReason,
    ) -> Poll<io::Result<()>> {
        if why == WakeReason::TIMER {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        reactor.set_deadline(token, Some(reactor.now().mono + IDLE));
        let [up, down] = &mut self.flows;
        let (up, down) = (up.drive(reactor, token)?, down.drive(reactor, token)?);
        if up.is_ready() && down.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Flow {
    const fn new(from: SocketId, to: SocketId) -> Self {
        Self { from, to, buffer: Vec::new(), sent: 0, ended: false }
    }

    fn drive(&mut self, reactor: &mut Reactor<()>, token: Token) -> Poll<io::Result<()>> {
        let mut budget = Budget::default();
        while !self.ended {
            if budget.is_spent() {
                reactor.wake(token);
                return Poll::Pending;
            }
            if self.sent < self.buffer.len() {
                let unsent = IoSlice::new(&self.buffer[self.sent..]);
                let sent = ready!(reactor.send(self.to, &[unsent]))?;
                self.sent += sent;
                budget.spend_out(sent);
            } else {
                let received = ready!(self.refill(reactor))?;
                budget.spend_in(received);
                if received == 0 {
                    self.ended = true;
                    reactor.shutdown(self.to)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refill(&mut self, reactor: &mut Reactor<()>) -> Poll<io::Result<usize>> {
        self.sent = 0;
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        let received = reactor.recv(self.from, &mut self.buffer);
        if self.buffer.is_empty() {
            self.buffer = Vec::new(); // an idle direction holds no buffer
        }
        received
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [listen, target] = &args[..] else {
        return Err(io::Error::other("usage: relay LISTEN_ADDR TARGET_ADDR"));
    };
    let address: SocketAddr = listen.parse().map_err(io::Error::other)?;
    let target = target.to_socket_addrs()?.collect(); // the only call that blocks
    let mut reactor = Reactor::new()?;
    let (gates, dials, pairs) = (Arena::new(), Arena::new(), Arena::new());
    let mut relay = Relay { target, gates, dials, pairs };
    let gate = relay
        .gates
        .try_insert_with(|id| Listener::bind(&mut reactor, address, id.token()).map(Gate))?;
    println!("listening {}", relay.gates.get(gate).expect("just inserted").0.address());
    reactor.run(&mut relay)
}
