//! The content of a message on the wire, by any framing.

use std::ops::Range;

use super::chunked::{Chunked, ChunkedDecoder};
use super::fields::Fields;
use super::framing::Framing;
use super::parse::{self, HeadLimits};
use super::refusal::Refusal;

/// Where a message's content ends, followed as it comes in.
#[derive(Clone, Debug)]
pub(super) enum BodyDecoder {
    /// This many bytes are left.
    Length(u64),
    Chunked(ChunkedDecoder),
    /// All bytes until the connection ends.
    Close,
}

/// A step through a body.
#[derive(Debug)]
pub(super) enum BodyStep {
    /// Content stands at this range of the input.
    Content(Range<usize>),
    /// The body is over.
    End(Option<Fields>),
    /// All input was used; more is needed.
    More,
}

impl BodyDecoder {
    pub(super) const fn of_request(framing: Framing) -> Self {
        Self::new(framing, ChunkedDecoder::new())
    }

    pub(super) const fn of_response(framing: Framing) -> Self {
        Self::new(framing, ChunkedDecoder::of_response())
    }

    const fn new(framing: Framing, chunked: ChunkedDecoder) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(chunked),
            Framing::Close => Self::Close,
        }
    }

    /// How many of the next bytes are content for sure.
    pub(super) const fn content_left(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(chunked) => chunked.content_left(),
            Self::Close => u64::MAX,
        }
    }

    /// Says that `n` bytes of content, at most [`content_left`](Self::content_left), were taken
    /// from the stream elsewhere.
    pub(super) const fn skip_content(&mut self, n: u64) {
        match self {
            Self::Length(left) => *left -= n,
            Self::Chunked(chunked) => chunked.skip_content(n),
            Self::Close => {}
        }
    }

    /// Decodes from `input` up to the next content or the end, and says how many bytes were used.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, BodyStep), Refusal> {
        match self {
            Self::Length(0) => Ok((0, BodyStep::End(None))),
            Self::Length(_) | Self::Close if input.is_empty() => Ok((0, BodyStep::More)),
            Self::Length(_) | Self::Close => {
                let n = self.content_left().min(input.len() as u64);
                self.skip_content(n);
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                Ok((n, BodyStep::Content(0..n)))
            }
            Self::Chunked(chunked) => {
                let (used, step) = chunked.decode(input, limits)?;
                let step = match step {
                    Chunked::Content(range) => BodyStep::Content(range),
                    Chunked::More => BodyStep::More,
                    Chunked::End(trailers) if trailers.len() <= 2 => BodyStep::End(None),
                    Chunked::End(trailers) => {
                        BodyStep::End(Some(parse::trailers(&input[trailers])?))
                    }
                };
                Ok((used, step))
            }
        }
    }
}
