//! The rules for heads a second time: slow, simple, and without code of the crate.

/// Result of parsing the start of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading<T> {
    Head { head: T, length: usize },
    Incomplete,
    Refused,
}

/// Framing of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

/// A field line: name and value.
pub type Line = (Vec<u8>, Vec<u8>);

#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub minor: u8,
    pub lines: Vec<Line>,
    pub framing: Framing,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub minor: u8,
    pub status: u16,
    pub reason: Vec<u8>,
    pub lines: Vec<Line>,
    pub framing: Framing,
}

/// Parses the request at the start of `input`, after at most one empty line.
pub fn request(input: &[u8]) -> Reading<Request> {
    let skipped = if input.starts_with(b"\r\n") { 2 } else { 0 };
    match section(&input[skipped..]) {
        None => Reading::Incomplete,
        Some(section) => match parse_request(section) {
            Some(head) => Reading::Head { head, length: skipped + section.len() + 4 },
            None => Reading::Refused,
        },
    }
}

/// Parses the response at the start of `input`, to a HEAD request or another.
pub fn response(input: &[u8], to_head: bool) -> Reading<Response> {
    match section(input) {
        None => Reading::Incomplete,
        Some(section) => match parse_response(section, to_head) {
            Some(head) => Reading::Head { head, length: section.len() + 4 },
            None => Reading::Refused,
        },
    }
}

/// Returns the bytes before the first empty line.
fn section(input: &[u8]) -> Option<&[u8]> {
    let end = input.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(&input[..end])
}

fn parse_request(section: &[u8]) -> Option<Request> {
    let (start, lines) = split_lines(section, 8 * 1024 + 64, false)?;
    let start = String::from_utf8(start).ok()?;
    let [method, target, version] = start.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let minor = minor_version(version.as_bytes())?;
    let valid = is_token(method.as_bytes()) && is_target(target.as_bytes(), method);
    if !valid || !has_good_host(&lines, minor) || !has_good_expectation(&lines, minor) {
        return None;
    }
    let framing = match transfer_encoding(&lines, minor)? {
        Some(Framing::Close) => return None,
        Some(framing) => framing,
        None => content_length(&lines)?.map_or(Framing::None, Framing::Length),
    };
    let content = !matches!(framing, Framing::None | Framing::Length(0));
    if content && matches!(method, "TRACE" | "CONNECT") {
        return None;
    }
    Some(Request { method: method.into(), target: target.into(), minor, lines, framing })
}

fn parse_response(section: &[u8], to_head: bool) -> Option<Response> {
    let (start, lines) = split_lines(&without_folds(section)?, 8 * 1024 + 64, true)?;
    let lines = with_one_length(lines)?;
    let minor = minor_version(start.get(..8)?)?;
    let (code, reason) = match &start[8..] {
        [b' ', a, b, c] => ([*a, *b, *c], &[][..]),
        [b' ', a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
        _ => return None,
    };
    let status: u16 = std::str::from_utf8(&code).ok()?.parse().ok()?;
    if !code.iter().all(u8::is_ascii_digit) || status < 100 || !reason.iter().all(|&b| is_text(b)) {
        return None;
    }
    let mut framing = match transfer_encoding(&lines, minor)? {
        Some(Framing::Close) if !codings_are_known(&lines) => return None,
        Some(framing) => framing,
        None => content_length(&lines)?.map_or(Framing::Close, Framing::Length),
    };
    if to_head || status < 200 || status == 204 || status == 304 {
        framing = Framing::None;
    }
    Some(Response { minor, status, reason: reason.to_vec(), lines, framing })
}

/// Replaces the line ends within folded fields of a response by spaces. The first field cannot
/// continue another.
fn without_folds(section: &[u8]) -> Option<Vec<u8>> {
    let mut out = section.to_vec();
    let first = section.windows(2).position(|two| two == b"\r\n");
    for at in 0..section.len() {
        if let [b'\r', b'\n', b' ' | b'\t', ..] = section[at..] {
            if Some(at) == first {
                return None;
            }
            out[at..at + 2].fill(b' ');
        }
    }
    Some(out)
}

/// Replaces equal values of `Content-Length` in a response by a single one.
fn with_one_length(lines: Vec<Line>) -> Option<Vec<Line>> {
    let said = values(&lines, "content-length").join(&b',');
    let mut numbers = said.split(|&b| b == b',').map(trim);
    let first = numbers.next()?.to_vec();
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    let plain = std::str::from_utf8(&first).ok().and_then(|text| text.parse::<u64>().ok());
    let Some(plain) = plain.filter(|_| is_number && numbers.all(|other| other == first)) else {
        return Some(lines);
    };
    let mut found = false;
    let mut out = Vec::new();
    for (name, value) in lines {
        match name.eq_ignore_ascii_case(b"content-length") {
            true if std::mem::replace(&mut found, true) => {}
            true => out.push((name, plain.to_string().into_bytes())),
            false => out.push((name, value)),
        }
    }
    Some(out)
}

/// Splits a head into start line and field lines, if they are well-formed and within the limits.
/// White space may follow a name in a response only.
fn split_lines(section: &[u8], start_line: usize, response: bool) -> Option<(Vec<u8>, Vec<Line>)> {
    if section.len() + 4 > 64 * 1024 {
        return None;
    }
    let mut lines = Vec::new();
    let mut rest = section;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    if lines.iter().any(|line| line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))) {
        return None;
    }
    let (start, fields) = lines.split_first()?;
    if start.len() > start_line || fields.len() > 128 {
        return None;
    }
    let fields: Option<Vec<Line>> = fields.iter().map(|line| field(line, response)).collect();
    let fields = fields?;
    let options =
        values(&fields, "connection").iter().flat_map(|v| v.split(|&b| b == b',')).count();
    (options <= 128).then(|| (start.to_vec(), fields))
}

fn field(line: &[u8], response: bool) -> Option<Line> {
    let colon = line.iter().position(|&b| b == b':')?;
    let (mut name, value) = (&line[..colon], trim(&line[colon + 1..]));
    while let [rest @ .., b' ' | b'\t'] = name
        && response
    {
        name = rest;
    }
    let valid = line.len() <= 8 * 1024 && is_token(name) && value.iter().all(|&b| is_text(b));
    valid.then(|| (name.to_vec(), value.to_vec()))
}

fn minor_version(version: &[u8]) -> Option<u8> {
    let minor = version.strip_prefix(b"HTTP/1.")?;
    match minor {
        [b'0'] => Some(0),
        [b'1'..=b'9'] => Some(1),
        _ => None,
    }
}

fn values<'a>(lines: &'a [Line], name: &str) -> Vec<&'a [u8]> {
    let named = lines.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| value.as_slice()).collect()
}

fn has_good_host(lines: &[Line], minor: u8) -> bool {
    match values(lines, "host")[..] {
        [] => minor == 0,
        [host] => host.is_empty() || is_authority(host),
        _ => false,
    }
}

fn has_good_expectation(lines: &[Line], minor: u8) -> bool {
    let all = values(lines, "expect").join(&b',');
    let mut elements = all.split(|&b| b == b',').map(trim).filter(|e| !e.is_empty());
    minor == 0 || elements.all(|e| e.eq_ignore_ascii_case(b"100-continue"))
}

/// Returns the framing by `Transfer-Encoding`; `Some(None)` without the field, `None` if it is
/// invalid.
fn transfer_encoding(lines: &[Line], minor: u8) -> Option<Option<Framing>> {
    let all = values(lines, "transfer-encoding");
    if all.is_empty() {
        return Some(None);
    }
    if minor == 0 || !values(lines, "content-length").is_empty() {
        return None;
    }
    if all.len() == 1 && all[0].eq_ignore_ascii_case(b"chunked") {
        return Some(Some(Framing::Chunked));
    }
    let all = all.join(&b',');
    let names: Vec<Vec<u8>> = all
        .split(|&b| b == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
        .map(<[u8]>::to_ascii_lowercase)
        .collect();
    let readable = names.iter().all(|name| is_token(name));
    let other = readable && !names.is_empty() && !names.contains(&b"chunked".to_vec());
    other.then_some(Some(Framing::Close))
}

fn codings_are_known(lines: &[Line]) -> bool {
    let known =
        "identity compress deflate gzip x-compress x-gzip br zstd".split(' ').collect::<Vec<_>>();
    let all = values(lines, "transfer-encoding").join(&b',');
    let all = String::from_utf8_lossy(&all).to_ascii_lowercase();
    all.split(',').map(str::trim).all(|coding| coding.is_empty() || known.contains(&coding))
}

/// Returns the value of `Content-Length`; `Some(None)` without the field, `None` if it is invalid.
fn content_length(lines: &[Line]) -> Option<Option<u64>> {
    match values(lines, "content-length")[..] {
        [] => Some(None),
        [digits] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let length: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            Some(Some(length.cast_unsigned()))
        }
        _ => None,
    }
}

/// Characters of a target other than letters and digits.
const CHARACTERS: &str = "-._~:/?[]@!$&'()*+,;=%|{}^`\\";

/// Returns true if `target` is valid in a request with `method`.
pub fn is_target(target: &[u8], method: &str) -> bool {
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || CHARACTERS.contains(c);
    if !std::str::from_utf8(target).is_ok_and(|target| target.chars().all(allowed)) {
        return false;
    }
    if method == "CONNECT" {
        return is_authority(target)
            && target.last().is_some_and(|last| last.is_ascii_digit())
            && target
                .iter()
                .rposition(|&b| b == b':')
                .is_some_and(|colon| target[colon..].iter().all(|&b| b != b']'));
    }
    if target == b"*" {
        return method == "OPTIONS";
    }
    target.starts_with(b"/") || is_absolute(target)
}

fn is_absolute(target: &[u8]) -> bool {
    let Some(end) = target.windows(3).position(|three| three == b"://") else { return false };
    let (scheme, rest) = (&target[..end], &target[end + 3..]);
    let path = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|&b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && is_authority(&rest[..path])
}

/// Returns true if `text` is a host with an optional port.
pub fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let port_is_good = port.is_empty()
        || (port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u128>().is_ok_and(|port| (1..=65535).contains(&port)));
    let host_is_good = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=255).contains(&host.len())
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        }
    };
    port_is_good && host_is_good
}

fn is_token(text: &[u8]) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.iter().all(|&b| good(b))
}

/// Returns true if `byte` is allowed in a field value or reason phrase.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
