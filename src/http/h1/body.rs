//! Content of a message on the wire, in any framing.

use std::ops::Range;

use crate::http::fields::Fields;
use crate::http::framing::Framing;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::name::Name;
use crate::http::parse_error::ParseError;

use super::chunked::{Chunked, ChunkedDecoder};
use super::parse::{self, HeadLimits};

/// Decoder that follows content as it is received, and finds its end.
#[derive(Clone, Debug)]
pub(super) enum BodyDecoder {
    /// Content of which this many bytes remain.
    Length(u64),
    Chunked {
        decoder: ChunkedDecoder,
        /// Names in `Connection`: trailer fields of these names are not forwarded.
        nominated: Vec<Box<[u8]>>,
    },
    /// Content up to the end of the connection.
    Close,
}

/// Result of one step of decoding.
#[derive(Debug)]
pub(super) enum BodyStep {
    /// Content is at this range of the input.
    Content(Range<usize>),
    /// The content is complete.
    End(Option<Fields>),
    /// All input was used; the decoder needs more.
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

    /// Returns how many of the next bytes are certainly content.
    pub(super) const fn content_left(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked { decoder, .. } => decoder.content_left(),
            Self::Close => u64::MAX,
        }
    }

    /// Accounts for `n` bytes of content, at most [`content_left`](Self::content_left), that the
    /// caller took from the stream itself.
    pub(super) const fn skip_content(&mut self, n: u64) {
        match self {
            Self::Length(left) => *left -= n,
            Self::Chunked { decoder, .. } => decoder.skip_content(n),
            Self::Close => {}
        }
    }

    /// Decodes `input` up to the next content or the end. Returns the number of bytes used, and the
    /// step.
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
