//! State of a simulated network: hosts, sockets, and packets in flight.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::reactor::arena::{Arena, Id};
use crate::reactor::clock::{Clock, VirtualClock};
use crate::reactor::net::transport::{NO_ADDRESS, SocketId, TransportEvent};
use crate::reactor::ready::Ready;

use super::datagram_queue::{Datagram, Datagrams};
use super::stream_socket::Stream;
use super::{Fate, Faults, Rng};

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) clock: VirtualClock,
    pub(super) hosts: Vec<Host>,
    pub(super) fates: HashMap<SocketAddr, Fate>,
    /// Paths of Unix sockets; the position of a path is a port of an address that no host has.
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
        /// Connections in the backlog above which connects to a path fail.
        limit: usize,
        owed: Ready,
    },
    Stream(Stream),
    Datagrams(Datagrams),
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
    /// A datagram, delivered to its destination; the packet is addressed to its sender.
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

    /// Returns the address that stands for a path.
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

    /// Delivers all packets that are due, and moves the readiness owed to `host` into `reports`.
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

    pub(super) fn listen(
        &mut self,
        host: usize,
        address: SocketAddr,
        limit: usize,
    ) -> io::Result<SocketId> {
        let address = match address.port() {
            0 => SocketAddr::new(address.ip(), self.free_port(host)),
            _ => address,
        };
        if self.listener_at(address).is_some() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = VecDeque::new();
        self.open(SimSocket::Listener { host, address, backlog, limit, owed: Ready::NONE })
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

    /// Closes a socket. Unread bytes turn the close into a reset, as in the kernel.
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
            Some(SimSocket::Stream(stream)) if stream.local.ip().is_unspecified() => Ok(NO_ADDRESS),
            Some(SimSocket::Stream(stream)) => Ok(stream.local),
            Some(SimSocket::Datagrams(socket)) => Ok(socket.local),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn deliver(&mut self, to: Id<SimSocket>, what: Payload) {
        if let Payload::Datagram(datagram) = what {
            return self.deliver_datagram(to.retyped(), datagram);
        }
        if let Some(SimSocket::Datagrams(_)) = self.sockets.get(to) {
            return self.refuse_datagram(to.retyped());
        }
        self.deliver_to_stream(to, what);
    }

    pub(super) fn send_packet(
        &mut self,
        from: SocketId,
        to: SocketId,
        late: Duration,
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

    pub(super) fn free_port(&mut self, host: usize) -> u16 {
        let port = self.hosts[host].next_port;
        self.hosts[host].next_port = port.checked_add(1).unwrap_or(49152);
        port
    }

    pub(super) fn listener_at(&self, wanted: SocketAddr) -> Option<Id<SimSocket>> {
        let found = self.sockets.iter().find(|(_, socket)| {
            matches!(socket, SimSocket::Listener { address, .. } if *address == wanted)
        });
        found.map(|(id, _)| id)
    }

    pub(super) fn hesitates(&mut self, host: usize) -> bool {
        let percent = self.hosts[host].faults.would_block;
        self.rng.percent(percent)
    }
}

impl SimSocket {
    /// Returns the socket's host, and the readiness that the next poll of the host reports.
    const fn owed(&mut self) -> (usize, &mut Ready) {
        match self {
            Self::Listener { host, owed, .. } => (*host, owed),
            Self::Stream(stream) => (stream.host, &mut stream.owed),
            Self::Datagrams(socket) => (socket.host, &mut socket.owed),
        }
    }
}
