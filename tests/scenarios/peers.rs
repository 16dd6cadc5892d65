//! Clients and origins that follow a scenario: a program on its own reactor.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use tidegate::reactor::{
    App, Arena, Driven, Event, Id, Layer, Listener, Reactor, SocketId, Token, VirtualClock, Wake,
};
use tidegate::tls::{NotTls, OriginTls, ServerLayer, ServerTls};

use super::form::{Action, OTHER_CLIENT, Peer};
use super::incoming::{End, Incoming};
use super::pki;
use super::security::Security;

/// The clients and origins of a scenario.
pub(crate) struct Peers {
    /// TLS of clients, and that of origins.
    client_tls: Option<Arc<OriginTls>>,
    origin_tls: Option<Arc<ServerTls>>,
    gates: Arena<Gate>,
    streams: Arena<Stream>,
    names: BTreeMap<Peer, Id<Stream>>,
    accepted: HashMap<String, u32>,
    /// Bytes that clients send before TLS, of those that connect from now on.
    pub(crate) preface: Vec<u8>,
}

/// A listening origin.
struct Gate {
    listener: Listener,
    origin: String,
}

/// A side of a connection.
struct Stream {
    io: Option<SocketId>,
    connected: bool,
    /// The TLS layer for when the connection is established.
    layer: Option<Box<dyn Layer>>,
    /// Bytes to send before TLS.
    preface: Vec<u8>,
    unsent: VecDeque<u8>,
    /// Half-closes once all bytes are sent.
    ends: bool,
    /// Bytes still to read before the stream stalls.
    appetite: usize,
    pub(crate) incoming: Incoming,
}

impl Driven for Gate {
    const KIND: u8 = 0;
}
impl Driven for Stream {
    const KIND: u8 = 1;
}

impl App for Peers {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(gate) = token.id() {
            self.accept(gate, reactor);
        } else if let Some(stream) = token.id().and_then(|id| self.streams.get_mut(id)) {
            stream.drive(reactor);
        }
    }
}

impl Peers {
    pub(crate) fn new(security: Security, clock: &VirtualClock) -> Self {
        Self {
            client_tls: security.clients.then(|| pki::origin_tls(clock)),
            origin_tls: security.origins.then(|| pki::server_tls(clock)),
            gates: Arena::new(),
            streams: Arena::new(),
            names: BTreeMap::new(),
            accepted: HashMap::new(),
            preface: Vec::new(),
        }
    }

    /// Makes the origin `name` listen on `address`; returns the address with its port.
    pub(crate) fn listen(
        &mut self,
        reactor: &mut Reactor<()>,
        name: &str,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let bind = |id: Id<Gate>| {
            let listener = Listener::bind(reactor, address, id.token())?;
            Ok::<_, io::Error>(Gate { listener, origin: name.to_owned() })
        };
        let gate = self.gates.try_insert_with(bind)?;
        Ok(self.gates.get(gate).map_or(address, |gate| gate.listener.address()))
    }

    fn accept(&mut self, id: Id<Gate>, reactor: &mut Reactor<()>) {
        let Some(gate) = self.gates.get_mut(id) else { return };
        let mut accepted = Vec::new();
        gate.listener.accept(reactor, usize::MAX, &mut accepted);
        for (io, _) in accepted {
            let number = self.accepted.entry(gate.origin.clone()).or_default();
            *number += 1;
            let peer = Peer { name: gate.origin.clone(), number: *number };
            let tls = self.origin_tls.as_ref();
            let layer = tls.map(|tls| Box::new(ServerLayer::new(Arc::clone(tls))) as _);
            let stream = self.streams.insert(Stream::new(io, layer));
            reactor.set_owner(io, stream.token());
            self.names.insert(peer, stream);
        }
    }

    /// Connects `client` to `address`, unless it has connected before.
    pub(crate) fn connect(
        &mut self,
        reactor: &mut Reactor<()>,
        client: &Peer,
        address: SocketAddr,
    ) -> io::Result<()> {
        if self.names.contains_key(client) {
            return Ok(());
        }
        let tls = self.client_tls.as_ref().filter(|_| client.name != OTHER_CLIENT);
        let layer = tls.map(|tls| Box::new(tls.layer("proxy.test").unwrap()) as _);
        let preface = self.preface.clone();
        let connect = |id: Id<Stream>| {
            let io = reactor.connect(address, id.token())?;
            Ok::<_, io::Error>(Stream { preface, ..Stream::new(io, layer) })
        };
        let stream = self.streams.try_insert_with(connect)?;
        self.names.insert(client.clone(), stream);
        Ok(())
    }

    /// Connects an operator to the control socket, unless it has connected before.
    pub(crate) fn connect_local(
        &mut self,
        reactor: &mut Reactor<()>,
        operator: &Peer,
        path: &Path,
    ) -> io::Result<()> {
        if !self.names.contains_key(operator) {
            let connect = |id: Id<Stream>| {
                reactor.connect_local(path, id.token()).map(|io| Stream::new(io, None))
            };
            let stream = self.streams.try_insert_with(connect)?;
            self.names.insert(operator.clone(), stream);
        }
        Ok(())
    }

    /// Appends `bytes` to the bytes to send.
    pub(crate) fn send(&mut self, reactor: &mut Reactor<()>, peer: &Peer, bytes: &[u8]) {
        if let Some((token, stream)) = self.stream(peer) {
            stream.unsent.extend(bytes);
            reactor.wake(token);
        }
    }

    pub(crate) fn act(&mut self, reactor: &mut Reactor<()>, peer: &Peer, action: Action) {
        let Some((token, stream)) = self.stream(peer) else { return };
        match action {
            Action::Connect => {}
            Action::Close => {
                if let Some(io) = stream.io.take() {
                    reactor.close(io);
                }
            }
            Action::Reset => {
                if let Some(io) = stream.io.take() {
                    reactor.reset(io);
                }
            }
            Action::HalfClose => stream.ends = true,
            Action::Stall(bytes) => stream.appetite = bytes,
            Action::Resume => stream.appetite = usize::MAX,
        }
        reactor.wake(token);
    }

    /// Returns the received stream of `peer`, if that connection exists or existed.
    pub(crate) fn incoming(&mut self, peer: &Peer) -> Option<&mut Incoming> {
        self.stream(peer).map(|(_, stream)| &mut stream.incoming)
    }

    /// Returns the number of bytes of `peer` that have not been accepted.
    pub(crate) fn unsent(&mut self, peer: &Peer) -> usize {
        self.stream(peer).map_or(0, |(_, stream)| stream.unsent.len())
    }

    /// Returns true if `peer` has neither closed nor reset its connection.
    pub(crate) fn is_open(&mut self, peer: &Peer) -> bool {
        self.stream(peer).is_some_and(|(_, stream)| stream.io.is_some())
    }

    fn stream(&mut self, peer: &Peer) -> Option<(Token, &mut Stream)> {
        let id = *self.names.get(peer)?;
        self.streams.get_mut(id).map(|stream| (id.token(), stream))
    }

    /// Returns the number of connections that an origin has accepted.
    pub(crate) fn accepted(&self, origin: &str) -> u32 {
        self.accepted.get(origin).copied().unwrap_or(0)
    }

    /// Returns all connections, open and ended.
    pub(crate) fn all(&self) -> Vec<Peer> {
        self.names.keys().cloned().collect()
    }
}

impl Stream {
    fn new(io: SocketId, layer: Option<Box<dyn Layer>>) -> Self {
        Self {
            io: Some(io),
            connected: false,
            layer,
            preface: Vec::new(),
            unsent: VecDeque::new(),
            ends: false,
            appetite: usize::MAX,
            incoming: Incoming::default(),
        }
    }

    /// Sends and receives as much as possible.
    fn drive(&mut self, reactor: &mut Reactor<()>) {
        let Some(io) = self.io else { return };
        if !self.connected {
            match reactor.connected(io) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => self.connected = true,
                Poll::Ready(Err(_)) => return self.incoming.end = Some(End::Reset),
            }
        }
        while !self.preface.is_empty() {
            match reactor.send(io, &[IoSlice::new(&self.preface)]) {
                Poll::Pending => return,
                Poll::Ready(Ok(n)) => drop(self.preface.drain(..n)),
                Poll::Ready(Err(_)) => return self.incoming.end = Some(End::Reset),
            }
        }
        self.layer.take().into_iter().for_each(|layer| reactor.secure(io, layer));
        match reactor.handshake(io) {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => match error.get_ref().and_then(|e| e.downcast_ref()) {
                // A tunnel carries what the client sends.
                Some(NotTls { received }) => {
                    self.incoming.receive(received);
                    reactor.strip(io);
                }
                None => return self.incoming.end = Some(End::Reset),
            },
        }
        self.write(reactor, io);
        self.read(reactor, io);
    }

    fn write(&mut self, reactor: &mut Reactor<()>, io: SocketId) {
        while !self.unsent.is_empty() {
            let (front, back) = self.unsent.as_slices();
            match reactor.send(io, &[IoSlice::new(front), IoSlice::new(back)]) {
                Poll::Pending => return,
                Poll::Ready(Ok(n)) => drop(self.unsent.drain(..n)),
                // A lost peer is noticed when reading.
                Poll::Ready(Err(_)) => self.unsent.clear(),
            }
        }
        if std::mem::take(&mut self.ends) {
            let _ = reactor.shutdown(io);
        }
    }

    fn read(&mut self, reactor: &mut Reactor<()>, io: SocketId) {
        while self.appetite > 0 && self.incoming.end.is_none() {
            let mut bytes = Vec::with_capacity(self.appetite.min(64 * 1024));
            match reactor.recv(io, &mut bytes) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.incoming.end = Some(End::Closed),
                Poll::Ready(Err(_)) => self.incoming.end = Some(End::Reset),
                Poll::Ready(Ok(n)) => {
                    self.incoming.receive(&bytes);
                    self.appetite = self.appetite.saturating_sub(n);
                }
            }
        }
    }
}
