//! A client for one request at a time, which sends what a browser sends.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::args::doctor::DoctorRequest;
use crate::cli::connection::{Connection, Timed};
use crate::config::TlsOptions;
use crate::doctor::{Exchange, SeenCertificate, Url};
use crate::http::{HeadLimits, RequestHead, ServerCodec, ServerEvent};
use crate::reactor::{Clock, SystemClock};
use crate::tls::{OriginTls, Problem, ProblemKind};
use crate::x509::CertificateFacts;

use super::failure::Failure;
use super::receiver::Receiver;

/// Longest time of one exchange.
const EXCHANGE: Duration = Duration::from_secs(20);

/// A request that is to be sent.
pub(super) struct Ask<'a> {
    /// URL of the resource, as a browser knows it.
    pub(super) url: &'a Url,
    /// Path and query for the server.
    pub(super) target: &'a str,
    pub(super) server: &'a Server,
    /// Field lines, `Host` among them.
    pub(super) fields: &'a [(&'a str, String)],
}

/// A server, and how it is reached.
pub(super) struct Server {
    /// Host by which TLS asks for a certificate, and verifies it.
    pub(super) name: String,
    /// Host and port to connect to.
    pub(super) address: (String, u16),
    /// True if clients speak TLS.
    pub(super) is_secure: bool,
    /// True if a certificate that cannot be verified ends the exchange.
    pub(super) is_strict: bool,
}

impl Server {
    fn address_text(&self) -> String {
        format!("{}:{}", self.address.0, self.address.1)
    }

    /// Connects without TLS.
    fn open(&self, deadline: Instant) -> Result<Timed, Failure> {
        let (host, port) = &self.address;
        let opened = Timed::connect(host, *port, deadline);
        opened.map_err(|error| Failure::of(error, &self.address_text()))
    }
}

/// A client with a time for all requests together.
pub(super) struct Client {
    tls: OriginTls,
    deadline: Instant,
    /// Certificates of the servers that were asked, each once.
    pub(super) certificates: Vec<SeenCertificate>,
    /// Number of requests that were sent.
    pub(super) requests: usize,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    /// A message if the authorities cannot be read.
    pub(super) fn new(request: &DoctorRequest) -> Result<Self, String> {
        let authorities =
            TlsOptions { origin_authorities: request.authorities.clone(), ..TlsOptions::default() };
        Ok(Self {
            tls: authorities.origin()?,
            deadline: SystemClock.now().mono + request.max_time,
            certificates: Vec::new(),
            requests: 0,
        })
    }

    /// Sends a GET, and returns the exchange.
    ///
    /// # Errors
    /// The reason if no response head is received.
    pub(super) fn get(&mut self, ask: &Ask<'_>) -> Result<Exchange, Failure> {
        let text = request_text(ask.target, ask.fields);
        let request = parsed(&text)?;
        let deadline = self.deadline.min(SystemClock.now().mono + EXCHANGE);
        let address = ask.server.address_text();
        let mut connection = self.connect(ask.server, deadline)?;
        self.requests += 1;
        let failed = |error| Failure::of(error, &address);
        connection.write_all(text.as_bytes()).and_then(|()| connection.flush()).map_err(failed)?;
        let sent = SystemClock.now();
        let received = Receiver::new(connection, &address).receive()?;
        Ok(Exchange {
            url: ask.url.clone(),
            request,
            response: received.head,
            content: received.content,
            is_whole: received.is_whole,
            sent,
            answered: received.began,
        })
    }

    /// Connects to a server. A certificate that cannot be verified is noted, and the server is asked all
    /// the same, unless it is a strict one.
    fn connect(&mut self, server: &Server, deadline: Instant) -> Result<Connection, Failure> {
        let socket = server.open(deadline)?;
        if !server.is_secure {
            return Ok(Connection::Plain(socket));
        }
        let is_bad = |seen: &SeenCertificate| seen.host == server.name && seen.problem.is_some();
        let is_verified = server.is_strict || !self.certificates.iter().any(is_bad);
        let is_lenient = is_verified && !server.is_strict;
        match self.secure(server, socket, is_verified) {
            Err(Failure::Tls(problem))
                if is_lenient && problem.kind == ProblemKind::Certificate =>
            {
                let connection = self.secure(server, server.open(deadline)?, false)?;
                self.note(server, &connection, Some((problem.word, problem.text)));
                Ok(connection)
            }
            Err(failure) => Err(failure),
            Ok(connection) => {
                self.note(server, &connection, None);
                Ok(connection)
            }
        }
    }

    /// Begins TLS.
    fn secure(
        &self,
        server: &Server,
        socket: Timed,
        is_verified: bool,
    ) -> Result<Connection, Failure> {
        let tls = self.tls.connection(&server.name, is_verified);
        let tls = tls.map_err(|error| Failure::Tls(Problem::of_name(&error)))?;
        Connection::secure(socket, tls).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Failure::Late(server.address_text()),
            _ => Failure::Tls(Problem::of(&error)),
        })
    }

    /// Notes the certificate of a server that was not asked before.
    fn note(
        &mut self,
        server: &Server,
        connection: &Connection,
        problem: Option<(&'static str, String)>,
    ) {
        if self.certificates.iter().any(|seen| seen.host == server.name) {
            return;
        }
        let facts = connection.certificate().and_then(|der| CertificateFacts::of(der).ok());
        let (host, now) = (server.name.clone(), SystemClock.now());
        self.certificates.push(SeenCertificate { host, facts, problem, now });
    }
}

fn request_text(target: &str, fields: &[(&str, String)]) -> String {
    let lines = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("GET {target} HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
}

/// Reads a request that is to be sent, as a server reads it.
fn parsed(text: &str) -> Result<Arc<RequestHead>, Failure> {
    let limits = HeadLimits::default();
    match ServerCodec::new().decode(text.as_bytes(), &limits).map_err(Failure::Malformed)? {
        (_, Some(ServerEvent::Request(head))) => Ok(head.into()),
        _ => Err(Failure::Ended),
    }
}
