//! A connection for one exchange, which waits no longer than a deadline.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::reactor::{Clock, SystemClock};

/// Longest time of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);

/// A byte stream over TCP, perhaps with TLS.
pub(super) enum Connection {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose reads and writes end at a deadline.
pub(super) struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    /// Looks up a host and connects to the first of its addresses that accepts.
    ///
    /// # Errors
    /// The last failure, with kind `NotFound` if the host has no address.
    pub(super) fn connect(host: &str, port: u16, deadline: Instant) -> io::Result<Self> {
        let mut failure = io::ErrorKind::NotFound.into();
        for address in addresses(host, port, deadline)? {
            match TcpStream::connect_timeout(&address, left(deadline)?.min(CONNECT)) {
                Ok(socket) => return Ok(Self { socket, deadline }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Returns the addresses of a host. Names are looked up on a thread, which the process does not wait for once the time is over.
fn addresses(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_matches(['[', ']']).to_owned();
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (found, results) = mpsc::channel();
    let look_up = move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        // The connection may have been abandoned.
        drop(found.send(addresses.map(Iterator::collect::<Vec<_>>)));
    };
    thread::Builder::new().name("look-up".into()).spawn(look_up)?;
    match results.recv_timeout(left(deadline)?) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(_)) => Err(io::ErrorKind::NotFound.into()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Returns the time until a deadline.
///
/// # Errors
/// `TimedOut` if the deadline is over.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(SystemClock.now().mono);
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Returns the failure of a socket, with one kind for an operation that took too long.
fn timed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(into).map_err(timed)
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write(from).map_err(timed)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    /// Begins TLS on a socket, and completes the handshake.
    ///
    /// # Errors
    /// The failure of the socket, or that of TLS as [`crate::tls::Problem::of`] reads it.
    pub(super) fn secure(socket: Timed, tls: ClientConnection) -> io::Result<Self> {
        let mut stream = StreamOwned::new(tls, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Returns the certificate of the peer in DER.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.conn.peer_certificates()?.first().map(AsRef::as_ref),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(stream) => match stream.read(into) {
                // An end without `close_notify` is an end: the framing tells what is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Connection {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(from),
            Self::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
