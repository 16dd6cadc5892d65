//! The side that faces origins: a stream of bytes in, the responses to what was asked out.

use std::ops::Range;

use crate::http::fields::Fields;
use crate::http::framing::{Framing, announces_content, announces_forbidden_content};
use crate::http::head::ResponseHead;
use crate::http::hop::ConnectionOptions;
use crate::http::method::Method;
use crate::http::parse_error::ParseError;
use crate::http::status::Status;

use super::body::{BodyDecoder, BodyStep};
use super::parse::{self, HeadLimits, Scanner, Section};

/// What an origin has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A 1xx response; another head follows.
    Interim(Box<ResponseHead>),
    /// The head of the final response, or a 101. Its content, if any, follows.
    Response(Box<ResponseHead>),
    /// Content stands at this range of the input.
    Content(Range<usize>),
    /// The response is complete; these were its trailers.
    End(Option<Fields>),
}

/// Reads the responses to one request at a time from an origin's stream. Knows no socket: it is
/// given bytes, in any pieces, and the pieces make no difference.
#[derive(Clone, Debug)]
pub struct ClientCodec {
    state: State,
    /// The method of the request that is being answered: it decides whether there is content.
    method: Method,
    reusable: bool,
    /// Whether bytes may follow that no head announced rightly.
    doubtful: bool,
    /// Whether the response announced content that it does not have.
    announced: bool,
}

#[derive(Clone, Debug)]
enum State {
    Head(Scanner),
    Body(BodyDecoder),
    End,
}

const HEAD: State = State::Head(Scanner::new(Section::ResponseHead));

impl ClientCodec {
    /// A codec for the answer to a request with `method`.
    #[must_use]
    pub const fn new(method: Method) -> Self {
        Self { state: HEAD, method, reusable: false, doubtful: false, announced: false }
    }

    /// Reads from `input` up to the next event, and says how many bytes were used; without an event
    /// more input is needed. What was not used comes again, with more behind it.
    ///
    /// # Errors
    /// The rule that the response breaks.
    pub fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<ClientEvent>), ParseError> {
        match &mut self.state {
            State::Head(scanner) => {
                let Some(length) = scanner.scan(input, limits)? else { return Ok((0, None)) };
                let has_folds = scanner.has_folds();
                let head = parse::response(&input[..length], has_folds, self.method, limits)?;
                Ok((length, Some(self.take_head(head))))
            }
            State::Body(body) => {
                let (used, step) = body.decode(input, limits)?;
                let event = match step {
                    BodyStep::More => None,
                    BodyStep::Content(range) => Some(ClientEvent::Content(range)),
                    BodyStep::End(trailers) => {
                        self.state = State::End;
                        Some(ClientEvent::End(trailers))
                    }
                };
                Ok((used, event))
            }
            State::End => Ok((0, None)),
        }
    }

    fn take_head(&mut self, head: ResponseHead) -> ClientEvent {
        let status = head.status();
        self.doubtful |= announces_forbidden_content(status, head.fields());
        let switches = status == Status::SWITCHING_PROTOCOLS
            || (self.method == Method::Connect && status.is_success());
        if status.is_interim() && !switches {
            self.state = HEAD;
            return ClientEvent::Interim(Box::new(head));
        }
        let ends_by_itself = head.framing() != Framing::Close && !switches && !self.doubtful;
        self.reusable =
            ends_by_itself && ConnectionOptions::of(head.version(), head.fields()).persistent;
        self.announced = head.framing() == Framing::None && announces_content(head.fields());
        self.state = State::Body(BodyDecoder::of_response(&head));
        ClientEvent::Response(Box::new(head))
    }

    /// The origin has ended its stream: the end of a response of which nothing is missing, and
    /// otherwise an error.
    ///
    /// # Errors
    /// [`ParseError::Truncated`].
    pub fn end_of_stream(&mut self) -> Result<ClientEvent, ParseError> {
        if matches!(self.state, State::Body(BodyDecoder::Close | BodyDecoder::Length(0))) {
            self.state = State::End;
            return Ok(ClientEvent::End(None));
        }
        Err(ParseError::Truncated)
    }

    /// Whether the response is complete and the connection can take another request, provided that
    /// no input is left. It cannot after a tunnel or another protocol has begun, and after a 1xx or
    /// 204 that announced content: that may yet come.
    #[must_use]
    pub const fn is_reusable(&self) -> bool {
        self.reusable && matches!(self.state, State::End)
    }

    /// Returns true if the response announced content that it does not have, as an answer to HEAD and a
    /// 304 may (RFC 9110 §8.6). A faulty origin sends that content all the same.
    #[must_use]
    pub const fn has_announced_content(&self) -> bool {
        self.announced
    }

    /// How many of the next bytes are content for sure: they may be taken from the stream directly,
    /// if [`skip_content`](Self::skip_content) is told.
    #[must_use]
    pub const fn content_left(&self) -> u64 {
        match &self.state {
            State::Body(body) => body.content_left(),
            State::Head(_) | State::End => 0,
        }
    }

    /// Says that `n` bytes of content were taken directly.
    pub const fn skip_content(&mut self, n: u64) {
        if let State::Body(body) = &mut self.state {
            body.skip_content(n);
        }
    }
}
