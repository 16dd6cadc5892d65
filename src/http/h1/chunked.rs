//! The chunked transfer coding (RFC 9112 §7.1), decoded strictly, and encoded.
//!
//! Chunk sizes are parsed here and not by httparse: a lenient parser takes an empty or malformed
//! size line for the last chunk.

use std::io::Write;
use std::ops::Range;

use crate::http::parse_error::ParseError;
use crate::work;

use super::parse::{HeadLimits, Scanner, Section};

/// Decoder of a chunked body, which may be received in any number of pieces.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Bytes of extensions so far, less the bytes of content.
    extensions: usize,
    /// Kind of section that the trailers are.
    trailers: Section,
}

#[derive(Clone, Debug)]
enum State {
    /// In the digits of a size, after this many digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// In white space between a size and a semicolon.
    Gap {
        size: u64,
    },
    /// In an extension.
    Extension {
        size: u64,
    },
    /// After the CR of a size line.
    SizeLf {
        size: u64,
    },
    /// In the content of a chunk.
    Content {
        left: u64,
    },
    ContentCr,
    ContentLf,
    Trailers(Scanner),
    End,
}

/// Result of one step of decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunked {
    /// Content is at this range of the input.
    Content(Range<usize>),
    /// The trailers, with their empty line, are at this range; the body is complete.
    End(Range<usize>),
    /// All input was used; the decoder needs more.
    More,
}

impl ChunkedDecoder {
    /// Creates a decoder for the body of a request.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            extensions: 0,
            trailers: Section::RequestTrailers,
        }
    }

    /// Creates a decoder for the body of a response. It accepts white space between a size and CR
    /// LF: some servers pad with it, and no parser misreads it. Trailers may be folded.
    #[must_use]
    pub const fn of_response() -> Self {
        Self { trailers: Section::ResponseTrailers, ..Self::new() }
    }

    /// Returns the kind of section that the trailers are.
    pub(super) const fn trailers(&self) -> Section {
        self.trailers
    }

    /// Returns how many of the next bytes are content of the current chunk.
    #[must_use]
    pub const fn content_left(&self) -> u64 {
        match self.state {
            State::Content { left } => left,
            _ => 0,
        }
    }

    /// Accounts for `n` bytes of content, at most [`content_left`](Self::content_left), that the
    /// caller took from the stream itself.
    pub const fn skip_content(&mut self, n: u64) {
        if let State::Content { left } = &mut self.state {
            *left -= n;
            if *left == 0 {
                self.state = State::ContentCr;
            }
        }
    }

    /// Decodes `input` up to the next content or the end. Returns the number of bytes used, and the
    /// step. Unused bytes must be passed again, with more after them: trailers are used only once
    /// they are complete. After the end, no byte is used, and each call returns the end without
    /// trailers.
    ///
    /// # Errors
    /// The rule of RFC 9112 §7.1 or the limit that the body breaks.
    pub fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Chunked), ParseError> {
        let mut at = 0;
        if matches!(self.state, State::End) {
            return Ok((0, Chunked::End(0..0)));
        }
        while let Some(&byte) = input.get(at) {
            work::count(1);
            if let State::Content { left } = self.state {
                let available = (input.len() - at) as u64;
                let n = left.min(available);
                self.skip_content(n);
                let end = at + usize::try_from(n).unwrap_or(usize::MAX);
                return Ok((end, Chunked::Content(at..end)));
            }
            if let State::Trailers(scanner) = &mut self.state {
                return Ok(match scanner.scan(&input[at..], limits)? {
                    None => (at, Chunked::More),
                    Some(length) => {
                        self.state = State::End;
                        (at + length, Chunked::End(at..at + length))
                    }
                });
            }
            self.step(byte, limits)?;
            at += 1;
        }
        Ok((at, Chunked::More))
    }

    /// Advances by one byte of framing.
    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<(), ParseError> {
        self.state = match (&self.state, byte) {
            (&State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == 16 || size >> 59 != 0 {
                    return Err(ParseError::ChunkTooLarge);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                State::Size { size: 16 * size + u64::from(digit), digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(ParseError::ChunkSize),
            (&(State::Size { size, .. } | State::Gap { size }), b';') => State::Extension { size },
            (&(State::Size { size, .. } | State::Gap { size }), b' ' | b'\t') => {
                State::Gap { size }
            }
            (&(State::Size { size, .. } | State::Extension { size }), b'\r') => {
                State::SizeLf { size }
            }
            (&State::Gap { size }, b'\r') if self.trailers.is_of_origin() => State::SizeLf { size },
            (State::Size { .. } | State::Gap { .. } | State::Extension { .. }, b'\n') => {
                return Err(ParseError::BareLf);
            }
            (State::Size { .. }, _) => return Err(ParseError::ChunkSize),
            (State::Gap { .. }, _) => return Err(ParseError::ChunkExtension),
            (&State::Extension { size }, _) if byte == b'\t' || !byte.is_ascii_control() => {
                State::Extension { size }
            }
            (State::Extension { .. }, _) => return Err(ParseError::ChunkExtension),
            (State::SizeLf { size: 0 }, b'\n') => State::Trailers(Scanner::new(self.trailers)),
            (&State::SizeLf { size: left }, b'\n') => {
                let credit = usize::try_from(left).unwrap_or(usize::MAX);
                self.extensions = self.extensions.saturating_sub(credit);
                State::Content { left }
            }
            (State::SizeLf { .. }, _) => return Err(ParseError::ChunkSize),
            (State::ContentCr, b'\r') => State::ContentLf,
            (State::ContentLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::ContentCr | State::ContentLf, _) => return Err(ParseError::ChunkEnd),
            (State::Content { .. } | State::Trailers(_) | State::End, _) => {
                unreachable!("decode handles these states")
            }
        };
        if matches!(self.state, State::Extension { .. } | State::Gap { .. }) {
            self.extensions += 1;
            if self.extensions > limits.chunk_extensions {
                return Err(ParseError::ChunkExtensionTooLong);
            }
        }
        Ok(())
    }
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends the size line of a chunk of `size` bytes, which must not be 0.
pub fn write_chunk_size(out: &mut Vec<u8>, size: usize) {
    debug_assert!(size > 0, "an empty chunk is the last one");
    write!(out, "{size:x}\r\n").expect("writing to a Vec cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Decoded = Result<(Vec<u8>, Option<Vec<u8>>), ParseError>;

    /// Returns all content and the trailers, with the input cut at `cuts`.
    fn decode(input: &[u8], cuts: &[usize]) -> Decoded {
        decode_with(ChunkedDecoder::new(), input, cuts)
    }

    fn decode_with(mut decoder: ChunkedDecoder, input: &[u8], cuts: &[usize]) -> Decoded {
        let (mut content, mut used) = (Vec::new(), 0);
        for &cut in cuts.iter().chain([&input.len()]) {
            loop {
                let (n, step) = decoder.decode(&input[used..cut], &HeadLimits::default())?;
                let part = &input[used..cut];
                used += n;
                match step {
                    Chunked::Content(range) => content.extend_from_slice(&part[range]),
                    Chunked::End(range) => return Ok((content, Some(part[range].to_vec()))),
                    Chunked::More => break,
                }
            }
        }
        Ok((content, None))
    }

    #[test]
    fn chunks_extensions_and_trailers_are_read() {
        let body = b"5\r\nhello\r\n06 ;a=\"b\"\r\n world\r\n0;x\r\nA: b\r\n\r\nnext";
        let (content, trailers) = decode(body, &[]).unwrap();
        assert_eq!(content, b"hello world");
        assert_eq!(trailers.unwrap(), b"A: b\r\n\r\n");
    }

    #[test]
    fn lines_mistaken_for_the_end_by_lenient_parsers_are_refused() {
        for (body, refusal) in [
            (&b"\r\n"[..], ParseError::ChunkSize),
            (b";x\r\n", ParseError::ChunkSize),
            (b" 5\r\nhello\r\n", ParseError::ChunkSize),
            (b"0x5\r\nhello\r\n", ParseError::ChunkSize),
            (b"-5\r\n", ParseError::ChunkSize),
            (b"5\nhello\r\n", ParseError::BareLf),
            (b"5;a\nhello\r\n", ParseError::BareLf),
            (b"5\rhello\r\n", ParseError::ChunkSize),
            (b"5 \r\nhello\r\n", ParseError::ChunkExtension),
            (b"5 \nhello\r\n", ParseError::BareLf),
            (b"5 0\r\nhello\r\n", ParseError::ChunkExtension),
            (b"5;a\x00\r\nhello\r\n", ParseError::ChunkExtension),
            (b"5\r\nhello\n", ParseError::ChunkEnd),
            (b"5\r\nhelloX\r\n", ParseError::ChunkEnd),
            (b"5\r\nhello\rX", ParseError::ChunkEnd),
            (b"ffffffffffffffff\r\n", ParseError::ChunkTooLarge),
            (b"00000000000000001\r\n", ParseError::ChunkTooLarge),
            (b"0\r\nA: b\n\r\n", ParseError::BareLf),
            (b"0\r\n A: b\r\n\r\n", ParseError::ObsFold),
        ] {
            assert_eq!(decode(body, &[]), Err(refusal), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn decoder_uses_nothing_after_the_end() {
        let mut decoder = ChunkedDecoder::new();
        let decoded = decoder.decode(b"0\r\n\r\nnext", &HeadLimits::default());
        assert_eq!(decoded, Ok((5, Chunked::End(3..5))));
        for input in [&b"next"[..], b""] {
            let decoded = decoder.decode(input, &HeadLimits::default());
            assert_eq!(decoded, Ok((0, Chunked::End(0..0))));
        }
    }

    #[test]
    fn only_a_response_may_pad_its_chunk_sizes() {
        let body = b"5 \t\r\nhello\r\n0   \r\n\r\n";
        let (content, _) = decode_with(ChunkedDecoder::of_response(), body, &[]).unwrap();
        assert_eq!(content, b"hello");
        assert_eq!(decode(body, &[]), Err(ParseError::ChunkExtension));
    }

    #[test]
    fn extensions_are_bounded_over_the_whole_message() {
        let chunk = [b"1;", "x".repeat(1000).as_bytes(), b"\r\na\r\n"].concat();
        assert_eq!(decode(&chunk.repeat(5), &[]), Err(ParseError::ChunkExtensionTooLong));
    }

    #[test]
    fn content_offsets_extensions() {
        let chunk = format!("400;{}\r\n{}\r\n", "x".repeat(1000), "a".repeat(0x400));
        let body = format!("{}0\r\n\r\n", chunk.repeat(9));
        assert!(decode(body.as_bytes(), &[]).is_ok());
    }

    proptest! {
        #[test]
        fn chunks_decode_to_their_content_however_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            mut cuts in prop::collection::vec(0usize..400, 0..12),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                write_chunk_size(&mut wire, chunk.len());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            cuts.retain(|&cut| cut < wire.len());
            cuts.sort_unstable();
            let (content, trailers) = decode(&wire, &cuts).unwrap();
            prop_assert_eq!(content, chunks.concat());
            prop_assert_eq!(trailers.unwrap(), b"\r\n");
        }

        #[test]
        fn decoding_does_not_depend_on_cuts(
            input in prop::collection::vec(prop::sample::select(&b"01aF;x \t\r\n:\"\x00"[..]), 0..60),
            mut cuts in prop::collection::vec(0usize..60, 0..8),
        ) {
            cuts.retain(|&cut| cut < input.len());
            cuts.sort_unstable();
            prop_assert_eq!(decode(&input, &cuts), decode(&input, &[]));
        }
    }
}
