//! Text as it stands in a scenario, and the bytes it means once ports and times are known.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tidegate::http::date;
use tidegate::units::{Bytes, Unit};

/// What the placeholders stand for that are not the same in every run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) values: HashMap<String, String>,
}

/// Bytes to compare with, some of which may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    /// `...`
    Anything,
}

impl Names {
    /// Has `{name}` stand for where `name` is found: as `host` and port, and in its parts.
    pub(crate) fn add_address(&mut self, name: &str, host: &str, address: SocketAddr) {
        let port = address.port();
        let authority = if port == 80 { host.to_owned() } else { format!("{host}:{port}") };
        self.values.insert(name.to_owned(), authority);
        self.values.insert(format!("{name}.address"), address.to_string());
        self.values.insert(format!("{name}.port"), port.to_string());
    }

    /// The bytes that `text` stands for, to be sent.
    pub(crate) fn bytes(&self, text: &str, now: SystemTime) -> Result<Vec<u8>, String> {
        match self.expand(text, false, now)?.pop() {
            Some(Piece::Bytes(bytes)) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// The same for words, which have no escapes but may have placeholders.
    pub(crate) fn word(&self, text: &str, now: SystemTime) -> Result<String, String> {
        let bytes = self.bytes(text, now)?;
        String::from_utf8(bytes).map_err(|_| format!("'{text}' is no text"))
    }

    /// What `text` stands for, to be compared with.
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
        let unknown = || format!("'{{{inner}}}' stands for nothing");
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

/// What stands before the `}` that closes a `{`, and what behind it.
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

/// What `\` and the next characters stand for; the text after them.
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
        _ => return Err(format!("'\\{text}' is no escape")),
    };
    add(&[known]);
    Ok(rest)
}

/// `+5s`, `-1h` or nothing.
fn moved(now: SystemTime, by: &str) -> Option<SystemTime> {
    match by.split_at_checked(1) {
        None => Some(now),
        Some(("+", time)) => Duration::read(time).map(|time| now + time),
        Some(("-", time)) => Duration::read(time).map(|time| now - time),
        Some(_) => None,
    }
}

/// `1MiB`, or `10 from 500`: bytes that look like no other part of the same content.
fn content(spec: &str) -> Option<Vec<u8>> {
    let (size, from) = spec.split_once(" from ").unwrap_or((spec, "0"));
    let (size, from) = (Bytes::read(size)?.0, Bytes::read(from)?.0);
    Some((from..from + size).map(content_byte).collect())
}

/// Lines of a counter, so that whatever is lost, doubled or moved shows.
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
    /// Whether all of `bytes` is what is meant.
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

    /// How many bytes are meant, if that is known.
    pub(crate) fn length(&self) -> Option<usize> {
        match self.0.as_slice() {
            [Piece::Bytes(bytes)] => Some(bytes.len()),
            _ => None,
        }
    }

    /// How many of the first bytes are as meant: where a difference begins.
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

/// Bytes for a report: readable, and not too many of them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 1500;
    let text = bytes[..bytes.len().min(MOST)].escape_ascii().to_string();
    let text = text.replace(r"\r\n", "\n").replace(r"\n", "\\n\n").replace("\\\"", "\"");
    match bytes.len() {
        n if n > MOST => format!("{text} ... {n} bytes in all"),
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
    fn placeholders_and_escapes_stand_for_bytes() {
        assert_eq!(bytes(r"http://{o}/\x41\r\n"), b"http://o.test:80/A\r\n");
        assert_eq!(bytes("{2 {3 a}b}c"), b"aaabaaabc");
        assert_eq!(bytes(r"{3 ab}\{...\\"), br"ababab{...\");
        assert_eq!(bytes("{now +1s}"), b"Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(bytes("{content 12}"), b"000000000\n00");
        assert_eq!(bytes("{content 4 from 18}"), b"1\n00");
        assert_eq!(bytes("{chunk 2}"), b"2\r\n00\r\n");
        for text in ["{", "{nobody}", "{now 1s}", r"\q", "{content x}"] {
            assert!(Names::default().bytes(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn three_dots_are_anything() {
        let matches = |pattern: &str, text: &str| {
            Names::default().pattern(pattern, NOW).unwrap().matches(text.as_bytes())
        };
        assert!(matches("a...c...", "abcd") && matches("...", "") && matches("", ""));
        assert!(matches("ab...bc", "abbc") && !matches("ab...bc", "abc"));
        assert!(!matches("a", "ab") && !matches("...a", "ab") && matches("...b", "abab"));
    }
}
