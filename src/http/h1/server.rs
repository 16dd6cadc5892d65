//! Codec for the side of the clients: decodes their requests.

use std::ops::Range;

use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::parse_error::ParseError;

use super::body::{BodyDecoder, BodyStep};
use super::parse::{self, HeadLimits, Scanner, Section};

/// An event in the stream from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The head of a request. If its framing says that it has content, [`Content`](Self::Content)
    /// and [`End`](Self::End) follow; otherwise the request is complete.
    Request(Box<RequestHead>),
    /// Content is at this range of the input.
    Content(Range<usize>),
    /// The content is complete, with these trailers.
    End(Option<Fields>),
}

/// Decoder of the requests from a client, one after the other. It knows no socket: the caller
/// passes bytes, and the events do not depend on how they are split.
///
/// After an error the rest of the stream has no meaning; the connection must be closed.
#[derive(Clone, Debug)]
pub struct ServerCodec {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Before or within a head, after at most one empty line.
    Head {
        scanner: Scanner,
        skipped: bool,
    },
    Body(BodyDecoder),
}

const HEAD: State = State::Head { scanner: Scanner::new(Section::RequestHead), skipped: false };

impl ServerCodec {
    /// Creates a decoder at the start of a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: HEAD }
    }

    /// Decodes `input` up to the next event. Returns the number of bytes used, and the event.
    /// Without an event, more input is needed. Unused bytes must be passed again, with more after
    /// them.
    ///
    /// # Errors
    /// The rule that the request breaks.
    pub fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<ServerEvent>), ParseError> {
        match &mut self.state {
            State::Head { .. } => self.decode_head(input, limits),
            State::Body(body) => {
                let (used, step) = body.decode(input, limits)?;
                let event = match step {
                    BodyStep::More => None,
                    BodyStep::Content(range) => Some(ServerEvent::Content(range)),
                    BodyStep::End(trailers) => {
                        self.state = HEAD;
                        Some(ServerEvent::End(trailers))
                    }
                };
                Ok((used, event))
            }
        }
    }

    fn decode_head(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<ServerEvent>), ParseError> {
        let mut start = 0;
        loop {
            let State::Head { scanner, skipped } = &mut self.state else {
                return Ok((start, None));
            };
            let Some(length) = scanner.scan(&input[start..], limits)? else {
                return Ok((start, None));
            };
            if length > 2 {
                let head = parse::request(&input[start..start + length], limits)?;
                self.state = match head.framing().has_content() {
                    true => State::Body(BodyDecoder::of_request(&head)),
                    false => HEAD,
                };
                return Ok((start + length, Some(ServerEvent::Request(Box::new(head)))));
            }
            // One empty line before a request is skipped (RFC 9112 §2.2).
            if std::mem::replace(skipped, true) {
                return Err(ParseError::EmptyLines);
            }
            *scanner = Scanner::new(Section::RequestHead);
            start += length;
        }
    }

    /// Returns true if the stream is between two requests. If no input remains, its end loses
    /// nothing there.
    #[must_use]
    pub const fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Head { .. })
    }

    /// Returns how many of the next bytes are certainly content. The caller may take them from the
    /// stream itself if it calls [`skip_content`](Self::skip_content).
    #[must_use]
    pub const fn content_left(&self) -> u64 {
        match &self.state {
            State::Body(body) => body.content_left(),
            State::Head { .. } => 0,
        }
    }

    /// Accounts for `n` bytes of content that the caller took from the stream itself.
    pub const fn skip_content(&mut self, n: u64) {
        if let State::Body(body) = &mut self.state {
            body.skip_content(n);
        }
    }
}

impl Default for ServerCodec {
    fn default() -> Self {
        Self::new()
    }
}
