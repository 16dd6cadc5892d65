//! The transport of one host of a simulated network.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use std::net::IpAddr;

use crate::reactor::Reactor;
use crate::reactor::arena::Token;
use crate::reactor::clock::Clock;
use crate::reactor::net::transport::{Endpoint, LocalOptions, SocketId, Transport, TransportEvent};

use super::{Faults, Network};

/// The transport of one simulated host.
#[derive(Debug)]
pub struct SimTransport {
    network: Network,
    host: usize,
}

impl SimTransport {
    pub(super) const fn new(network: Network, host: usize) -> Self {
        Self { network, host }
    }
}

impl Transport for SimTransport {
    fn poll(
        &mut self,
        reports: &mut Vec<TransportEvent>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let mut world = self.network.world();
        world.poll(self.host, reports);
        if reports.is_empty() && timeout != Some(Duration::ZERO) {
            let now = world.clock.now().mono;
            let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
            let next = world.next_arrival();
            if let Some(at) = next.into_iter().chain(deadline).min() {
                world.clock.advance_to(at);
                world.poll(self.host, reports);
            }
        }
        Ok(())
    }

    /// Listens at the address of the host instead of everywhere, because a host has one address
    /// only.
    fn listen(&mut self, endpoint: Endpoint) -> io::Result<SocketId> {
        let mut world = self.network.world();
        let address = match endpoint {
            Endpoint::Address(address) => address,
            Endpoint::Everywhere(port) => SocketAddr::new(world.hosts[self.host].address, port),
        };
        world.listen(self.host, address, usize::MAX)
    }

    fn adopt(&mut self, _listener: TcpListener) -> io::Result<SocketId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Listens at a path that all hosts of the network share. Permissions have no effect.
    fn listen_local(&mut self, path: &Path, options: LocalOptions) -> io::Result<SocketId> {
        let mut world = self.network.world();
        let address = world.place(path);
        world.listen(self.host, address, usize::try_from(options.backlog).unwrap_or(0))
    }

    fn connect_local(&mut self, path: &Path) -> io::Result<SocketId> {
        self.network.world().connect_local(self.host, path)
    }

    fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, SocketAddr)> {
        self.network.world().accept(self.host, listener)
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        self.network.world().connect(self.host, address)
    }

    fn connected(&mut self, io: SocketId) -> io::Result<()> {
        self.network.world().connected(io)
    }

    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.network.world().recv(self.host, io, into, most)
    }

    fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.network.world().send(self.host, io, from)
    }

    fn bind_datagrams(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        self.network.world().bind_datagrams(self.host, address)
    }

    fn connect_datagrams(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        self.network.world().connect_datagrams(self.host, peer)
    }

    fn recv_datagram(&mut self, io: SocketId, into: &mut Vec<u8>) -> io::Result<SocketAddr> {
        self.network.world().recv_datagram(self.host, io, into)
    }

    fn send_datagram(
        &mut self,
        io: SocketId,
        from: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<()> {
        self.network.world().send_datagram(self.host, io, from, to)
    }

    fn shutdown(&mut self, io: SocketId) -> io::Result<()> {
        self.network.world().shutdown(io)
    }

    fn close(&mut self, io: SocketId) {
        self.network.world().close(io, false);
    }

    fn reset(&mut self, io: SocketId) {
        self.network.world().close(io, true);
    }

    fn local_address(&self, io: SocketId) -> io::Result<SocketAddr> {
        self.network.world().local_address(io)
    }

    fn waker(&self) -> Option<Arc<mio::Waker>> {
        None
    }

    fn watch(&mut self, _descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn shuffle(&mut self, run: &mut VecDeque<Token>) {
        let mut world = self.network.world();
        if world.hosts[self.host].faults.shuffle {
            world.rng.shuffle(run.make_contiguous());
        }
    }
}

impl Network {
    /// Creates a host on this network and returns its reactor. Its connections come from `address`;
    /// listeners may have any address.
    #[must_use]
    pub fn reactor<M>(&self, address: IpAddr, faults: Faults) -> Reactor<M> {
        let host = self.world().add_host(address, faults);
        Reactor::with(Box::new(SimTransport::new(self.clone(), host)), Box::new(self.clock()))
    }
}
