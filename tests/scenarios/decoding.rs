//! Content in a coding of the proxy, decoded as far as it was received.

use std::io::{self, Read};

/// Decodes content. Returns its bytes, and true if they are all of it.
pub(crate) fn decode(coding: &str, bytes: &[u8]) -> Result<(Vec<u8>, bool), String> {
    let mut decoder: Box<dyn Read + '_> = match coding {
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "zstd" => Box::new(zstd::stream::read::Decoder::new(bytes).map_err(|e| e.to_string())?),
        other => return Err(format!("'{other}' is no coding of the proxy")),
    };
    let (mut decoded, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok((decoded, true)),
            Ok(n) => decoded.extend_from_slice(&buffer[..n]),
            // Brotli has no kind of its own for content that goes on.
            Err(error) if is_end(&error) || coding == "br" => return Ok((decoded, false)),
            Err(error) => return Err(format!("content that is not {coding}: {error}")),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
