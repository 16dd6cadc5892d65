//! Encoders: content in, coded content out, piece by piece.

use std::fmt;
use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdWriter;

use crate::http::ContentCoding;

/// Quality of brotli: beyond it, each step costs twice the time for a few percent.
const BROTLI_QUALITY: u32 = 5;
/// Level of zstd: its default, which is faster than gzip and makes content smaller.
const ZSTD_LEVEL: i32 = 3;
/// Level of gzip: its default.
const GZIP_LEVEL: u32 = 6;
/// Logarithm of the window of brotli and zstd, in bytes: longer ones take memory that text seldom repays.
const WINDOW: u32 = 18;
/// Size of the buffer between the state of brotli and its output, in bytes.
const BROTLI_BUFFER: usize = 16 * 1024;

/// Continuation of a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More content, which is there already.
    More,
    /// A pause, in which a decoder has all content so far.
    Pause,
    /// The end: the content is complete.
    End,
}

/// Result of coding a piece.
#[derive(Debug)]
pub struct Encoded {
    /// The encoder for the next piece; `None` behind the last one.
    pub encoder: Option<Encoder>,
    /// Coded content, which may be empty.
    pub bytes: Vec<u8>,
}

/// State of content that is being coded.
pub struct Encoder(State);

enum State {
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Box<ZstdWriter<'static, Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    /// Creates an encoder without content.
    ///
    /// # Errors
    /// Fails if there is no memory for its tables.
    pub fn new(coding: ContentCoding) -> io::Result<Self> {
        let out = Vec::new();
        Ok(Self(match coding {
            ContentCoding::Brotli => {
                let writer = CompressorWriter::new(out, BROTLI_BUFFER, BROTLI_QUALITY, WINDOW);
                State::Brotli(Box::new(writer))
            }
            ContentCoding::Zstd => {
                let mut writer = ZstdWriter::new(out, ZSTD_LEVEL)?;
                writer.window_log(WINDOW)?;
                State::Zstd(Box::new(writer))
            }
            ContentCoding::Gzip => {
                State::Gzip(Box::new(GzEncoder::new(out, Compression::new(GZIP_LEVEL))))
            }
        }))
    }

    /// Returns the bytes of memory that an encoder takes, as measured in a process with many of them.
    #[must_use]
    pub const fn weight(coding: ContentCoding) -> usize {
        match coding {
            ContentCoding::Brotli => 5 << 20,
            ContentCoding::Zstd => 2 << 20,
            ContentCoding::Gzip => 3 << 18,
        }
    }

    /// Codes a piece. The result has little more than the bytes of the piece and of those before it whose
    /// coded form was not returned yet, which are fewer than the window.
    ///
    /// # Errors
    /// Fails if the library of the coding does. The content cannot be completed then.
    pub fn encode(mut self, piece: &[u8], next: Next) -> io::Result<Encoded> {
        self.writer().write_all(piece)?;
        if next == Next::Pause {
            self.writer().flush()?;
        }
        if next == Next::End {
            return Ok(Encoded { encoder: None, bytes: self.finish()? });
        }
        let bytes = std::mem::take(match &mut self.0 {
            State::Brotli(writer) => writer.get_mut(),
            State::Zstd(writer) => writer.get_mut(),
            State::Gzip(writer) => writer.get_mut(),
        });
        Ok(Encoded { encoder: Some(self), bytes })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            State::Brotli(writer) => writer,
            State::Zstd(writer) => writer,
            State::Gzip(writer) => writer,
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self.0 {
            State::Brotli(writer) => Ok(writer.into_inner()),
            State::Zstd(writer) => writer.finish(),
            State::Gzip(writer) => writer.finish(),
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Brotli(_) => "Encoder(br)",
            State::Zstd(_) => "Encoder(zstd)",
            State::Gzip(_) => "Encoder(gzip)",
        })
    }
}
