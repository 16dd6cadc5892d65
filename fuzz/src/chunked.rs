//! The chunked coding, decoded by the crate and, more slowly and simply, here.

use tidegate::http::{
    Chunked, ChunkedDecoder, HeadLimits, ParseError, write_chunk_size, write_last_chunk,
};

use super::stream::{everywhere, limits, somewhere};

/// Result of decoding a body.
#[derive(Debug, PartialEq, Eq)]
enum Decoded {
    /// A complete body: content, trailers, and length of the encoded body.
    Whole(Vec<u8>, Vec<u8>, usize),
    /// An incomplete body, with the content so far.
    Part(Vec<u8>),
    Refused(Option<ParseError>),
}

/// Checks any bytes as a chunked body.
pub fn rules(input: &[u8]) {
    for (decoder, padding) in
        [(ChunkedDecoder::new(), false), (ChunkedDecoder::of_response(), true)]
    {
        for limits in limits() {
            let decoded = decode(decoder.clone(), input, &[], &limits);
            for cuts in [everywhere(input), somewhere(input)] {
                assert_eq!(decode(decoder.clone(), input, &cuts, &limits), decoded);
            }
            compare(&decoded, &naively(input, padding, &limits));
            if let Decoded::Whole(content, ..) = decoded {
                check_encoded(&content);
            }
        }
    }
}

fn compare(decoded: &Decoded, expected: &Decoded) {
    match (decoded, expected) {
        (Decoded::Refused(_), Decoded::Refused(_)) => {}
        // The decoder may reject a line before its end.
        (Decoded::Refused(_), Decoded::Part(_)) => {}
        _ => assert_eq!(decoded, expected),
    }
}

fn decode(
    mut decoder: ChunkedDecoder,
    input: &[u8],
    cuts: &[usize],
    limits: &HeadLimits,
) -> Decoded {
    let (mut content, mut used, mut have) = (Vec::new(), 0, 0);
    for &cut in cuts.iter().chain([&input.len()]) {
        if used == have {
            let direct = decoder.content_left().min((cut - have) as u64);
            decoder.skip_content(direct);
            let direct = usize::try_from(direct).expect("at most the input");
            content.extend_from_slice(&input[used..][..direct]);
            used += direct;
        }
        have = cut;
        loop {
            let part = &input[used..have];
            match decoder.decode(part, limits) {
                Err(refusal) => return Decoded::Refused(Some(refusal)),
                Ok((n, step)) => {
                    assert!(n <= part.len());
                    used += n;
                    match step {
                        Chunked::More => break,
                        Chunked::Content(range) => {
                            assert!(!range.is_empty() && range.end == n);
                            content.extend_from_slice(&part[range]);
                        }
                        Chunked::End(range) => {
                            assert_eq!(range.end, n);
                            return Decoded::Whole(content, part[range].to_vec(), used);
                        }
                    }
                }
            }
        }
    }
    Decoded::Part(content)
}

fn naively(input: &[u8], padding: bool, limits: &HeadLimits) -> Decoded {
    let (mut content, mut rest) = (Vec::new(), input);
    let mut extensions = 0;
    loop {
        let Some((line, behind)) = split_line(rest) else { return Decoded::Part(content) };
        let Some((size, extension)) = size_line(line, padding) else {
            return Decoded::Refused(None);
        };
        extensions += extension;
        if extensions > limits.chunk_extensions {
            return Decoded::Refused(None);
        }
        extensions = extensions.saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
        if size == 0 {
            return match trailers(behind, limits, padding) {
                Some(Some(length)) => {
                    let used = input.len() - behind.len() + length;
                    Decoded::Whole(content, behind[..length].to_vec(), used)
                }
                Some(None) => Decoded::Part(content),
                None => Decoded::Refused(None),
            };
        }
        let n = usize::try_from(size).unwrap_or(usize::MAX).min(behind.len());
        content.extend_from_slice(&behind[..n]);
        rest = match &behind[n..] {
            [] | [b'\r'] => return Decoded::Part(content),
            [b'\r', b'\n', rest @ ..] => rest,
            _ => return Decoded::Refused(None),
        };
    }
}

/// Splits at the first LF; the line may end with CR.
fn split_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|&b| b == b'\n')?;
    Some((&input[..end], &input[end + 1..]))
}

/// Returns the chunk size, and the length of the rest of the line.
fn size_line(line: &[u8], padding: bool) -> Option<(u64, usize)> {
    let line = line.strip_suffix(b"\r")?;
    // Bytes beyond ASCII have no meaning here, and would hinder parsing as text.
    let line: String =
        line.iter().map(|&b| if b.is_ascii() { char::from(b) } else { '~' }).collect();
    let end = line.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let size = i64::from_str_radix(digits, 16).ok().filter(|_| digits.len() <= 16)?;
    let named = extension.trim_start_matches([' ', '\t']);
    let good = match named.strip_prefix(';') {
        Some(text) => !text.contains(|c: char| c.is_ascii_control() && c != '\t'),
        None => named.is_empty() && (extension.is_empty() || padding),
    };
    good.then_some((size.cast_unsigned(), extension.len()))
}

/// Returns the length of the trailers: `Some(None)` if they are incomplete, `None` if they are
/// invalid. Trailers of a response may be folded; the limits of fields apply to the unfolded
/// fields.
fn trailers(input: &[u8], limits: &HeadLimits, may_fold: bool) -> Option<Option<usize>> {
    let mut rest = input;
    let (mut lines, mut field) = (0, 0);
    while let Some((line, behind)) = split_line(rest) {
        let line = line.strip_suffix(b"\r")?;
        let length = input.len() - behind.len();
        if length > limits.head {
            return None;
        }
        if line.is_empty() {
            return Some(Some(length));
        }
        let folded = lines > 0 && may_fold && matches!(line[0], b' ' | b'\t');
        field = if folded { field + 2 + line.len() } else { line.len() };
        lines += usize::from(!folded);
        if lines > limits.fields
            || field > limits.field
            || (matches!(line[0], b' ' | b'\t' | b'\r') && !folded)
        {
            return None;
        }
        rest = behind;
    }
    Some(None)
}

/// Content encoded in chunks of any size decodes to the same content.
fn check_encoded(content: &[u8]) {
    let mut body = Vec::new();
    for (chunk, size) in content.chunks(1 + content.len() / 3).zip(1..) {
        let (first, second) = chunk.split_at(size.min(chunk.len()));
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            write_chunk_size(&mut body, part.len());
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
    }
    write_last_chunk(&mut body, None);
    let decoded = decode(ChunkedDecoder::new(), &body, &[], &HeadLimits::default());
    assert_eq!(decoded, Decoded::Whole(content.to_vec(), b"\r\n".to_vec(), body.len()));
}
