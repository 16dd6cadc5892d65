//! Connections of a simulated network: ordered bytes, short reads and writes, latency, resets.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::Path;

use crate::reactor::arena::Id;
use crate::reactor::net::transport::{NO_ADDRESS, SocketId};
use crate::reactor::ready::Ready;

use super::Fate;
use super::stream_socket::{State, Stream};
use super::world::{Payload, SimSocket, World};

impl World {
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

    /// Begins to connect to a path. As in the kernel, a path without a listener and a full backlog
    /// are errors at once.
    pub(super) fn connect_local(&mut self, host: usize, path: &Path) -> io::Result<SocketId> {
        let address = self.place(path);
        if let Fate::Answer(_) = self.fates.get(&address).copied().unwrap_or_default() {
            let listener = self.listener_at(address).and_then(|id| self.sockets.get(id));
            match listener {
                Some(SimSocket::Listener { backlog, limit, .. }) if backlog.len() <= *limit => {}
                Some(_) => return Err(io::ErrorKind::WouldBlock.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        self.connect(host, address)
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
        most: usize,
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
        let room = most.min(into.capacity() - into.len());
        let mut n = stream.inbox.len().min(room);
        if short {
            n = shorten(n, cut);
        }
        let (front, back) = stream.inbox.as_slices();
        let in_front = n.min(front.len());
        into.extend_from_slice(&front[..in_front]);
        into.extend_from_slice(&back[..n - in_front]);
        stream.inbox.drain(..n);
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
            // The peer's socket is closed; it answers these bytes with a reset.
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

    /// Delivers a packet to a connection.
    pub(super) fn deliver_to_stream(&mut self, to: Id<SimSocket>, what: Payload) {
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
                stream.inbox.clear(); // as on systems that drop unread bytes
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

    /// Completes a connect: adds the other side to the listener's backlog, or refuses if there is
    /// no listener.
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

    /// Resets the sender of bytes that arrived at a socket closed in the meantime.
    fn reset_peer(&mut self, gone: SocketId) {
        let sender = self.sockets.iter().find_map(|(id, socket)| match socket {
            SimSocket::Stream(stream) if stream.peer == Some(gone) => Some(id.retyped()),
            _ => None,
        });
        if let Some(sender) = sender {
            self.send_packet(sender, sender, Default::default(), Payload::Reset);
        }
    }

    pub(super) fn hang_up(&mut self, io: SocketId, reset: bool) {
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

    pub(super) fn stream_mut(&mut self, io: SocketId) -> io::Result<&mut Stream> {
        match self.sockets.get_mut(io.retyped()) {
            Some(SimSocket::Stream(stream)) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn falls_short(&mut self, host: usize) -> bool {
        let percent = self.hosts[host].faults.short;
        self.rng.percent(percent)
    }
}

/// Copies the first `n` bytes of the slices.
fn first(from: &[IoSlice<'_>], n: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(n);
    for slice in from {
        bytes.extend_from_slice(&slice[..slice.len().min(n - bytes.len())]);
    }
    bytes
}

/// Reduces `n` to a number from 1 to `n`, by the random number `cut`.
#[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
const fn shorten(n: usize, cut: u64) -> usize {
    1 + (cut % n as u64) as usize
}
