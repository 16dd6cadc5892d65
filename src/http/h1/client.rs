//! Codec for the side of the origins: decodes the responses to the requests sent.

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

/// An event in the stream from an origin.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A 1xx response; another head follows.
    Interim(Box<ResponseHead>),
    /// The head of the final response, or of a 101. Its content follows, if it has any.
    Response(Box<ResponseHead>),
    /// Content is at this range of the input.
    Content(Range<usize>),
    /// The response is complete, with these trailers.
    End(Option<Fields>),
}

/// Decoder of the responses from an origin, one request at a time. It knows no socket: the caller
/// passes bytes, and the events do not depend on how they are split.
#[derive(Clone, Debug)]
pub struct ClientCodec {
    state: State,
    /// Method of the request that is being answered. It decides if the response has content.
    method: Method,
    reusable: bool,
    /// True if bytes may follow that no head has correctly announced.
    doubtful: bool,
    /// True if the response announced content that it does not have.
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
    /// Creates a decoder for the response to a request with `method`.
    #[must_use]
    pub const fn new(method: Method) -> Self {
        Self { state: HEAD, method, reusable: false, doubtful: false, announced: false }
    }

    /// Decodes `input` up to the next event. Returns the number of bytes used, and the event.
    /// Without an event, more input is needed. Unused bytes must be passed again, with more after
    /// them.
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

    /// Handles the end of the origin's stream. Returns the end of the response if nothing of it is
    /// missing.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if the response is incomplete.
    pub fn end_of_stream(&mut self) -> Result<ClientEvent, ParseError> {
        if matches!(self.state, State::Body(BodyDecoder::Close | BodyDecoder::Length(0))) {
            self.state = State::End;
            return Ok(ClientEvent::End(None));
        }
        Err(ParseError::Truncated)
    }

    /// Returns true if the response is complete and the connection can carry another request,
    /// provided that no input remains. It cannot after a tunnel or another protocol has begun, nor
    /// after a 1xx or 204 that announced content, because that content may still arrive.
    #[must_use]
    pub const fn is_reusable(&self) -> bool {
        self.reusable && matches!(self.state, State::End)
    }

    /// Returns true if the response announced content that it does not have, as a response to HEAD
    /// or a 304 may (RFC 9110 §8.6). A faulty origin sends that content all the same.
    #[must_use]
    pub const fn has_announced_content(&self) -> bool {
        self.announced
    }

    /// Returns how many of the next bytes are certainly content. The caller may take them from the
    /// stream itself if it calls [`skip_content`](Self::skip_content).
    #[must_use]
    pub const fn content_left(&self) -> u64 {
        match &self.state {
            State::Body(body) => body.content_left(),
            State::Head(_) | State::End => 0,
        }
    }

    /// Accounts for `n` bytes of content that the caller took from the stream itself.
    pub const fn skip_content(&mut self, n: u64) {
        if let State::Body(body) = &mut self.state {
            body.skip_content(n);
        }
    }
}
