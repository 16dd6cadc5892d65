//! Requests to a log server: one connection for each, which waits no longer than a deadline.

use std::io::{self, Read, Write};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::cli::connection::{Connection, Timed};
use crate::config::ShipSettings;
use crate::http::{ClientCodec, ClientEvent, HeadLimits, Method, ResponseHead};
use crate::reactor::{Clock, SystemClock};
use crate::shipping::{Answer, BatchEncoder};
use crate::tls::Problem;

/// Longest time of one request, with its response.
const EXCHANGE: Duration = Duration::from_secs(10);
/// Most bytes of content of a response.
const MOST_CONTENT: usize = 64 * 1024;
/// Bytes that are received at once.
const CHUNK: usize = 8 * 1024;

/// Sender of batches to one server.
pub(super) struct BatchSender {
    settings: ShipSettings,
    encoder: BatchEncoder,
    /// Number and body of the last batch, which is sent again as it was.
    body: (u64, Vec<u8>),
}

impl BatchSender {
    pub(super) fn new(settings: ShipSettings) -> Self {
        let labels = settings.labels.clone();
        let encoder = BatchEncoder::new(settings.server.protocol, labels, settings.gzip);
        Self { settings, encoder, body: (0, Vec::new()) }
    }

    /// Sends batches until no more can follow, and reports each answer.
    pub(super) fn work(mut self, batches: &Receiver<(u64, String)>, report: impl Fn(Answer)) {
        for (number, lines) in batches {
            let answer = self.send(number, &lines);
            report(answer.unwrap_or_else(|reason| Answer::Later(Duration::ZERO, reason)));
        }
    }

    fn send(&mut self, number: u64, lines: &str) -> Result<Answer, String> {
        if self.body.0 != number {
            let now = SystemClock.now().since_epoch();
            let body = self.encoder.encode(lines, now).map_err(|error| error.to_string())?;
            self.body = (number, body);
        }
        let mut connection = self.connect()?;
        let failed = |error: io::Error| self.reason(&error);
        let sent = connection.write_all(self.head().as_bytes());
        let sent = sent.and_then(|()| connection.write_all(&self.body.1));
        let sent = sent.and_then(|()| connection.flush());
        // A server that refuses the request may answer before it has read everything.
        let received = receive(&mut connection);
        let (head, content) = match (sent, received) {
            (_, Ok(received)) => received,
            (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(failed(error)),
        };
        let retry_after = head.fields().all_named(b"Retry-After").next();
        Ok(Answer::of(head.status().code(), retry_after, &content, SystemClock.now().wall))
    }

    fn connect(&self) -> Result<Connection, String> {
        let server = &self.settings.server;
        let deadline = SystemClock.now().mono + EXCHANGE;
        let socket = Timed::connect(&server.host, server.port, deadline);
        let socket = socket.map_err(|error| self.reason(&error))?;
        let Some(tls) = &self.settings.tls else { return Ok(Connection::Plain(socket)) };
        let is_verified = tls.profile(&server.host).is_verified;
        let tls = tls.connection(&server.host, is_verified).map_err(|error| error.to_string())?;
        Connection::secure(socket, tls).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => self.reason(&error),
            _ => Problem::of(&error).to_string(),
        })
    }

    fn head(&self) -> Zeroizing<String> {
        let server = &self.settings.server;
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tidegate/{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n",
            server.path,
            server.authority,
            env!("CARGO_PKG_VERSION"),
            self.body.1.len(),
        );
        if self.settings.gzip {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        if let Some(tenant) = &self.settings.tenant {
            head.extend(["X-Scope-OrgID: ", tenant, "\r\n"]);
        }
        if let Some(authorization) = &self.settings.authorization {
            head.extend(["Authorization: ", authorization, "\r\n"]);
        }
        head.push_str("\r\n");
        Zeroizing::new(head)
    }

    /// Returns the reason of a failure, with the server.
    fn reason(&self, error: &io::Error) -> String {
        let server = &self.settings.server.authority;
        match error.kind() {
            io::ErrorKind::NotFound => format!("no address is known for {server}"),
            io::ErrorKind::TimedOut => format!("{server} does not answer in time"),
            io::ErrorKind::ConnectionRefused => format!("{server} refuses connections"),
            _ => format!("{server}: {error}"),
        }
    }
}

/// Receives a response, with as much of its content as is wanted.
fn receive(connection: &mut Connection) -> io::Result<(ResponseHead, Vec<u8>)> {
    let mut codec = ClientCodec::new(Method::Post);
    let (mut unread, mut content, mut response) = (Vec::new(), Vec::new(), None);
    loop {
        let decoded = codec.decode(&unread, &HeadLimits::default());
        let (used, event) = decoded.map_err(|rule| io::Error::other(rule.text()))?;
        let is_pending = event.is_none();
        match event {
            Some(ClientEvent::Response(head)) => response = Some(*head),
            Some(ClientEvent::Content(range)) => content.extend_from_slice(&unread[range]),
            Some(ClientEvent::Interim(_)) | None => {}
            Some(ClientEvent::End(_)) => break,
        }
        unread.drain(..used);
        if content.len() > MOST_CONTENT {
            break;
        }
        if is_pending {
            let mut chunk = [0; CHUNK];
            match connection.read(&mut chunk)? {
                0 => {
                    let end = codec.end_of_stream();
                    end.map_err(|_| io::Error::other("the connection ends before the response"))?;
                    break;
                }
                n => unread.extend_from_slice(&chunk[..n]),
            }
        }
    }
    let head =
        response.ok_or_else(|| io::Error::other("the connection ends before the response"))?;
    Ok((head, content))
}
