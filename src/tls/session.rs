//! A TLS connection as a layer: contents of records in, records out.

use std::io::{self, BufRead, IoSlice, Read, Write};

use rustls::Connection;

use crate::reactor::{Layer, Wire};
use crate::work::count;

use super::facts::Facts;
use super::in_flight::InFlight;
use super::offer::{Offer, RECORD};

/// Least number of bytes to receive at once: a record takes few calls however little room there is.
const CHUNK: usize = 1024;
/// Most records encrypted at once.
const BATCH: usize = 4;
/// Bytes received without content after which other connections get their turn.
const SHARE: usize = 64 * 1024;
/// Counted steps of a call into the session.
const CALL: usize = 100;
/// Counted steps of a flight of handshake messages: about a tenth of a millisecond.
pub(super) const FLIGHT: usize = 100_000;

/// A TLS connection whose role is known: the client's towards an origin, or the server's once a client
/// has begun.
#[derive(Debug)]
pub struct Session {
    tls: Connection,
    in_flight: InFlight,
    end: End,
    /// Number of records to encrypt at once: more as long as the peer takes them, and one for a slow
    /// peer, for which they would only wait in memory.
    batch: usize,
    /// The error that has ended the connection.
    failed: Option<rustls::Error>,
    /// True if content, or the end of it, waits to be received.
    has_input: bool,
}

/// Progress of ending the content that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// The alert `close_notify` is queued. The wire is shut down once it has left, if `shuts`.
    Queued {
        shuts: bool,
    },
    Done,
}

impl Session {
    /// Wraps a connection. `unread` was received already.
    pub(super) fn new(mut tls: Connection) -> Self {
        tls.set_buffer_limit(None); // `send` limits what is queued
        let mut session = Self {
            tls,
            in_flight: InFlight::default(),
            end: End::Open,
            batch: 1,
            failed: None,
            has_input: false,
        };
        session.note_queued(&[]);
        session
    }

    /// Returns what was negotiated, once the handshake is complete. The server's name is left out: a
    /// client knows which it has asked for.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts::of(&self.tls, None)
    }

    /// Returns the connection.
    pub(super) const fn tls(&self) -> &Connection {
        &self.tls
    }

    /// Processes `received` bytes, and moves content into `into` as far as that has room.
    pub(super) fn feed(&mut self, mut received: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        while !received.is_empty() {
            if self.tls.read_tls(&mut received)? == 0 {
                return Ok(()); // nothing counts after `close_notify`
            }
            let processed = self.process();
            self.take_content(into); // content before a failure counts
            processed?;
        }
        Ok(())
    }

    /// Processes what was read. A failure is reported to the peer by an alert.
    fn process(&mut self) -> io::Result<()> {
        let processed = self.tls.process_new_packets();
        if let Ok(state) = &processed
            && self.in_flight.queued(state.tls_bytes_to_write(), &[]) > 0
        {
            count(FLIGHT);
        }
        processed.map(|_| ()).map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: rustls::Error) -> io::Error {
        self.has_input = true;
        self.failed = Some(error.clone());
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    fn failure(&self) -> io::Result<()> {
        match &self.failed {
            Some(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.clone())),
            None => Ok(()),
        }
    }

    /// Receives at most `most` bytes and processes them; returns their number, which is 0 at the end of
    /// the stream.
    fn receive(
        &mut self,
        wire: &mut Wire<'_>,
        most: usize,
        into: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let chunk = wire.recv_chunk(most)?;
        let received = chunk.len();
        count(CALL + received);
        if received == 0 {
            self.tls.read_tls(&mut io::empty())?;
            let processed = self.process();
            self.take_content(into);
            processed?;
        }
        self.feed(chunk, into)?;
        Ok(received)
    }

    /// Moves content into `into` as far as that has room, and notes whether there is more.
    fn take_content(&mut self, into: &mut Vec<u8>) {
        let mut reader = self.tls.reader();
        loop {
            let room = into.capacity() - into.len();
            match reader.fill_buf() {
                Ok(chunk) if !chunk.is_empty() && room > 0 => {
                    let part = chunk.len().min(room);
                    into.extend_from_slice(&chunk[..part]);
                    reader.consume(part);
                }
                state => {
                    let waits = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
                    self.has_input =
                        !state.is_err_and(|error| waits(&error)) || self.failed.is_some();
                    return;
                }
            }
        }
    }

    /// Returns the result of a receive that moved no content: the end, or the reason.
    fn end_of_content(&mut self) -> io::Result<usize> {
        self.failure()?;
        match self.tls.reader().fill_buf() {
            Ok(_) => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(error.kind().into()),
            Err(error) => Err(error),
        }
    }

    /// Gives back memory that a burst of input took.
    fn shrink(&mut self) {
        struct Nothing;
        impl Read for Nothing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        // The session fits its buffer to its content before each read.
        let _ = self.tls.read_tls(&mut Nothing);
    }

    /// Sends what is queued. `Ok(true)` if nothing waits any more.
    fn push(&mut self, wire: &mut Wire<'_>) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(wire) {
                Ok(n) => self.in_flight.sent(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.end == (End::Queued { shuts: true }) {
            self.end = End::Done;
            wire.shutdown()?;
        }
        Ok(true)
    }

    /// Encrypts what follows the first `skip` bytes of the slices, at most a batch.
    fn encrypt(&mut self, from: &[IoSlice<'_>], skip: usize) -> io::Result<()> {
        let mut offer = Offer::new(from, skip);
        for _ in 0..self.batch {
            let (record, slices) = offer.next_record();
            if slices == 0 {
                break;
            }
            let record = &record[..slices];
            let length = record.iter().map(|slice| slice.len()).sum::<usize>();
            count(length);
            let written = self.tls.writer().write_vectored(record)?;
            debug_assert_eq!(written, length);
            if self.note_queued(record) < length {
                // A key encrypts a limited number of records (RFC 5246 §6.1).
                return Err(self.fail(rustls::Error::EncryptError));
            }
        }
        Ok(())
    }

    /// Notes how much waits to leave, after a record with this `content` or messages of the protocol.
    /// Returns the number of bytes that were added.
    fn note_queued(&mut self, content: &[IoSlice<'_>]) -> usize {
        let state = self.tls.process_new_packets();
        state.map_or(0, |state| self.in_flight.queued(state.tls_bytes_to_write(), content))
    }

    /// Queues the alert that ends the content.
    fn declare_end(&mut self, shuts: bool) {
        if self.end == End::Open {
            self.tls.send_close_notify();
            self.note_queued(&[]);
            self.end = End::Queued { shuts };
        }
    }
}

impl Layer for Session {
    fn handshake(&mut self, wire: &mut Wire<'_>) -> io::Result<()> {
        loop {
            let pushed = self.push(wire);
            self.failure()?;
            pushed?;
            if !self.tls.is_handshaking() {
                return Ok(());
            }
            let mut none = Vec::new();
            match self.receive(wire, RECORD, &mut none) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => {
                    let _ = self.push(wire); // the alert
                    return Err(error);
                }
            }
        }
    }

    fn recv(&mut self, wire: &mut Wire<'_>, into: &mut Vec<u8>) -> io::Result<usize> {
        let (before, mut received) = (into.len(), 0);
        self.take_content(into);
        // Little more is received than there is room for, so that little content waits in the session.
        while into.len() < into.capacity() && !self.has_input && received < SHARE {
            let room = into.capacity() - into.len();
            match self.receive(wire, room.max(CHUNK), into) {
                Ok(0) => break,
                Ok(n) => received += n,
                Err(_) if self.failed.is_some() => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if into.len() == before => return Err(error),
                Err(_) => break, // the next call finds the error again
            }
        }
        if received > 0 {
            self.shrink(); // the owner may receive no more before the peer sends again
        }
        let _ = self.push(wire); // a failure shows when content is sent, or received
        match into.len() - before {
            0 => self.end_of_content(),
            n => Ok(n),
        }
    }

    fn send(&mut self, wire: &mut Wire<'_>, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.failure()?;
        self.in_flight.check_offer(from);
        if self.tls.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.push(wire)? && wire.is_writable() {
            self.encrypt(from, self.in_flight.unreported())?;
            self.batch = if self.push(wire)? { (2 * self.batch).min(BATCH) } else { 1 };
        }
        match self.in_flight.report() {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    fn flush(&mut self, wire: &mut Wire<'_>) -> bool {
        self.push(wire).unwrap_or(true) // a failure shows when content is sent, or received
    }

    fn shutdown(&mut self, wire: &mut Wire<'_>) {
        self.declare_end(true);
        self.flush(wire);
    }

    fn close(&mut self, wire: &mut Wire<'_>) -> bool {
        if self.in_flight.unreported() > 0 {
            return true; // the peer is to see that the content is cut off
        }
        if !self.tls.is_handshaking() && self.failed.is_none() {
            self.declare_end(false);
        }
        self.flush(wire)
    }

    fn has_input(&self) -> bool {
        self.has_input
    }

    fn held(&self) -> usize {
        self.in_flight.wire()
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }
}
