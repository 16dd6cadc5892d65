//! Ways in which origins are known to read a path. Each function returns the path read in one way,
//! or `None` if that changes nothing.

type Respelling = fn(&[u8]) -> Option<Vec<u8>>;

/// All of these ways.
pub(super) const RESPELLINGS: &[Respelling] = &[
    decode,
    decode_names,
    decode_units,
    |path| replace(path, b'\\', b'/'),
    without_parameters,
    |path| cut(path, b';'),
    |path| cut(path, b'?'),
    |path| cut(path, b'#'),
    |path| cut(path, 0),
    merge_slashes,
    resolve_dots,
    trim_names,
    without_controls,
    narrow,
];

/// Decodes the escapes that do not change the meaning (RFC 3986 §6.2.2.2): those of letters,
/// digits, `-_~` and all bytes beyond ASCII. Dots stay escaped, as some origins resolve only bare
/// ones.
pub(super) fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | 0x80..);
    decode_but(path, |byte| !unreserved(byte))
}

/// Percent-decodes once (RFC 3986 §2.1).
fn decode(path: &[u8]) -> Option<Vec<u8>> {
    decode_but(path, |_| false)
}

/// Percent-decodes as an origin does after splitting the path: an escaped separator does not become
/// a separator.
fn decode_names(path: &[u8]) -> Option<Vec<u8>> {
    decode_but(path, |byte| matches!(byte, b'/' | b'\\'))
}

fn decode_but(path: &[u8], stays: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    if !path.contains(&b'%') {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        rest = match rest {
            [b'%', a, b, after @ ..]
                if let Some(byte) = octet(&[*a, *b])
                    && !stays(byte) =>
            {
                out.push(byte);
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    changed(path, out)
}

/// Decodes `%u0041`, which some scripts of browsers write.
fn decode_units(path: &[u8]) -> Option<Vec<u8>> {
    if !path.contains(&b'%') {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        rest = match rest {
            [b'%', b'u' | b'U', a, b, c, d, after @ ..]
                if let Some(char) = hex(&[*a, *b, *c, *d]).and_then(char::from_u32) =>
            {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    changed(path, out)
}

fn octet(digits: &[u8]) -> Option<u8> {
    hex(digits)?.try_into().ok()
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, &digit| Some(sum * 16 + char::from(digit).to_digit(16)?))
}

fn replace(path: &[u8], old: u8, new: u8) -> Option<Vec<u8>> {
    let replaced = |&byte: &u8| if byte == old { new } else { byte };
    path.contains(&old).then(|| path.iter().map(replaced).collect())
}

/// Removes what follows `;` in each segment.
fn without_parameters(path: &[u8]) -> Option<Vec<u8>> {
    path.contains(&b';').then(|| {
        let end = |segment: &[u8]| segment.iter().position(|&byte| byte == b';');
        segments(path, |segment| &segment[..end(segment).unwrap_or(segment.len())])
    })
}

/// Cuts the path before the first `end`.
fn cut(path: &[u8], end: u8) -> Option<Vec<u8>> {
    let at = path.iter().position(|&byte| byte == end)?;
    Some(path[..at].to_vec())
}

fn merge_slashes(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = path.to_vec();
    out.dedup_by(|a, b| *a == b'/' && *b == b'/');
    changed(path, out)
}

/// Resolves the segments `.` and `..` (RFC 3986 §5.2.4).
fn resolve_dots(path: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." => {}
            b".." => drop(out.pop()),
            _ => out.push(segment),
        }
        if matches!(segment, b"." | b"..") && segments.peek().is_none() {
            out.push(b"");
        }
    }
    changed(path, [&b"/"[..], &out.join(&b'/')].concat())
}

/// Removes dots and spaces at the end of segments, which some file systems ignore. A segment of
/// nothing else keeps its dots.
fn trim_names(path: &[u8]) -> Option<Vec<u8>> {
    let trimmed = |segment| {
        let end = |ignored: &[u8]| <[u8]>::iter(segment).rposition(|b| !ignored.contains(b));
        let kept = end(b" .").or_else(|| end(b" ")).map_or(0, |last| last + 1);
        &segment[..kept]
    };
    changed(path, segments(path, trimmed))
}

/// Removes control characters, which URL parsers of browsers drop.
fn without_controls(path: &[u8]) -> Option<Vec<u8>> {
    let kept = path.iter().copied().filter(|byte| !byte.is_ascii_control());
    path.iter().any(u8::is_ascii_control).then(|| kept.collect())
}

/// Replaces by ASCII what lax decoders read as ASCII: overlong sequences of UTF-8, and the
/// fullwidth forms of Unicode.
fn narrow(path: &[u8]) -> Option<Vec<u8>> {
    if path.is_ascii() {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        rest = match *rest {
            [first @ (0xc0 | 0xc1), last, ref after @ ..]
            | [0xe0, first @ (0x80 | 0x81), last, ref after @ ..]
            | [0xf0, 0x80, first @ (0x80 | 0x81), last, ref after @ ..] => {
                out.push(low_bits(first, last));
                after
            }
            // U+FF01 to U+FF5E stand for U+0021 to U+007E.
            [0xef, first @ (0xbc | 0xbd), last @ 0x80..=0xbf, ref after @ ..] => {
                out.push(low_bits(first, last) + 0x20);
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    changed(path, out)
}

/// Returns the lowest seven bits of the character whose UTF-8 sequence ends in these two bytes.
const fn low_bits(first: u8, last: u8) -> u8 {
    (first & 1) * 64 + (last & 0x3f)
}

/// Returns the path with each segment replaced by the result of `each`.
fn segments<'a>(path: &'a [u8], each: impl Fn(&'a [u8]) -> &'a [u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for segment in path.split(|&byte| byte == b'/') {
        out.extend_from_slice(each(segment));
        out.push(b'/');
    }
    out.pop();
    out
}

fn changed(before: &[u8], after: Vec<u8>) -> Option<Vec<u8>> {
    (before != after).then_some(after)
}
