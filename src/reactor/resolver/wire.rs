//! Sockets of queries: a UDP socket that is used once, or a TCP connection.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Poll, ready};

use crate::dns::{DnsTransport, Query};
use crate::reactor::Reactor;
use crate::reactor::arena::Token;
use crate::reactor::net::transport::SocketId;
use crate::reactor::ready::Ready;
use crate::work::{LOOK_UP, count};

/// Capacity for one datagram: more than servers are asked to send.
pub(super) const DATAGRAM: usize = 4096;
/// Bytes received from a connection at a time.
const PIECE: usize = 2048;
/// Length field before each message on a connection, in bytes.
const LENGTH: usize = 2;

#[derive(Debug)]
pub(super) enum Wire {
    Datagrams(SocketId),
    Stream(Stream),
}

/// A TCP connection on which one query is sent.
#[derive(Debug)]
pub(super) struct Stream {
    io: SocketId,
    server: SocketAddr,
    connected: bool,
    /// The query with its length field; `sent` bytes of it were sent.
    query: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
}

impl Wire {
    /// Sends a query over a UDP socket of its own, or begins to connect to the server.
    pub(super) fn open<M>(
        query: Query,
        owner: Token,
        reactor: &mut Reactor<M>,
    ) -> io::Result<Self> {
        let Query { server, over, message } = query;
        match over {
            DnsTransport::Udp => {
                let io = reactor.connect_datagrams(server, owner)?;
                // A datagram that finds no room counts as lost.
                if let Poll::Ready(Err(error)) = reactor.send_datagram(io, &message, None) {
                    reactor.close(io);
                    return Err(error);
                }
                Ok(Self::Datagrams(io))
            }
            DnsTransport::Tcp => {
                let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
                let query = [&length.to_be_bytes(), message.as_slice()].concat();
                let io = reactor.connect(server, owner)?;
                let received = Vec::new();
                Ok(Self::Stream(Stream { io, server, connected: false, query, sent: 0, received }))
            }
        }
    }

    /// Appends the next message to `into` and returns the sender's address.
    pub(super) fn receive<M>(
        &mut self,
        into: &mut Vec<u8>,
        reactor: &mut Reactor<M>,
    ) -> Poll<io::Result<SocketAddr>> {
        count(LOOK_UP);
        match self {
            Self::Datagrams(io) => reactor.recv_datagram(*io, into),
            Self::Stream(stream) => {
                into.append(&mut ready!(stream.message(reactor))?);
                Poll::Ready(Ok(stream.server))
            }
        }
    }

    /// Returns true if the socket has unread data.
    pub(super) fn has_news<M>(&self, reactor: &Reactor<M>) -> bool {
        reactor.ready(self.io()).contains(Ready::READABLE)
    }

    pub(super) fn close<M>(self, reactor: &mut Reactor<M>) {
        reactor.close(self.io());
    }

    const fn io(&self) -> SocketId {
        match self {
            Self::Datagrams(io) => *io,
            Self::Stream(stream) => stream.io,
        }
    }
}

impl Stream {
    fn message<M>(&mut self, reactor: &mut Reactor<M>) -> Poll<io::Result<Vec<u8>>> {
        if !self.connected {
            ready!(reactor.connected(self.io))?;
            self.connected = true;
        }
        while self.sent < self.query.len() {
            let unsent = IoSlice::new(&self.query[self.sent..]);
            self.sent += ready!(reactor.send(self.io, &[unsent]))?;
        }
        loop {
            if let Some((length, rest)) = self.received.split_first_chunk::<LENGTH>() {
                let length = usize::from(u16::from_be_bytes(*length));
                if rest.len() >= length {
                    count(self.received.len());
                    let message = rest[..length].to_vec();
                    self.received.drain(..LENGTH + length);
                    return Poll::Ready(Ok(message));
                }
            }
            self.received.reserve(PIECE);
            if ready!(reactor.recv(self.io, &mut self.received))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
