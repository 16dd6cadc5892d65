//! Text in a scenario, and the bytes it expands to once ports and times are known.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tidegate::http::date;
use tidegate::units::{Bytes, Unit};

/// The values of placeholders that differ from run to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) values: HashMap<String, String>,
}

/// Bytes to compare with; some parts may match anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    /// `...`
    Anything,
}

impl Names {
    /// Sets the placeholders for the address of `name`: `host` and port, and each part.
    pub(crate) fn add_address(&mut self, name: &str, host: &str, address: SocketAddr) {
        let port = address.port();
        let authority = if port == 80 { host.to_owned() } else { format!("{host}:{port}") };
        self.values.insert(name.to_owned(), authority);
        self.values.insert(format!("{name}.address"), address.to_string());
        self.values.insert(format!("{name}.port"), port.to_string());
    }

    /// Returns the bytes to send for `text`.
    pub(crate) fn bytes(&self, text: &str, now: SystemTime) -> Result<Vec<u8>, String> {
        match self.expand(text, false, now)?.pop() {
            Some(Piece::Bytes(bytes)) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// Expands the placeholders of a word.
    pub(crate) fn word(&self, text: &str, now: SystemTime) -> Result<String, String> {
        let bytes = self.bytes(text, now)?;
        String::from_utf8(bytes).map_err(|_| format!("'{text}' is no text"))
    }

    /// Returns the pattern that `text` describes.
    pub(crate) fn pattern(&self, text: &str, now: SystemTime) -> Result<Pattern, String> {
        self.expand(text, true, now).map(Pattern)
    }

    fn expand(&self, text: &str, dots: bool, now: SystemTime) -> Result<Vec<Piece>, String> {
        let mut pieces = vec![Piece::Bytes(Vec::new())];
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let at = &rest[c.len_utf8()..];
            let mut add = |bytes: &[u8]| match pieces.last_mut() {
                Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
                _ => pieces.push(Piece::Bytes(bytes.to_vec())),
            };
            rest = match c {
                '\\' => escape(at, &mut add)?,
                '{' => {
                    let (inner, after) = closed(at).ok_or("a '{' without its '}'")?;
                    add(&self.placeholder(inner, now)?);
                    after
                }
                _ if dots && rest.starts_with("...") => {
                    pieces.push(Piece::Anything);
                    &rest[3..]
                }
                _ => {
                    add(&rest.as_bytes()[..c.len_utf8()]);
                    at
                }
            };
        }
        Ok(pieces)
    }

    fn placeholder(&self, inner: &str, now: SystemTime) -> Result<Vec<u8>, String> {
        if let Some(value) = self.values.get(inner) {
            return Ok(value.clone().into_bytes());
        }
        let unknown = || format!("'{{{inner}}}' is not a placeholder");
        let (first, rest) = inner.split_once(' ').unwrap_or((inner, ""));
        match first {
            "now" => moved(now, rest).map(|at| date::format(at).into_bytes()).ok_or_else(unknown),
            "content" => content(rest).ok_or_else(unknown),
            "chunk" => content(rest).map(|bytes| chunk(&bytes)).ok_or_else(unknown),
            _ => {
                let times: usize = first.parse().map_err(|_| unknown())?;
                self.bytes(rest, now).map(|bytes| bytes.repeat(times))
            }
        }
    }
}

/// Splits at the `}` that closes a `{`; returns the text before and after it.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth < 0
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// Adds the byte of an escape sequence; returns the text after it.
fn escape<'a>(text: &'a str, add: &mut impl FnMut(&[u8])) -> Result<&'a str, String> {
    let (known, rest) = match text.chars().next() {
        Some('r') => (b'\r', &text[1..]),
        Some('n') => (b'\n', &text[1..]),
        Some('t') => (b'\t', &text[1..]),
        Some(c @ ('\\' | '{' | '.' | '#')) => (u8::try_from(c).unwrap_or(b'?'), &text[1..]),
        Some('x') => {
            let byte = text.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            (byte.ok_or("'\\x' needs two digits")?, &text[3..])
        }
        _ => return Err(format!("'\\{text}' is not an escape")),
    };
    add(&[known]);
    Ok(rest)
}

/// Moves the time by `+5s` or `-1h`; an empty text leaves it unchanged.
fn moved(now: SystemTime, by: &str) -> Option<SystemTime> {
    match by.split_at_checked(1) {
        None => Some(now),
        Some(("+", time)) => Duration::read(time).map(|time| now + time),
        Some(("-", time)) => Duration::read(time).map(|time| now - time),
        Some(_) => None,
    }
}

/// Parses `1MiB` or `10 from 500`; every part of the content differs.
fn content(spec: &str) -> Option<Vec<u8>> {
    let (size, from) = spec.split_once(" from ").unwrap_or((spec, "0"));
    let (size, from) = (Bytes::read(size)?.0, Bytes::read(from)?.0);
    Some((from..from + size).map(content_byte).collect())
}

/// Returns the byte at an offset: lines of a counter, which reveal lost, duplicated and moved
/// bytes.
fn content_byte(at: u64) -> u8 {
    let (line, column) = (at / 10, u32::try_from(at % 10).unwrap_or(0));
    match column {
        9 => b'\n',
        _ => b'0' + u8::try_from(line / 10u64.pow(8 - column) % 10).unwrap_or(0),
    }
}

fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

impl Pattern {
    /// Returns true if all of `bytes` match.
    pub(crate) fn matches(&self, bytes: &[u8]) -> bool {
        let Some((Piece::Bytes(first), rest)) = self.0.split_first() else { return false };
        let Some(mut left) = bytes.strip_prefix(first.as_slice()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for piece in middle {
            if let Piece::Bytes(wanted) = piece {
                let Some(at) = find(left, wanted) else { return false };
                left = &left[at + wanted.len()..];
            }
        }
        match last {
            Piece::Bytes(end) => left.ends_with(end),
            Piece::Anything => true,
        }
    }

    /// Returns the number of bytes that match, if it is fixed.
    pub(crate) fn length(&self) -> Option<usize> {
        match self.0.as_slice() {
            [Piece::Bytes(bytes)] => Some(bytes.len()),
            _ => None,
        }
    }

    /// Returns the number of leading bytes that agree with the pattern.
    pub(crate) fn agrees(&self, bytes: &[u8]) -> usize {
        match self.0.first() {
            Some(Piece::Bytes(first)) => {
                first.iter().zip(bytes).take_while(|(wanted, byte)| wanted == byte).count()
            }
            _ => 0,
        }
    }
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => f.write_str(&shown(bytes))?,
                Piece::Anything => f.write_str("...")?,
            }
        }
        Ok(())
    }
}

/// Formats bytes for a report: readable, and truncated.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 1500;
    let text = bytes[..bytes.len().min(MOST)].escape_ascii().to_string();
    let text = text.replace(r"\r\n", "\n").replace(r"\n", "\\n\n").replace("\\\"", "\"");
    match bytes.len() {
        n if n > MOST => format!("{text} ... {n} bytes in total"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn bytes(text: &str) -> Vec<u8> {
        let values = [("o".to_owned(), "o.test:80".to_owned())].into();
        Names { values }.bytes(text, NOW).unwrap()
    }

    #[test]
    fn placeholders_and_escapes_expand_to_bytes() {
        assert_eq!(bytes(r"http://{o}/\x41\r\n"), b"http://o.test:80/A\r\n");
        assert_eq!(bytes("{2 {3 a}b}c"), b"aaabaaabc");
        assert_eq!(bytes(r"{3 ab}\{...\\"), br"ababab{...\");
        assert_eq!(bytes("{now +1s}"), b"Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(bytes("{content 12}"), b"000000000\n00");
        assert_eq!(bytes("{content 4 from 18}"), b"1\n00");
        assert_eq!(bytes("{chunk 2}"), b"2\r\n00\r\n");
        for text in ["{", "{unknown}", "{now 1s}", r"\q", "{content x}"] {
            assert!(Names::default().bytes(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn three_dots_match_anything() {
        let matches = |pattern: &str, text: &str| {
            Names::default().pattern(pattern, NOW).unwrap().matches(text.as_bytes())
        };
        assert!(matches("a...c...", "abcd") && matches("...", "") && matches("", ""));
        assert!(matches("ab...bc", "abbc") && !matches("ab...bc", "abc"));
        assert!(!matches("a", "ab") && !matches("...a", "ab") && matches("...b", "abab"));
    }
}
