//! Datagrams of a simulated network: lost, doubled, late, reordered, and forged.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::reactor::clock::Clock;
use crate::reactor::net::transport::SocketId;
use crate::reactor::ready::Ready;

use super::Fate;
use super::datagram_queue::{Datagram, Datagrams};
use super::world::{Packet, Payload, SimSocket, World};

/// Limit of unread datagrams of a socket; further ones are lost.
const HELD: usize = 64;
/// Ports that a host picks from.
const PORTS: std::ops::Range<u16> = 32768..60999;

impl World {
    pub(super) fn bind_datagrams(
        &mut self,
        host: usize,
        address: SocketAddr,
    ) -> io::Result<SocketId> {
        let address = match address.port() {
            0 => SocketAddr::new(address.ip(), self.any_port()),
            _ => address,
        };
        if self.datagrams_at(address).next().is_some() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.open_datagrams(host, address, None)
    }

    pub(super) fn connect_datagrams(
        &mut self,
        host: usize,
        peer: SocketAddr,
    ) -> io::Result<SocketId> {
        let local = SocketAddr::new(self.hosts[host].address, self.any_port());
        self.open_datagrams(host, local, Some(peer))
    }

    pub(super) fn recv_datagram(
        &mut self,
        host: usize,
        io: SocketId,
        into: &mut Vec<u8>,
    ) -> io::Result<SocketAddr> {
        let hesitates = self.hesitates(host);
        let socket = self.datagrams_mut(io)?;
        if hesitates {
            socket.owed = socket.owed.union(Ready::READABLE);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if std::mem::take(&mut socket.refused) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (from, bytes) = socket.inbox.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let room = into.capacity() - into.len();
        into.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(from)
    }

    pub(super) fn send_datagram(
        &mut self,
        host: usize,
        io: SocketId,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<()> {
        let socket = self.datagrams_mut(io)?;
        let (from, to) = (socket.local, to.or(socket.peer).ok_or(io::ErrorKind::NotConnected)?);
        let faults = &self.hosts[host].faults;
        let (lost, doubled, latency) = (faults.lost, faults.doubled, faults.latency.clone());
        let copies = match self.rng.percent(lost) {
            true => 0,
            false => 1 + usize::from(self.rng.percent(doubled)),
        };
        for _ in 0..copies {
            let late = self.rng.duration(&latency);
            let datagram = Datagram { from, to, bytes: bytes.to_vec() };
            self.put_under_way(Some(io), late, datagram);
        }
        Ok(())
    }

    /// Sends a datagram with the forged source address `from`.
    pub(super) fn forge(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], late: Duration) {
        self.put_under_way(None, late, Datagram { from, to, bytes: bytes.to_vec() });
    }

    fn put_under_way(&mut self, sender: Option<SocketId>, late: Duration, datagram: Datagram) {
        let sender = sender.map(|io| (io.index(), io.generation()));
        let (late, what) = match self.fates.get(&datagram.to).copied().unwrap_or_default() {
            Fate::Silence => return,
            Fate::Refuse => (late, Payload::Refused),
            Fate::Answer(more) => (late + more, Payload::Datagram(datagram)),
        };
        self.sent += 1;
        let at = self.clock.now().mono + late;
        // The socket to tell if the port is closed; a forged datagram has none.
        let to = sender.unwrap_or((u32::MAX as usize, 0));
        self.under_way.push(Reverse(Packet { at, number: self.sent, to, what }));
    }

    /// Delivers a datagram to the socket bound to its destination, if that accepts its source. If
    /// there is no socket, the sender is told.
    pub(super) fn deliver_datagram(&mut self, sender: SocketId, datagram: Datagram) {
        let Datagram { from, to, bytes } = datagram;
        let Some(socket) = self.datagrams_at(to).next() else {
            return self.refuse_datagram(sender);
        };
        if socket.peer.is_none_or(|peer| peer == from) && socket.inbox.len() < HELD {
            socket.inbox.push_back((from, bytes));
            socket.owed = socket.owed.union(Ready::READABLE);
        }
    }

    /// Tells the sender of a datagram that the port is closed. As in the kernel, only a connected
    /// socket learns of it.
    pub(super) fn refuse_datagram(&mut self, sender: SocketId) {
        if let Ok(socket) = self.datagrams_mut(sender)
            && socket.peer.is_some()
        {
            socket.refused = true;
            socket.owed = socket.owed.union(Ready::READABLE).union(Ready::ERROR);
        }
    }

    fn open_datagrams(
        &mut self,
        host: usize,
        local: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> io::Result<SocketId> {
        let inbox = VecDeque::new();
        let owed = Ready::NONE;
        self.open(SimSocket::Datagrams(Datagrams {
            host,
            local,
            peer,
            inbox,
            refused: false,
            owed,
        }))
    }

    fn datagrams_at(&mut self, address: SocketAddr) -> impl Iterator<Item = &mut Datagrams> {
        self.sockets.iter_mut().filter_map(move |(_, socket)| match socket {
            SimSocket::Datagrams(socket) if socket.local == address => Some(socket),
            _ => None,
        })
    }

    pub(super) fn datagrams_mut(&mut self, io: SocketId) -> io::Result<&mut Datagrams> {
        match self.sockets.get_mut(io.retyped()) {
            Some(SimSocket::Datagrams(socket)) => Ok(socket),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the result is below the number of ports")]
    fn any_port(&mut self) -> u16 {
        PORTS.start + self.rng.below(PORTS.len()) as u16
    }
}
