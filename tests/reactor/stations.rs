//! A program for tests: echoes what callers send, and calls other stations with data of its own.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::Rng;
use tidegate::reactor::{
    App, Arena, Budget, Connector, Driven, Event, Listener, Reactor, SocketId, Token, Wake,
};

const STAGGER: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that an echo buffers before it stops reading.
const HELD: usize = 8 * 1024;

pub(crate) struct Station {
    gates: Arena<Gate>,
    streams: Arena<Stream>,
    /// Decides the sizes of reads.
    rng: Rng,
    /// Bytes that each call received until the end of its stream.
    pub(crate) heard: Vec<Vec<u8>>,
    /// Number of streams that have ended, of both kinds.
    pub(crate) ended: usize,
}

struct Gate(Listener);

/// A connection: an echo sends back what it receives, a call keeps it.
struct Stream {
    phase: Phase,
    echoes: bool,
    unsent: Vec<u8>,
    received: Vec<u8>,
    input_ended: bool,
    output_ended: bool,
}

enum Phase {
    Connecting(Connector),
    Open(SocketId),
}

impl Driven for Gate {
    const KIND: u8 = 0;
}
impl Driven for Stream {
    const KIND: u8 = 1;
}

impl App for Station {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(Gate(listener)) = token.id().and_then(|id| self.gates.get_mut(id)) {
            let mut accepted = Vec::new();
            listener.accept(reactor, usize::MAX, &mut accepted);
            for (io, _) in accepted {
                let stream = self.streams.insert(Stream::new(Phase::Open(io), true, Vec::new()));
                reactor.set_owner(io, stream.token());
            }
        } else if let Some(id) = token.id()
            && let Some(stream) = self.streams.get_mut(id)
            && let Some(io) =
                stream.drive(reactor, token, &mut self.rng).expect("the stream failed")
        {
            reactor.close(io);
            self.ended += 1;
            let stream = self.streams.remove(id).expect("the stream was just driven");
            if !stream.echoes {
                self.heard.push(stream.received);
            }
        }
    }
}

impl Station {
    pub(crate) fn new(rng: Rng) -> Self {
        let (gates, streams) = (Arena::new(), Arena::new());
        Self { gates, streams, rng, heard: Vec::new(), ended: 0 }
    }

    /// Echoes connections to `address`; returns the address with the assigned port.
    pub(crate) fn listen(&mut self, reactor: &mut Reactor<()>, address: SocketAddr) -> SocketAddr {
        let bind = |id: tidegate::reactor::Id<Gate>| {
            Listener::bind(reactor, address, id.token()).map(Gate)
        };
        let gate = self.gates.try_insert_with(bind).unwrap();
        self.gates.get(gate).unwrap().0.address()
    }

    pub(crate) fn stop_listening(&mut self, reactor: &mut Reactor<()>) {
        let ids: Vec<_> = self.gates.iter().map(|(id, _)| id).collect();
        for Gate(listener) in ids.into_iter().filter_map(|id| self.gates.remove(id)) {
            listener.close(reactor);
        }
    }

    /// Sends `data` to `address` and keeps the echo.
    pub(crate) fn call(&mut self, reactor: &mut Reactor<()>, address: SocketAddr, data: Vec<u8>) {
        let now = reactor.now().mono;
        let stream = self.streams.insert_with(|id| {
            let connector = Connector::new(id.token(), [address], now, STAGGER, TIMEOUT);
            Stream::new(Phase::Connecting(connector), false, data)
        });
        reactor.wake(stream.token());
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.streams.is_empty()
    }
}

impl Stream {
    const fn new(phase: Phase, echoes: bool, unsent: Vec<u8>) -> Self {
        let received = Vec::new();
        Self { phase, echoes, unsent, received, input_ended: false, output_ended: false }
    }

    /// Reads and writes as far as possible; returns the socket once both directions have ended.
    fn drive(
        &mut self,
        reactor: &mut Reactor<()>,
        token: Token,
        rng: &mut Rng,
    ) -> io::Result<Option<SocketId>> {
        let Some(io) = self.connected(reactor, token) else { return Ok(None) };
        let mut budget = Budget::default();
        while self.write(reactor, io, &mut budget)? | self.read(reactor, io, rng, &mut budget)? {
            if budget.is_spent() {
                reactor.wake(token);
                break;
            }
        }
        Ok((self.input_ended && self.output_ended).then_some(io))
    }

    fn connected(&mut self, reactor: &mut Reactor<()>, token: Token) -> Option<SocketId> {
        if let Phase::Connecting(connector) = &mut self.phase {
            let Poll::Ready(connected) = connector.drive(reactor) else {
                reactor.set_deadline(token, Some(connector.next_deadline()));
                return None;
            };
            reactor.set_deadline(token, None);
            self.phase = Phase::Open(connected.expect("the connection failed").0);
        }
        match self.phase {
            Phase::Open(io) => Some(io),
            Phase::Connecting(_) => None,
        }
    }

    /// Returns true if it wrote bytes or ended its output.
    fn write(
        &mut self,
        reactor: &mut Reactor<()>,
        io: SocketId,
        budget: &mut Budget,
    ) -> io::Result<bool> {
        if self.unsent.is_empty() {
            let ends = !self.output_ended && (self.input_ended || !self.echoes);
            if ends {
                reactor.shutdown(io)?;
                self.output_ended = true;
            }
            return Ok(ends);
        }
        let (front, back) = self.unsent.split_at(self.unsent.len() / 2);
        let slices = [IoSlice::new(front), IoSlice::new(back)];
        let Poll::Ready(sent) = reactor.send(io, &slices) else { return Ok(false) };
        let sent = sent?;
        self.unsent.drain(..sent);
        budget.spend_out(sent);
        Ok(true)
    }

    /// Returns true if it read bytes or the end.
    fn read(
        &mut self,
        reactor: &mut Reactor<()>,
        io: SocketId,
        rng: &mut Rng,
        budget: &mut Budget,
    ) -> io::Result<bool> {
        if self.input_ended || self.echoes && self.unsent.len() >= HELD {
            return Ok(false);
        }
        let into = if self.echoes { &mut self.unsent } else { &mut self.received };
        into.reserve(1 + rng.below(HELD));
        let Poll::Ready(received) = reactor.recv(io, into) else { return Ok(false) };
        let received = received?;
        self.input_ended = received == 0;
        budget.spend_in(received);
        Ok(true)
    }
}
