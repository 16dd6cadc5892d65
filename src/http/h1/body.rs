//! The content of a message on the wire, by any framing.

use std::ops::Range;

use crate::http::fields::Fields;
use crate::http::framing::Framing;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::name::Name;
use crate::http::parse_error::ParseError;

use super::chunked::{Chunked, ChunkedDecoder};
use super::parse::{self, HeadLimits};

/// Where a message's content ends, followed as it comes in.
#[derive(Clone, Debug)]
pub(super) enum BodyDecoder {
    /// This many bytes are left.
    Length(u64),
    Chunked {
        decoder: ChunkedDecoder,
        /// Names in `Connection`: trailer fields with them end here.
        nominated: Vec<Box<[u8]>>,
    },
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
    pub(super) fn of_request(head: &RequestHead) -> Self {
        Self::new(head.framing(), ChunkedDecoder::new(), head.fields())
    }

    pub(super) fn of_response(head: &ResponseHead) -> Self {
        Self::new(head.framing(), ChunkedDecoder::of_response(), head.fields())
    }

    fn new(framing: Framing, decoder: ChunkedDecoder, fields: &Fields) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => {
                let nominated = fields.elements(Name::Connection).map(Into::into).collect();
                Self::Chunked { decoder, nominated }
            }
            Framing::Close => Self::Close,
        }
    }

    /// How many of the next bytes are content for sure.
    pub(super) const fn content_left(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked { decoder, .. } => decoder.content_left(),
            Self::Close => u64::MAX,
        }
    }

    /// Says that `n` bytes of content, at most [`content_left`](Self::content_left), were taken
    /// from the stream elsewhere.
    pub(super) const fn skip_content(&mut self, n: u64) {
        match self {
            Self::Length(left) => *left -= n,
            Self::Chunked { decoder, .. } => decoder.skip_content(n),
            Self::Close => {}
        }
    }

    /// Decodes from `input` up to the next content or the end, and says how many bytes were used.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, BodyStep), ParseError> {
        match self {
            Self::Length(0) => Ok((0, BodyStep::End(None))),
            Self::Length(_) | Self::Close if input.is_empty() => Ok((0, BodyStep::More)),
            Self::Length(_) | Self::Close => {
                let n = self.content_left().min(input.len() as u64);
                self.skip_content(n);
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                Ok((n, BodyStep::Content(0..n)))
            }
            Self::Chunked { decoder, nominated } => {
                let (used, step) = decoder.decode(input, limits)?;
                let step = match step {
                    Chunked::Content(range) => BodyStep::Content(range),
                    Chunked::More => BodyStep::More,
                    Chunked::End(range) if range.len() <= 2 => BodyStep::End(None),
                    Chunked::End(range) => {
                        let trailers =
                            parse::trailers(&input[range], decoder.trailers(), nominated)?;
                        BodyStep::End(Some(trailers).filter(|trailers| !trailers.is_empty()))
                    }
                };
                Ok((used, step))
            }
        }
    }
}
