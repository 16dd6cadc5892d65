//! Reception of one response.

use std::io::Read;

use crate::cli::connection::Connection;
use crate::http::{ClientCodec, ClientEvent, HeadLimits, Method, ParseError, ResponseHead};
use crate::reactor::{Clock, SystemClock};
use crate::time::Now;

use super::failure::Failure;

/// Most bytes of content that are read.
const MOST_CONTENT: usize = 1024 * 1024;
/// Bytes that are received at once.
const CHUNK: usize = 16 * 1024;
/// Most interim responses before the final one.
const MOST_INTERIM: usize = 20;

/// A response that was received.
pub(super) struct Received {
    pub(super) head: ResponseHead,
    /// First bytes of the content.
    pub(super) content: Vec<u8>,
    /// True if that is all of it.
    pub(super) is_whole: bool,
    /// Time of the first byte.
    pub(super) began: Now,
}

/// A response that is being received.
pub(super) struct Receiver<'a> {
    connection: Connection,
    address: &'a str,
    codec: ClientCodec,
    unread: Vec<u8>,
    content: Vec<u8>,
    began: Option<Now>,
}

impl<'a> Receiver<'a> {
    /// Begins to receive the response to a GET from `address`.
    pub(super) const fn new(connection: Connection, address: &'a str) -> Self {
        let codec = ClientCodec::new(Method::Get);
        Self { connection, address, codec, unread: Vec::new(), content: Vec::new(), began: None }
    }

    /// Receives the head, and the content until its end or a bound.
    ///
    /// # Errors
    /// The reason if the head is not received, or if the content is malformed or ends too early.
    pub(super) fn receive(mut self) -> Result<Received, Failure> {
        let mut interim = 0;
        let head = loop {
            match self.next_event()? {
                Some(ClientEvent::Response(head)) => break *head,
                Some(ClientEvent::Interim(_)) if interim < MOST_INTERIM => interim += 1,
                _ => return Err(Failure::Ended),
            }
        };
        let is_whole = self.receive_content()?;
        self.content.truncate(MOST_CONTENT);
        let began = self.began.unwrap_or_else(|| SystemClock.now());
        Ok(Received { head, content: self.content, is_whole, began })
    }

    /// Receives content up to its bounds of bytes and time. Returns true if it is complete.
    fn receive_content(&mut self) -> Result<bool, Failure> {
        while self.content.len() <= MOST_CONTENT {
            match self.next_event() {
                Ok(Some(ClientEvent::End(_))) => return Ok(true),
                Ok(Some(_)) => {}
                Err(Failure::Late(_)) => return Ok(false),
                Err(Failure::Malformed(rule)) if rule != ParseError::Truncated => {
                    return Err(Failure::Malformed(rule));
                }
                Ok(None) | Err(_) => return Err(Failure::CutOff(self.content.len())),
            }
        }
        Ok(false)
    }

    /// Returns the next event, and appends its content. `None` if the stream ends before its first byte.
    fn next_event(&mut self) -> Result<Option<ClientEvent>, Failure> {
        loop {
            let decoded = self.codec.decode(&self.unread, &HeadLimits::default());
            let (used, event) = decoded.map_err(Failure::Malformed)?;
            if let Some(ClientEvent::Content(range)) = &event {
                self.content.extend_from_slice(&self.unread[range.clone()]);
            }
            self.unread.drain(..used);
            if event.is_some() {
                return Ok(event);
            }
            let mut chunk = [0; CHUNK];
            let received = self.connection.read(&mut chunk);
            match received.map_err(|error| Failure::of(error, self.address))? {
                0 if self.began.is_none() => return Ok(None),
                0 => return self.codec.end_of_stream().map(Some).map_err(Failure::Malformed),
                n => {
                    self.began.get_or_insert_with(|| SystemClock.now());
                    self.unread.extend_from_slice(&chunk[..n]);
                }
            }
        }
    }
}
