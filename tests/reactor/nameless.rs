//! TCP sockets that cannot report their local address; all other operations work.

use std::io::{Error, IoSlice, Result};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate::reactor::{
    Endpoint, LocalOptions, SocketId, TcpTransport, Transport, TransportEvent,
};

#[derive(Debug)]
pub(crate) struct Nameless(pub(crate) TcpTransport);

impl Transport for Nameless {
    fn local_address(&self, _: SocketId) -> Result<SocketAddr> {
        Err(Error::other("no name"))
    }

    fn poll(&mut self, reports: &mut Vec<TransportEvent>, timeout: Option<Duration>) -> Result<()> {
        self.0.poll(reports, timeout)
    }

    fn listen(&mut self, endpoint: Endpoint) -> Result<SocketId> {
        self.0.listen(endpoint)
    }

    fn adopt(&mut self, listener: TcpListener) -> Result<SocketId> {
        self.0.adopt(listener)
    }

    fn listen_local(&mut self, path: &Path, options: LocalOptions) -> Result<SocketId> {
        self.0.listen_local(path, options)
    }

    fn connect_local(&mut self, path: &Path) -> Result<SocketId> {
        self.0.connect_local(path)
    }

    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr)> {
        self.0.accept(listener)
    }

    fn connect(&mut self, address: SocketAddr) -> Result<SocketId> {
        self.0.connect(address)
    }

    fn connected(&mut self, io: SocketId) -> Result<()> {
        self.0.connected(io)
    }

    fn recv(&mut self, io: SocketId, into: &mut Vec<u8>, most: usize) -> Result<usize> {
        self.0.recv(io, into, most)
    }

    fn send(&mut self, io: SocketId, from: &[IoSlice<'_>]) -> Result<usize> {
        self.0.send(io, from)
    }

    fn bind_datagrams(&mut self, address: SocketAddr) -> Result<SocketId> {
        self.0.bind_datagrams(address)
    }

    fn connect_datagrams(&mut self, peer: SocketAddr) -> Result<SocketId> {
        self.0.connect_datagrams(peer)
    }

    fn recv_datagram(&mut self, io: SocketId, into: &mut Vec<u8>) -> Result<SocketAddr> {
        self.0.recv_datagram(io, into)
    }

    fn send_datagram(&mut self, io: SocketId, from: &[u8], to: Option<SocketAddr>) -> Result<()> {
        self.0.send_datagram(io, from, to)
    }

    fn shutdown(&mut self, io: SocketId) -> Result<()> {
        self.0.shutdown(io)
    }

    fn close(&mut self, io: SocketId) {
        self.0.close(io);
    }

    fn reset(&mut self, io: SocketId) {
        self.0.reset(io);
    }

    fn waker(&self) -> Option<Arc<mio::Waker>> {
        self.0.waker()
    }

    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.0.watch(descriptor)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.descriptor()
    }

    fn end_turn(&mut self, reports: &mut Vec<TransportEvent>) {
        self.0.end_turn(reports);
    }
}
