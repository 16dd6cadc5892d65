//! The side that faces clients: a stream of bytes in, requests out.

use std::ops::Range;

use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::parse_error::ParseError;

use super::body::{BodyDecoder, BodyStep};
use super::parse::{self, HeadLimits, Scanner, Section};

/// What a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The head of a request. If its framing says that it has content, that follows, and its end;
    /// otherwise this is all of the request.
    Request(Box<RequestHead>),
    /// Content stands at this range of the input.
    Content(Range<usize>),
    /// The content is complete; these were its trailers.
    End(Option<Fields>),
}

/// Reads requests, one after the other, from a client's stream. Knows no socket: it is given
/// bytes, in any pieces, and the pieces make no difference.
///
/// After a refusal nothing in the stream has a meaning any more; the connection is to be closed.
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
    /// A codec at the start of a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: HEAD }
    }

    /// Reads from `input` up to the next event, and says how many bytes were used; without an event
    /// more input is needed. What was not used comes again, with more behind it.
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
            // One empty line before a request is passed over (RFC 9112 §2.2).
            if std::mem::replace(skipped, true) {
                return Err(ParseError::EmptyLines);
            }
            *scanner = Scanner::new(Section::RequestHead);
            start += length;
        }
    }

    /// Whether the stream stands between two requests, so that its end here loses nothing, if no
    /// input is left.
    #[must_use]
    pub const fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Head { .. })
    }

    /// How many of the next bytes are content for sure: they may be taken from the stream directly,
    /// if [`skip_content`](Self::skip_content) is told.
    #[must_use]
    pub const fn content_left(&self) -> u64 {
        match &self.state {
            State::Body(body) => body.content_left(),
            State::Head { .. } => 0,
        }
    }

    /// Says that `n` bytes of content were taken directly.
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
