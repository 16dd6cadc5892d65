//! Randomly generated messages, and damage to them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Content and its framing.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Length(Vec<u8>),
    Chunked { chunks: Vec<(Vec<u8>, String)>, trailers: Vec<Line> },
}

/// A field line: name and value.
pub(crate) type Line = (String, Vec<u8>);

impl Body {
    pub(crate) fn content(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Length(content) => content.clone(),
            Self::Chunked { chunks, .. } => chunks.iter().flat_map(|(c, _)| c.clone()).collect(),
        }
    }

    fn framing_line(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Length(content) => format!("content-Length: {}\r\n", content.len()),
            Self::Chunked { .. } => "TRANSFER-encoding: Chunked\r\n".to_owned(),
        }
    }

    fn wire(&self) -> Vec<u8> {
        let Self::Chunked { chunks, trailers } = self else { return self.content() };
        let mut wire = Vec::new();
        for (chunk, extension) in chunks {
            wire.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
            wire.extend(chunk);
            wire.extend(b"\r\n");
        }
        wire.extend(b"0\r\n");
        push_lines(&mut wire, trailers);
        wire.extend(b"\r\n");
        wire
    }
}

/// A request, or a response to GET.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) body: Body,
}

impl Message {
    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut wire = format!("{}\r\n", self.start).into_bytes();
        push_lines(&mut wire, &self.lines);
        wire.extend(self.body.framing_line().into_bytes());
        wire.extend(b"\r\n");
        wire.extend(self.body.wire());
        wire
    }
}

fn push_lines(wire: &mut Vec<u8>, lines: &[Line]) {
    for (name, value) in lines {
        wire.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
}

pub(crate) fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[a-z0-9/._~%:@!$&'()*+,;=?-]{0,20}",
        "[hH][tT]{2}[pP]://[a-zA-Z0-9._-]{1,12}(:[1-9][0-9]{0,3})?(/[a-z0-9?]{0,8})?",
        "http://\\[::[1-9a-f]{1,4}\\](:80)?/",
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let text: Vec<u8> = (b' '..=0x7e).chain(0x80..=0xff).chain([b'\t', b',', b'"']).collect();
    prop::collection::vec(select(text), 0..16).prop_map(|value| value.trim_ascii().to_vec())
}

/// Generates field lines that affect neither framing nor routing.
pub(crate) fn lines(max: usize) -> impl Strategy<Value = Vec<Line>> {
    let name = prop_oneof![
        3 => "X-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,8}",
        1 => select(vec!["ETag", "etag", "Accept", "ACCEPT", "Server", "Link"]).prop_map(String::from),
    ];
    prop::collection::vec((name, value()), 0..max)
}

fn body() -> impl Strategy<Value = Body> {
    let content = || prop::collection::vec(any::<u8>(), 1..40);
    let extension = "([ \t]?;[ \t]?[a-z]{1,4}(=(\"[a-z;, ]{0,4}\"|[a-z]{1,4}))?){0,2}";
    let chunks = prop::collection::vec((content(), extension), 0..4);
    prop_oneof![
        Just(Body::None),
        content().prop_map(Body::Length),
        (chunks, lines(3)).prop_map(|(chunks, trailers)| {
            let plain = |line: &Line| line.0.starts_with("X-");
            Body::Chunked { chunks, trailers: trailers.into_iter().filter(plain).collect() }
        }),
    ]
}

pub(crate) fn request() -> impl Strategy<Value = Message> {
    let method = select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X-y"]);
    (method, target(), lines(5), body(), 0usize..5).prop_map(
        |(method, target, mut lines, body, at)| {
            let at = at.min(lines.len());
            lines.insert(at, ("hOST".to_owned(), b"h.test:81".to_vec()));
            Message { start: format!("{method} {target} HTTP/1.1"), lines, body }
        },
    )
}

pub(crate) fn response() -> impl Strategy<Value = Message> {
    let framed = body().prop_map(|body| match body {
        // otherwise the rest of the stream would be its content
        Body::None => Body::Length(Vec::new()),
        body => body,
    });
    let full = (select(vec![200, 203, 206, 404, 500]), "[ -~]{0,12}", lines(5), framed).prop_map(
        |(status, reason, lines, body)| Message {
            start: format!("HTTP/1.1 {status} {reason}"),
            lines,
            body,
        },
    );
    let bodiless = (select(vec![102, 103, 204, 304]), lines(5)).prop_map(|(status, lines)| {
        Message { start: format!("HTTP/1.1 {status}"), lines, body: Body::None }
    });
    prop_oneof![3 => full, 1 => bodiless]
}

/// Generates positions at which to split a stream of any length.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

/// Returns the positions in a stream of `length` bytes, in ascending order.
pub(crate) fn places(cuts: &[Index], length: usize) -> Vec<usize> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    places.sort_unstable();
    places
}

/// A modification of a stream at a position.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(&'static str),
    Overwrite(u8),
    Delete(usize),
    /// Repeats the bytes at the position.
    Repeat(usize),
    /// Truncates the stream at the position.
    End,
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<(Index, Change)>> {
    let telling = vec![
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        ":",
        ";",
        ",",
        "0",
        "5",
        "f",
        "-",
        "+",
        "\"",
        "\r\n\r\n",
        "chunked",
        "HTTP/1.0",
        "HTTP/1.1 200 OK\r\n",
        "Host: h\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: 03\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: nonsense\r\n",
        "\r\n ",
        " :",
        "Connection: close\r\n",
        "0\r\n\r\n",
        "\u{e4}",
    ];
    let change = prop_oneof![
        4 => select(telling).prop_map(Change::Insert),
        2 => any::<u8>().prop_map(Change::Overwrite),
        2 => (1usize..6).prop_map(Change::Delete),
        1 => (1usize..60).prop_map(Change::Repeat),
        1 => Just(Change::End),
    ];
    prop::collection::vec((any::<Index>(), change), 1..4)
}

pub(crate) fn change(stream: &mut Vec<u8>, changes: &[(Index, Change)]) {
    for (at, change) in changes {
        let at = at.index(stream.len() + 1);
        let until = |n: usize| (at + n).min(stream.len());
        match change {
            Change::Insert(text) => drop(stream.splice(at..at, text.bytes())),
            Change::Overwrite(byte) => drop(stream.splice(at..until(1), [*byte])),
            Change::Delete(n) => drop(stream.drain(at..until(*n))),
            Change::Repeat(n) => {
                let again = stream[at..until(*n)].to_vec();
                drop(stream.splice(at..at, again));
            }
            Change::End => stream.truncate(at),
        }
    }
}
