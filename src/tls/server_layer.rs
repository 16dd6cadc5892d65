//! The server side of TLS as a layer: a client's first message decides how it is served.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use rustls::{AlertDescription, Connection, OtherError, PeerIncompatible};

use crate::reactor::{Layer, Wire};
use crate::work::count;

use super::facts::Facts;
use super::not_tls::NotTls;
use super::problem::Problem;
use super::server::{ACME_TLS_1, ServerTls};
use super::session::{FLIGHT, Session};

/// First byte of a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// First byte of a record with an alert.
const ALERT: u8 = 21;
/// Bytes received at once before the first message is complete.
const CHUNK: usize = 4096;

/// A connection of a client that is to speak TLS.
#[derive(Debug)]
pub struct ServerLayer {
    tls: Arc<ServerTls>,
    state: State,
    /// Name of the server that the client asked for, in lower case.
    name: Option<String>,
}

enum State {
    /// The client's first message is incomplete; `has_begun` once bytes of it were received.
    Hello {
        acceptor: Box<Acceptor>,
        has_begun: bool,
        /// Bytes that were received before the layer was made.
        early: Vec<u8>,
    },
    Session(Box<Session>),
    /// The client was refused by a fatal alert.
    Refused(rustls::Error),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { .. } => f.write_str("Hello"),
            Self::Session(session) => session.fmt(f),
            Self::Refused(error) => write!(f, "Refused({error})"),
        }
    }
}

impl ServerLayer {
    /// Serves a client that has connected, by the settings `tls`.
    #[must_use]
    pub fn new(tls: Arc<ServerTls>) -> Self {
        Self::with_early(tls, Vec::new())
    }

    /// Serves a client that has connected, by the settings `tls`. The bytes `early` were received from it
    /// already.
    #[must_use]
    pub fn with_early(tls: Arc<ServerTls>, early: Vec<u8>) -> Self {
        let state = State::Hello { acceptor: Box::default(), has_begun: false, early };
        Self { tls, state, name: None }
    }

    /// Returns what was negotiated, once the handshake is complete.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        match &self.state {
            State::Session(session) => Some(Facts::of(session.tls(), self.name.as_deref())),
            State::Hello { .. } | State::Refused(_) => None,
        }
    }

    /// Returns true if the connection only shows a certificate authority who serves a name: no request
    /// is served on it (RFC 8737 §4).
    #[must_use]
    pub fn is_challenge(&self) -> bool {
        match &self.state {
            State::Session(session) => session.tls().alpn_protocol() == Some(ACME_TLS_1),
            State::Hello { .. } | State::Refused(_) => false,
        }
    }

    /// Returns the name of the server that the client asked for (RFC 6066 §3), in lower case.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the session, once the client's first message was received and the client is served.
    fn session(&mut self, wire: &mut Wire<'_>) -> io::Result<&mut Session> {
        while let State::Hello { acceptor, has_begun, early } = &mut self.state {
            let early = std::mem::take(early);
            let mut received = match early.as_slice() {
                [] => wire.recv_chunk(CHUNK)?,
                early => early,
            };
            count(received.len());
            match received {
                [] => return Err(io::ErrorKind::UnexpectedEof.into()),
                [first, ..] if !*has_begun && *first != HANDSHAKE => {
                    let received = received.to_vec();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, NotTls { received }));
                }
                _ => *has_begun = true,
            }
            let accepted = accept(acceptor, &mut received);
            let rest = received.to_vec();
            let accepted = match accepted {
                Ok(None) => continue,
                Ok(Some(accepted)) => self.serve(accepted, &rest),
                Err(refusal) => Err(refusal),
            };
            self.state = match accepted {
                Ok(session) => State::Session(Box::new(session)),
                Err(Refusal { error, alert }) => {
                    let _ = wire.write(&alert); // the connection ends in any case
                    State::Refused(error)
                }
            };
        }
        match &mut self.state {
            State::Session(session) => Ok(session),
            State::Refused(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())),
            State::Hello { .. } => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Begins the session of a client whose first message is complete. `rest` was received behind it.
    fn serve(&mut self, accepted: Accepted, rest: &[u8]) -> Result<Session, Refusal> {
        let hello = accepted.client_hello();
        self.name = hello.server_name().map(str::to_ascii_lowercase);
        let config = self.tls.choose(&hello, self.name.as_deref()).map_err(|alert| {
            let problem = Problem::of_unknown_name(self.name.as_deref());
            Refusal::with(alert, rustls::Error::Other(OtherError(Arc::new(problem))))
        })?;
        count(FLIGHT);
        let tls = accepted.into_connection(config).map_err(Refusal::of)?;
        let mut session = Session::new(Connection::Server(tls));
        // An error shows again when the session is used, and its alert is sent then.
        let _ = session.feed(rest, &mut Vec::new());
        Ok(session)
    }
}

/// Reads `received` bytes until the client's first message is complete, or none are left.
fn accept(acceptor: &mut Acceptor, received: &mut &[u8]) -> Result<Option<Accepted>, Refusal> {
    let general = |why: &str| rustls::Error::General(why.to_owned());
    while !received.is_empty() {
        match acceptor.read_tls(received) {
            Ok(1..) => {}
            Ok(0) => {
                let why = "the client has ended the connection before its first message";
                return Err(Refusal::with(AlertDescription::UnexpectedMessage, general(why)));
            }
            Err(_) => {
                let why = "the first message is too large";
                return Err(Refusal::with(AlertDescription::DecodeError, general(why)));
            }
        }
        if let Some(accepted) = acceptor.accept().map_err(Refusal::of)? {
            return Ok(Some(accepted));
        }
    }
    Ok(None)
}

/// Reason for which a client is not served, and the alert that tells the client.
struct Refusal {
    error: rustls::Error,
    /// A record with the alert.
    alert: Vec<u8>,
}

impl Refusal {
    fn of((error, mut alert): (rustls::Error, AcceptedAlert)) -> Self {
        // Clients of TLS 1.1 and older name no signature algorithms, which is noticed first.
        let why = PeerIncompatible::SignatureAlgorithmsExtensionRequired;
        if error == rustls::Error::PeerIncompatible(why) {
            return Self::with(AlertDescription::ProtocolVersion, error);
        }
        let mut bytes = Vec::new();
        let _ = alert.write_all(&mut bytes); // a vector takes everything
        if bytes.is_empty() {
            bytes = fatal(AlertDescription::DecodeError);
        }
        Self { error, alert: bytes }
    }

    /// Refuses by a fatal alert (RFC 8446 §6).
    fn with(alert: AlertDescription, error: rustls::Error) -> Self {
        Self { error, alert: fatal(alert) }
    }
}

/// Returns a record with a fatal alert.
fn fatal(alert: AlertDescription) -> Vec<u8> {
    const FATAL: u8 = 2;
    vec![ALERT, 3, 3, 0, 2, FATAL, u8::from(alert)]
}

impl Layer for ServerLayer {
    fn handshake(&mut self, wire: &mut Wire<'_>) -> io::Result<()> {
        self.session(wire)?.handshake(wire)
    }

    fn recv(&mut self, wire: &mut Wire<'_>, into: &mut Vec<u8>) -> io::Result<usize> {
        self.session(wire)?.recv(wire, into)
    }

    fn send(&mut self, wire: &mut Wire<'_>, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session(wire)?.send(wire, from)
    }

    fn flush(&mut self, wire: &mut Wire<'_>) -> bool {
        match &mut self.state {
            State::Session(session) => session.flush(wire),
            State::Hello { .. } | State::Refused(_) => true,
        }
    }

    fn shutdown(&mut self, wire: &mut Wire<'_>) {
        match &mut self.state {
            State::Session(session) => session.shutdown(wire),
            State::Hello { .. } | State::Refused(_) => {
                let _ = wire.shutdown(); // the connection ends in any case
            }
        }
    }

    fn close(&mut self, wire: &mut Wire<'_>) -> bool {
        match &mut self.state {
            State::Session(session) => session.close(wire),
            State::Hello { .. } | State::Refused(_) => true,
        }
    }

    fn has_input(&self) -> bool {
        match &self.state {
            State::Session(session) => session.has_input(),
            State::Hello { early, .. } => !early.is_empty(),
            State::Refused(_) => true,
        }
    }

    fn held(&self) -> usize {
        match &self.state {
            State::Session(session) => session.held(),
            State::Hello { .. } | State::Refused(_) => 0,
        }
    }

    fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Session(session) => session.is_handshaking(),
            State::Hello { .. } | State::Refused(_) => true,
        }
    }
}
