//! Received bytes of a peer, consumed step by step as a scenario expects them.

use super::decoding::decode;
use super::text::{Pattern, find, shown};

/// A received stream.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// Content without its framing that no step has consumed.
    content: Vec<u8>,
    /// Coded content that steps have consumed, and how many bytes of what it decodes to.
    coded: Vec<u8>,
    decoded: usize,
    /// The coding of the content.
    coding: String,
    /// The element at the start of `bytes`.
    next: Next,
    /// The trailers of the message consumed last.
    trailers: Vec<u8>,
    pub(crate) end: Option<End>,
}

/// The way a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

/// The next element of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// A message, or raw bytes.
    #[default]
    Message,
    /// Content with this many bytes left.
    Content(usize),
    /// Content up to the end of the stream.
    UntilClose,
    ChunkSize,
    /// A chunk with this many bytes left, and its CR LF.
    Chunk(usize),
    Trailers,
}

/// The head that a scenario expects.
#[derive(Debug)]
pub(crate) struct HeadPattern {
    pub(crate) lines: Vec<Pattern>,
    /// Names of fields that must be absent.
    pub(crate) absent: Vec<String>,
    /// No other lines are allowed.
    pub(crate) exact: bool,
}

/// The reason why an expectation is not met.
#[derive(Debug)]
pub(crate) enum Miss {
    /// The expected bytes may still arrive.
    Yet(String),
    /// Other bytes have arrived.
    Wrong(String),
}

impl Incoming {
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the bytes that no step has consumed.
    pub(crate) fn rest(&self) -> Vec<u8> {
        [&self.content[..], &self.bytes].concat()
    }

    /// Consumes a head.
    pub(crate) fn head(&mut self, wanted: &HeadPattern) -> Result<(), Miss> {
        if !self.content.is_empty() {
            return Err(Miss::Wrong(format!("no step has consumed\n{}", shown(&self.rest()))));
        }
        let Some(end) = find(&self.bytes, b"\r\n\r\n") else { return Err(self.yet("a head")) };
        let head = &self.bytes[..end];
        let lines: Vec<&[u8]> = head
            .split(|&b| b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .collect();
        wanted.check(&lines).map_err(|what| Miss::Wrong(format!("{what} in\n{}", shown(head))))?;
        self.next = framing(&lines);
        let coding = field(&lines, "Content-Encoding").next().unwrap_or_default();
        self.coding = String::from_utf8_lossy(coding).into_owned();
        (self.coded, self.decoded) = (Vec::new(), 0);
        self.bytes.drain(..end + 4);
        Ok(())
    }

    /// Consumes the expected content: its next part, or all of the rest if `last`.
    pub(crate) fn content(&mut self, wanted: &Pattern, last: bool) -> Result<(), Miss> {
        self.decode().map_err(Miss::Wrong)?;
        let (here, ended) = (self.content.len(), self.next == Next::Message);
        let length = wanted.length().filter(|_| !last).unwrap_or(here);
        let complete = if last { ended } else { here >= length };
        if complete && wanted.matches(&self.content[..length]) {
            self.content.drain(..length);
            return Ok(());
        }
        let agrees = wanted.length().is_none() || wanted.agrees(&self.content) == here;
        match complete || ended || !agrees {
            true => Err(Miss::Wrong(differs(wanted, &self.content))),
            false if last => Err(self.yet("the end of the content")),
            false => Err(self.yet("more content")),
        }
    }

    /// Consumes the expected content after decoding it: its next part, or all of the rest if `last`.
    pub(crate) fn decoded(&mut self, wanted: &Pattern, last: bool) -> Result<(), Miss> {
        self.decode().map_err(Miss::Wrong)?;
        self.coded.append(&mut self.content);
        let (all, is_whole) = decode(&self.coding, &self.coded).map_err(Miss::Wrong)?;
        let here = &all[self.decoded..];
        let length = wanted.length().filter(|_| !last).unwrap_or(here.len());
        let complete = if last { self.next == Next::Message } else { here.len() >= length };
        if complete && wanted.matches(&here[..length]) && (is_whole || !last) {
            self.decoded += length;
            return Ok(());
        }
        match complete {
            true => Err(Miss::Wrong(differs(wanted, here))),
            false => Err(self.yet(&format!("coded content, behind {} bytes,", all.len()))),
        }
    }

    /// Removes the framing from all received content.
    fn decode(&mut self) -> Result<(), String> {
        while let Some(next) = self.decode_next()? {
            self.next = next;
        }
        Ok(())
    }

    fn decode_next(&mut self) -> Result<Option<Next>, String> {
        let in_lines = matches!(self.next, Next::ChunkSize | Next::Chunk(0) | Next::Trailers);
        let line = if in_lines { find(&self.bytes, b"\r\n") } else { None };
        Ok(match (self.next, line) {
            (Next::Content(0), _) => Some(Next::Message),
            (Next::Content(left), _) => self.take_content(left).map(Next::Content),
            (Next::UntilClose, _) => {
                self.content.append(&mut self.bytes);
                (self.end == Some(End::Closed)).then_some(Next::Message)
            }
            (Next::ChunkSize, Some(end)) => Some(match self.take_size(end)? {
                0 => Next::Trailers,
                size => Next::Chunk(size),
            }),
            (Next::Chunk(0), Some(0)) => {
                self.bytes.drain(..2);
                Some(Next::ChunkSize)
            }
            (Next::Chunk(0), Some(_)) => return Err("a chunk does not end with CR LF".into()),
            (Next::Chunk(left), _) => self.take_content(left).map(Next::Chunk),
            (Next::Trailers, Some(end)) => {
                let line: Vec<u8> = self.bytes.drain(..end + 2).collect();
                if end > 0 {
                    self.trailers.extend(line);
                }
                Some(if end > 0 { Next::Trailers } else { Next::Message })
            }
            (Next::Message | Next::ChunkSize | Next::Trailers, _) => None,
        })
    }

    /// Moves up to `left` bytes to the content; returns the bytes left if any were moved.
    fn take_content(&mut self, left: usize) -> Option<usize> {
        let n = left.min(self.bytes.len());
        self.content.extend(self.bytes.drain(..n));
        (n > 0).then_some(left - n)
    }

    fn take_size(&mut self, end: usize) -> Result<usize, String> {
        let line: Vec<u8> = self.bytes.drain(..end + 2).collect();
        let digits = String::from_utf8_lossy(&line[..end]).into_owned();
        self.trailers.clear();
        usize::from_str_radix(&digits, 16).map_err(|_| format!("'{digits}' is not a chunk size"))
    }

    /// Consumes bytes without regard to framing.
    pub(crate) fn raw(&mut self, wanted: &Pattern) -> Result<(), Miss> {
        let length = wanted.length().unwrap_or(self.bytes.len());
        let here = &self.bytes[..length.min(self.bytes.len())];
        if wanted.matches(here) {
            self.bytes.drain(..length);
            return Ok(());
        }
        if here.len() < length && wanted.agrees(here) == here.len() || wanted.length().is_none() {
            return Err(self.yet(&format!("'{wanted}'")));
        }
        Err(Miss::Wrong(differs(wanted, here)))
    }

    /// Returns the trailers of the message consumed last, with their line ends.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    fn yet(&self, what: &str) -> Miss {
        let end = match self.end {
            None => "",
            Some(End::Closed) => "\nand the end of the stream",
            Some(End::Reset) => "\nand a reset",
        };
        let text = format!("{what} is missing; there is\n{}{end}", shown(&self.rest()));
        if self.end.is_some() { Miss::Wrong(text) } else { Miss::Yet(text) }
    }
}

impl HeadPattern {
    /// Returns an error that names the missing or surplus line.
    fn check(&self, lines: &[&[u8]]) -> Result<(), String> {
        let mut rest = lines.iter();
        for (n, wanted) in self.lines.iter().enumerate() {
            let found = match n {
                0 => rest.next().is_some_and(|line| wanted.matches(line)),
                _ if self.exact => rest.next().is_some_and(|line| wanted.matches(line)),
                _ => rest.any(|line| wanted.matches(line)),
            };
            if !found {
                return Err(format!("'{wanted}' is missing or out of order"));
            }
        }
        if self.exact
            && let Some(more) = rest.next()
        {
            return Err(format!("'{}' is a surplus line", shown(more)));
        }
        match self.absent.iter().find(|name| field(lines, name).next().is_some()) {
            Some(name) => Err(format!("'{name}' must be absent")),
            None => Ok(()),
        }
    }
}

/// Returns the values of a field.
fn field<'a>(lines: &'a [&[u8]], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    lines.iter().skip(1).filter_map(move |line| {
        let (named, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        named.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// Returns the element after a head. A scenario must expect a response to HEAD without its empty
/// line.
fn framing(lines: &[&[u8]]) -> Next {
    let first = lines.first().copied().unwrap_or_default();
    let status = first.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let bodiless = |status: &[u8]| status[0] == b'1' || matches!(status, b"204" | b"304");
    if status.is_some_and(bodiless) {
        return Next::Message;
    }
    let length = field(lines, "Content-Length").next();
    let length = length.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let chunked = field(lines, "Transfer-Encoding").any(|v| v.eq_ignore_ascii_case(b"chunked"));
    match (length, chunked, status) {
        (_, true, _) => Next::ChunkSize,
        (Some(length), false, _) => Next::Content(length),
        (None, false, Some(_)) => Next::UntilClose,
        (None, false, None) => Next::Message,
    }
}

/// Describes the difference between expected and received bytes.
fn differs(wanted: &Pattern, bytes: &[u8]) -> String {
    let same = wanted.agrees(bytes);
    let from = same.saturating_sub(40);
    let (here, all) = (shown(&bytes[from..]), bytes.len());
    match wanted.length() {
        Some(n) if n > 200 => {
            format!("{n} bytes expected, {all} received, the first {same} equal; near\n{here}")
        }
        _ => format!("'{wanted}' expected; received\n{}", shown(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Names;
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Names::default().pattern(text, std::time::SystemTime::UNIX_EPOCH).unwrap()
    }

    fn head(lines: &[&str], absent: &[&str], exact: bool) -> HeadPattern {
        let lines = lines.iter().map(|line| pattern(line)).collect();
        HeadPattern { lines, absent: absent.iter().map(|name| (*name).to_owned()).collect(), exact }
    }

    fn incoming(bytes: &[u8]) -> Incoming {
        Incoming { bytes: bytes.to_vec(), ..Incoming::default() }
    }

    #[test]
    fn head_matches_by_some_lines_or_exactly() {
        let bytes = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n";
        let take = |wanted: &HeadPattern| incoming(bytes).head(wanted).is_ok();
        assert!(take(&head(&["HTTP/1.1 200 OK", "B: 2"], &["C"], false)));
        assert!(take(&head(&["HTTP/1.1 200 OK", "A: 1", "B: ..."], &[], true)));
        assert!(!take(&head(&["HTTP/1.1 200 OK", "B: 2", "A: 1"], &[], false)));
        assert!(!take(&head(&["HTTP/1.1 200 OK"], &["b"], false)));
        assert!(!take(&head(&["HTTP/1.1 200 OK", "A: 1"], &[], true)));
        assert!(!take(&head(&["A: 1"], &[], false)));
    }

    #[test]
    fn content_is_consumed_in_parts_however_it_is_chunked() {
        let mut stream = incoming(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n2\r\nef",
        );
        stream.head(&head(&["HTTP/1.1 200 OK"], &[], false)).unwrap();
        stream.content(&pattern("ab"), false).unwrap();
        stream.content(&pattern("cd"), false).unwrap();
        assert!(matches!(stream.content(&pattern("ef"), true), Err(Miss::Yet(_))));
        assert!(matches!(stream.content(&pattern("eg"), true), Err(Miss::Wrong(_))));
        stream.receive(b"\r\n0\r\nT: 1\r\n\r\nHTTP");
        stream.content(&pattern("ef"), true).unwrap();
        assert_eq!(stream.trailers(), b"T: 1\r\n");
        assert_eq!(stream.rest(), b"HTTP");
    }

    #[test]
    fn missing_bytes_are_pending_until_the_stream_ends() {
        let mut stream = incoming(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
        stream.head(&head(&["HTTP/1.1 200 OK"], &[], false)).unwrap();
        assert!(matches!(stream.content(&pattern("abc"), true), Err(Miss::Yet(_))));
        stream.end = Some(End::Closed);
        assert!(matches!(stream.content(&pattern("abc"), true), Err(Miss::Wrong(_))));
        let mut stream = incoming(b"abcd");
        assert!(matches!(stream.raw(&pattern("abd")), Err(Miss::Wrong(_))));
        assert!(matches!(stream.raw(&pattern("abcde")), Err(Miss::Yet(_))));
        stream.raw(&pattern("ab")).unwrap();
        stream.raw(&pattern("c...")).unwrap();
        assert!(stream.rest().is_empty());
    }
}
