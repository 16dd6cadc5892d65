//! The state of a simulated network: sockets, what is under way between them, what is owed to whom.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::reactor::arena::{Arena, Id};
use crate::reactor::clock::{Clock, VirtualClock};
use crate::reactor::net::transport::{NO_ADDRESS, SocketId, TransportEvent};
use crate::reactor::ready::Ready;
use crate::reactor::sim::Fate;

use super::datagram_queue::{Datagram, Datagrams};
use super::{Faults, Rng};

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) clock: VirtualClock,
    pub(super) hosts: Vec<Host>,
    pub(super) fates: HashMap<SocketAddr, Fate>,
    /// Where paths of local sockets lead, as ports of an address that no host has.
    places: Vec<PathBuf>,
    pub(super) sockets: Arena<SimSocket>,
    pub(super) under_way: BinaryHeap<Reverse<Packet>>,
    pub(super) sent: u64,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) address: IpAddr,
    pub(super) faults: Faults,
    pub(super) sockets: usize,
    pub(super) connects: u64,
    next_port: u16,
}

#[derive(Debug)]
pub(super) enum SimSocket {
    Listener {
        host: usize,
        address: SocketAddr,
        backlog: VecDeque<(SocketId, SocketAddr)>,
        owed: Ready,
    },
    Stream(Stream),
    Datagrams(Datagrams),
}

#[derive(Debug)]
pub(super) struct Stream {
    host: usize,
    local: SocketAddr,
    state: State,
    peer: Option<SocketId>,
    /// What has arrived and was not read.
    inbox: VecDeque<u8>,
    /// Bytes between the peer's `send` and our `recv`, against `window`.
    held: usize,
    window: usize,
    end_arrived: bool,
    end_sent: bool,
    /// Whether a write came up short, so that room is to be reported.
    wants_room: bool,
    /// Nothing is delivered before what was sent earlier.
    last_arrival: Option<Instant>,
    /// What the next poll reports.
    owed: Ready,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    Failed(io::ErrorKind),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packet {
    pub(super) at: Instant,
    pub(super) number: u64,
    pub(super) to: (usize, u32),
    pub(super) what: Payload,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payload {
    /// To whoever is there; the packet is addressed to who has sent it.
    Datagram(Datagram),
    Connect(SocketAddr),
    Refused,
    Data(Vec<u8>),
    End,
    Reset,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            clock: VirtualClock::default(),
            hosts: Vec::new(),
            fates: HashMap::new(),
            sockets: Arena::new(),
            places: Vec::new(),
            under_way: BinaryHeap::new(),
            sent: 0,
        }
    }

    pub(super) fn add_host(&mut self, address: IpAddr, faults: Faults) -> usize {
        self.hosts.push(Host { address, faults, sockets: 0, connects: 0, next_port: 49152 });
        self.hosts.len() - 1
    }

    /// The address that stands for a path.
    pub(super) fn place(&mut self, path: &Path) -> SocketAddr {
        let known = self.places.iter().position(|place| place == path);
        let place = known.unwrap_or_else(|| {
            self.places.push(path.to_owned());
            self.places.len() - 1
        });
        let port = u16::try_from(place + 1).unwrap_or(u16::MAX);
        SocketAddr::new(NO_ADDRESS.ip(), port)
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(packet)| packet.at)
    }

    /// Delivers what is due and moves what `host` is owed into `reports`.
    pub(super) fn poll(&mut self, host: usize, reports: &mut Vec<TransportEvent>) {
        let now = self.clock.now().mono;
        while self.next_arrival().is_some_and(|at| at <= now) {
            let Some(Reverse(packet)) = self.under_way.pop() else { break };
            let to = Id::<SimSocket>::from_parts(packet.to.0.try_into().unwrap_or(0), packet.to.1);
            self.deliver(to, packet.what);
        }
        let spurious = self.hosts[host].faults.spurious;
        for (id, socket) in self.sockets.iter_mut() {
            let (of, owed) = socket.owed();
            if of != host {
                continue;
            }
            if spurious > 0 && self.rng.percent(spurious) {
                *owed = owed.union(Ready::READABLE).union(Ready::WRITABLE);
            }
            let ready = std::mem::take(owed);
            if ready != Ready::NONE {
                reports.push(TransportEvent::Ready(id.retyped(), ready));
            }
        }
    }

    pub(super) fn listen(&mut self, host: usize, address: SocketAddr) -> io::Result<SocketId> {
        let address = match address.port() {
            0 => SocketAddr::new(address.ip(), self.free_port(host)),
            _ => address,
        };
        if self.listener_at(address).is_some() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = VecDeque::new();
        self.open(SimSocket::Listener { host, address, backlog, owed: Ready::NONE })
    }

    pub(super) fn accept(
        &mut self,
        host: usize,
        listener: SocketId,
    ) -> io::Result<(SocketId, SocketAddr)> {
        self.check_descriptors(host)?;
        let hesitates = self.hesitates(host);
        let Some(SimSocket::Listener { backlog, owed, .. }) =
            self.sockets.get_mut(listener.retyped())
        else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if hesitates && !backlog.is_empty() {
            *owed = owed.union(Ready::READABLE);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let accepted = backlog.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        self.hosts[host].sockets += 1;
        Ok(accepted)
    }

    pub(super) fn connect(&mut self, host: usize, address: SocketAddr) -> io::Result<SocketId> {
        let local = match address.ip().is_unspecified() {
            true => NO_ADDRESS,
            false => SocketAddr::new(self.hosts[host].address, self.free_port(host)),
        };
        self.hosts[host].connects += 1;
        let stream = self.stream(host, local, State::Connecting);
        let io = self.open(SimSocket::Stream(stream))?;
        match self.fates.get(&address).copied().unwrap_or_default() {
            Fate::Answer(late) => self.send_packet(io, io, late, Payload::Connect(address)),
            Fate::Refuse => self.send_packet(io, io, Default::default(), Payload::Refused),
            Fate::Silence => {}
        }
        Ok(io)
    }

    pub(super) fn connected(&mut self, io: SocketId) -> io::Result<()> {
        match self.stream_mut(io)?.state {
            State::Connecting => Err(io::ErrorKind::WouldBlock.into()),
            State::Open => Ok(()),
            State::Failed(kind) => Err(kind.into()),
        }
    }

    pub(super) fn recv(
        &mut self,
        host: usize,
        io: SocketId,
        into: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let (hesitates, short) = (self.hesitates(host), self.falls_short(host));
        let cut = self.rng.next();
        let stream = self.stream_mut(io)?;
        if hesitates {
            stream.owed = stream.owed.union(Ready::READABLE);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if stream.inbox.is_empty() {
            return match stream.state {
                State::Failed(kind) => Err(kind.into()),
                State::Open if stream.end_arrived => Ok(0),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let room = into.capacity() - into.len();
        let mut n = stream.inbox.len().min(room);
        if short {
            n = shorten(n, cut);
        }
        into.extend(stream.inbox.drain(..n));
        stream.held -= n;
        if n < room && (!stream.inbox.is_empty() || stream.end_arrived) {
            stream.owed = stream.owed.union(Ready::READABLE);
        }
        let peer = stream.peer;
        if let Some(peer) = peer.and_then(|peer| self.stream_mut(peer).ok())
            && std::mem::take(&mut peer.wants_room)
        {
            peer.owed = peer.owed.union(Ready::WRITABLE);
        }
        Ok(n)
    }

    pub(super) fn send(
        &mut self,
        host: usize,
        io: SocketId,
        from: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let offered: usize = from.iter().map(|slice| slice.len()).sum();
        let (hesitates, short) = (self.hesitates(host), self.falls_short(host));
        let cut = self.rng.next();
        let stream = self.stream_mut(io)?;
        match stream.state {
            State::Failed(kind) => return Err(kind.into()),
            State::Connecting => return Err(io::ErrorKind::WouldBlock.into()),
            State::Open if stream.end_sent => return Err(io::ErrorKind::BrokenPipe.into()),
            State::Open => {}
        }
        if hesitates {
            stream.owed = stream.owed.union(Ready::WRITABLE);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let peer = stream.peer.filter(|&peer| self.stream_mut(peer).is_ok());
        let Some(peer) = peer else {
            // Nobody is there any more; the answer to these bytes will be a reset.
            self.send_packet(io, io, Default::default(), Payload::Reset);
            return Ok(offered);
        };
        let receiver = self.stream_mut(peer)?;
        let room = receiver.window.saturating_sub(receiver.held);
        let mut n = offered.min(room);
        if short && n > 0 {
            n = shorten(n, cut);
        }
        receiver.held += n;
        let stream = self.stream_mut(io)?;
        if n < offered {
            if n < room {
                stream.owed = stream.owed.union(Ready::WRITABLE);
            } else {
                stream.wants_room = true;
            }
        }
        if n == 0 && offered > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.send_packet(io, peer, Default::default(), Payload::Data(first(from, n)));
        Ok(n)
    }

    pub(super) fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        let stream = self.stream_mut(io)?;
        if !std::mem::replace(&mut stream.end_sent, true)
            && let Some(peer) = stream.peer
        {
            self.send_packet(io, peer, Default::default(), Payload::End);
        }
        Ok(())
    }

    /// Closes a socket. Bytes that arrived and were not read make it a reset, as in the kernel.
    pub(super) fn close(&mut self, io: SocketId, reset: bool) {
        match self.sockets.get(io.retyped()) {
            None => return,
            Some(SimSocket::Listener { backlog, .. }) => {
                for (waiting, _) in backlog.clone() {
                    self.hang_up(waiting, true);
                    self.sockets.remove(waiting.retyped());
                }
            }
            Some(SimSocket::Stream(stream)) => self.hang_up(io, reset || !stream.inbox.is_empty()),
            Some(SimSocket::Datagrams(_)) => {}
        }
        if let Some(mut socket) = self.sockets.remove(io.retyped()) {
            self.hosts[socket.owed().0].sockets -= 1;
        }
    }

    pub(super) fn local_address(&self, io: SocketId) -> io::Result<SocketAddr> {
        match self.sockets.get(io.retyped()) {
            Some(SimSocket::Listener { address, .. }) if address.ip().is_unspecified() => {
                Ok(NO_ADDRESS)
            }
            Some(SimSocket::Listener { address, .. }) => Ok(*address),
            Some(SimSocket::Stream(stream)) => Ok(stream.local),
            Some(SimSocket::Datagrams(socket)) => Ok(socket.local),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn deliver(&mut self, to: Id<SimSocket>, what: Payload) {
        if let Payload::Datagram(datagram) = what {
            return self.deliver_datagram(to.retyped(), datagram);
        }
        if let Some(SimSocket::Datagrams(_)) = self.sockets.get(to) {
            return self.refuse_datagram(to.retyped());
        }
        if let Payload::Connect(address) = what {
            return self.establish(to.retyped(), address);
        }
        let Ok(stream) = self.stream_mut(to.retyped()) else {
            if matches!(what, Payload::Data(_)) {
                self.reset_peer(to.retyped());
            }
            return;
        };
        let wakes = match what {
            Payload::Data(bytes) => {
                stream.inbox.extend(bytes);
                Ready::READABLE
            }
            Payload::End => {
                stream.end_arrived = true;
                Ready::READABLE.union(Ready::CLOSED)
            }
            Payload::Reset => {
                stream.inbox.clear(); // some systems drop what was not read; be that one
                stream.state = State::Failed(io::ErrorKind::ConnectionReset);
                Ready::READABLE.union(Ready::WRITABLE).union(Ready::CLOSED).union(Ready::ERROR)
            }
            Payload::Refused => {
                stream.state = State::Failed(io::ErrorKind::ConnectionRefused);
                Ready::READABLE.union(Ready::WRITABLE).union(Ready::ERROR)
            }
            Payload::Connect(_) | Payload::Datagram(_) => Ready::NONE,
        };
        stream.owed = stream.owed.union(wakes);
    }

    /// Ends a connect: the listener gets the other half, or nobody listens.
    fn establish(&mut self, client: SocketId, address: SocketAddr) {
        let Some(listener) = self.listener_at(address) else {
            return self.deliver(client.retyped(), Payload::Refused);
        };
        let Ok(from) = self.stream_mut(client).map(|stream| stream.local) else { return };
        let host = match self.sockets.get(listener) {
            Some(SimSocket::Listener { host, .. }) => *host,
            _ => return,
        };
        let mut stream = self.stream(host, address, State::Open);
        stream.peer = Some(client);
        let server: SocketId = self.sockets.insert(SimSocket::Stream(stream)).retyped();
        if let Some(SimSocket::Listener { backlog, owed, .. }) = self.sockets.get_mut(listener) {
            backlog.push_back((server, from));
            *owed = owed.union(Ready::READABLE);
        }
        if let Ok(stream) = self.stream_mut(client) {
            stream.peer = Some(server);
            stream.state = State::Open;
            stream.owed = stream.owed.union(Ready::WRITABLE);
        }
    }

    /// Answers bytes that came to a socket closed in the meantime.
    fn reset_peer(&mut self, gone: SocketId) {
        let sender = self.sockets.iter().find_map(|(id, socket)| match socket {
            SimSocket::Stream(stream) if stream.peer == Some(gone) => Some(id.retyped()),
            _ => None,
        });
        if let Some(sender) = sender {
            self.send_packet(sender, sender, Default::default(), Payload::Reset);
        }
    }

    fn hang_up(&mut self, io: SocketId, reset: bool) {
        let Ok(stream) = self.stream_mut(io) else { return };
        let (peer, end_sent) = (stream.peer, stream.end_sent);
        if let Some(peer) = peer {
            if reset {
                self.send_packet(io, peer, Default::default(), Payload::Reset);
            } else if !end_sent {
                self.send_packet(io, peer, Default::default(), Payload::End);
            }
        }
    }

    fn send_packet(
        &mut self,
        from: SocketId,
        to: SocketId,
        late: std::time::Duration,
        what: Payload,
    ) {
        let now = self.clock.now().mono;
        let latency = match self.sockets.get_mut(from.retyped()).map(|socket| socket.owed().0) {
            Some(host) => self.rng.duration(&self.hosts[host].faults.latency.clone()),
            None => Default::default(),
        };
        let mut at = now + latency + late;
        if let Ok(receiver) = self.stream_mut(to) {
            at = at.max(receiver.last_arrival.unwrap_or(at));
            receiver.last_arrival = Some(at);
        }
        self.sent += 1;
        let to = (to.index(), to.generation());
        self.under_way.push(Reverse(Packet { at, number: self.sent, to, what }));
    }

    fn stream(&mut self, host: usize, local: SocketAddr, state: State) -> Stream {
        let window = self.hosts[host].faults.window.clone();
        let window = window.start + self.rng.below(window.len().max(1));
        Stream {
            host,
            local,
            state,
            peer: None,
            inbox: VecDeque::new(),
            held: 0,
            window,
            end_arrived: false,
            end_sent: false,
            wants_room: false,
            last_arrival: None,
            owed: Ready::NONE,
        }
    }

    pub(super) fn open(&mut self, mut socket: SimSocket) -> io::Result<SocketId> {
        let host = socket.owed().0;
        self.check_descriptors(host)?;
        self.hosts[host].sockets += 1;
        Ok(self.sockets.insert(socket).retyped())
    }

    fn check_descriptors(&self, host: usize) -> io::Result<()> {
        let host = &self.hosts[host];
        if host.sockets < host.faults.sockets {
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }

    fn free_port(&mut self, host: usize) -> u16 {
        let port = self.hosts[host].next_port;
        self.hosts[host].next_port = port.checked_add(1).unwrap_or(49152);
        port
    }

    fn listener_at(&self, wanted: SocketAddr) -> Option<Id<SimSocket>> {
        let found = self.sockets.iter().find(|(_, socket)| {
            matches!(socket, SimSocket::Listener { address, .. } if *address == wanted)
        });
        found.map(|(id, _)| id)
    }

    fn stream_mut(&mut self, io: SocketId) -> io::Result<&mut Stream> {
        match self.sockets.get_mut(io.retyped()) {
            Some(SimSocket::Stream(stream)) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn hesitates(&mut self, host: usize) -> bool {
        let percent = self.hosts[host].faults.would_block;
        self.rng.percent(percent)
    }

    fn falls_short(&mut self, host: usize) -> bool {
        let percent = self.hosts[host].faults.short;
        self.rng.percent(percent)
    }
}

impl SimSocket {
    /// Whose it is, and what the next poll of that host reports of it.
    const fn owed(&mut self) -> (usize, &mut Ready) {
        match self {
            Self::Listener { host, owed, .. } => (*host, owed),
            Self::Stream(stream) => (stream.host, &mut stream.owed),
            Self::Datagrams(socket) => (socket.host, &mut socket.owed),
        }
    }
}

/// The first `n` bytes of the slices.
fn first(from: &[IoSlice<'_>], n: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(n);
    for slice in from {
        bytes.extend_from_slice(&slice[..slice.len().min(n - bytes.len())]);
    }
    bytes
}

/// At least one of `n` bytes.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
const fn shorten(n: usize, cut: u64) -> usize {
    1 + (cut % n as u64) as usize
}
