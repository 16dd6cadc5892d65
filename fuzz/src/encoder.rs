//! Content codings: what an encoder makes of pieces, and what a decoder makes of that.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tidegate::coding::{Encoded, Encoder, Next};
use tidegate::http::ContentCoding;

/// Content, cut into pieces by the first bytes of the input: coding, then length and continuation of each
/// piece.
pub fn rules(data: &[u8]) {
    let [coding, cuts, content @ ..] = data else { return };
    let coding =
        [ContentCoding::Gzip, ContentCoding::Brotli, ContentCoding::Zstd][*coding as usize % 3];
    let (cuts, mut rest) = content.split_at(content.len().min(*cuts as usize));
    let content = rest;
    let mut encoder = Encoder::new(coding).expect("memory for its tables");
    let (mut coded, mut encoded) = (Vec::new(), 0);
    for cut in cuts {
        let (piece, left) = rest.split_at(rest.len().min(*cut as usize / 2));
        (rest, encoded) = (left, encoded + piece.len());
        let is_pause = cut % 2 == 1;
        let next = if is_pause { Next::Pause } else { Next::More };
        let after = encoder.encode(piece, next).expect("memory for the piece");
        encoder = after.encoder.expect("more pieces follow");
        coded.extend(after.bytes);
        if is_pause {
            let (so_far, _) = decoded(coding, &coded);
            assert_eq!(so_far, content[..encoded], "a pause flushes");
        }
    }
    let Encoded { encoder, bytes } = encoder.encode(rest, Next::End).expect("memory for the piece");
    assert!(encoder.is_none(), "nothing follows the end");
    coded.extend(bytes);
    let (whole, end) = decoded(coding, &coded);
    assert_eq!((&*whole, end.expect("a whole stream")), (content, content.len()));
    assert!(
        coded.len() <= content.len() + 64 * (cuts.len() + 1),
        "content that is random hardly grows"
    );
}

/// Returns the content of a coded stream, or of its start, and how its end was read.
fn decoded(coding: ContentCoding, coded: &[u8]) -> (Vec<u8>, io::Result<usize>) {
    let mut content = Vec::new();
    let end = match coding {
        ContentCoding::Gzip => GzDecoder::new(coded).read_to_end(&mut content),
        ContentCoding::Brotli => brotli::Decompressor::new(coded, 4096).read_to_end(&mut content),
        ContentCoding::Zstd => {
            zstd::Decoder::new(coded).and_then(|mut it| it.read_to_end(&mut content))
        }
    };
    (content, end)
}
