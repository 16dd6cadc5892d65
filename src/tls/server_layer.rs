//! The server side of TLS as a layer: a client's first message decides how it is served.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

use rustls::server::{Accepted, Acceptor};
use rustls::{AlertDescription, Connection};

use crate::reactor::{Layer, Wire};
use crate::work::count;

use super::facts::Facts;
use super::server::ServerTls;
use super::session::Session;

/// First byte of a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// Bytes received at once before the first message is complete.
const CHUNK: usize = 4096;
/// Counted steps of reading a part of the first message.
const READ: usize = 2_000;

/// A connection of a client that is to speak TLS.
#[derive(Debug)]
pub struct ServerLayer {
    tls: Arc<ServerTls>,
    state: State,
    /// Name of the server that the client asked for, if it named one.
    name: Option<String>,
}

enum State {
    /// The client's first message is incomplete.
    Hello(Acceptor),
    Session(Box<Session>),
    /// The client was refused: a fatal alert was sent.
    Refused(rustls::Error),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(_) => f.write_str("Hello"),
            Self::Session(session) => session.fmt(f),
            Self::Refused(error) => write!(f, "Refused({error})"),
        }
    }
}

/// A client has begun with bytes of another protocol than TLS, such as plain HTTP.
#[derive(Debug)]
pub struct NotTls {
    /// The first bytes.
    pub received: Vec<u8>,
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client does not speak TLS")
    }
}

impl std::error::Error for NotTls {}

impl ServerLayer {
    /// Serves a client that has connected, by the certificates of `tls`.
    #[must_use]
    pub fn new(tls: Arc<ServerTls>) -> Self {
        Self { tls, state: State::Hello(Acceptor::default()), name: None }
    }

    /// Returns what was negotiated, once the handshake is complete.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        match &self.state {
            State::Session(session) => Some(Facts::of(session.tls(), self.name.as_deref())),
            State::Hello(_) | State::Refused(_) => None,
        }
    }

    /// Returns the name of the server that the client asked for (RFC 6066 §3), in lower case.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Receives the first message. `Ok` once the connection has a session or was refused.
    fn greet(&mut self, wire: &mut Wire<'_>) -> io::Result<()> {
        let mut is_first = true;
        while let State::Hello(acceptor) = &mut self.state {
            let mut received = wire.recv_chunk(CHUNK)?;
            match received {
                [] => return Err(io::ErrorKind::UnexpectedEof.into()),
                [HANDSHAKE, ..] => {}
                _ if !is_first || self.name.is_some() => {}
                _ => {}
            }
            is_first = false;
            count(READ);
            acceptor.read_tls(&mut received)?;
            let rest = received.to_vec();
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => self.accept(accepted, &rest, wire)?,
                Err((error, mut alert)) => {
                    let _ = alert.write_all(wire);
                    self.state = State::Refused(error);
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, accepted: Accepted, rest: &[u8], wire: &mut Wire<'_>) -> io::Result<()> {
        let hello = accepted.client_hello();
        self.name = hello.server_name().map(str::to_ascii_lowercase);
        todo!()
    }
}
