//! Message heads: the end is found line by line, then the head is parsed once, strictly.
//!
//! httparse parses the grammar. The rules beyond it are checked here: CR LF only, no folded fields
//! in requests, the limits, the version, the target, exactly one `Host`, and unambiguous framing.

use std::mem::MaybeUninit;

use crate::http::claims;
use crate::http::field_names::FieldNames;
use crate::http::fields::{Fields, Lines, Span};
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::list::is_token_byte;
use crate::http::method::Method;
use crate::http::name::Name;
use crate::http::parse_error::ParseError;
use crate::http::status::Status;
use crate::http::target::{Authority, Target};
use crate::http::version::Version;
use crate::work;

use super::framing::{self, Framing};

/// Maximum number of field lines that a limit can allow.
pub const MAX_FIELDS: usize = 512;

/// Type of the record that begins a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Limits of a head. Each of them keeps a peer from filling memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Maximum length of the start line without its CR LF, in bytes.
    pub start_line: usize,
    /// Maximum length of one field line without its CR LF, in bytes.
    pub field: usize,
    /// Maximum number of field lines, up to [`MAX_FIELDS`].
    pub fields: usize,
    /// Maximum length of the whole head, in bytes.
    pub head: usize,
    /// Maximum length of all chunk extensions of a message, in bytes, beyond the length of its
    /// content.
    pub chunk_extensions: usize,
    /// True if targets may have `"<>`, which no URL has and no browser sends.
    pub relaxed_target: bool,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            start_line: 8 * 1024 + 64, // RFC 9112 §3 asks for a target of at least 8,000 octets
            field: 8 * 1024,
            fields: 128,
            head: 64 * 1024,
            chunk_extensions: 4 * 1024,
            relaxed_target: false,
        }
    }
}

/// Kind of section that is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    RequestHead,
    ResponseHead,
    RequestTrailers,
    ResponseTrailers,
}

impl Section {
    const fn has_start_line(self) -> bool {
        matches!(self, Self::RequestHead | Self::ResponseHead)
    }

    /// Returns true for sections of a response, in which a proxy repairs white space before colons
    /// and folded fields (RFC 9112 §5.1, §5.2).
    pub(super) const fn is_of_origin(self) -> bool {
        matches!(self, Self::ResponseHead | Self::ResponseTrailers)
    }
}

/// Scanner that finds the end of a section, which may be received in any number of pieces. The
/// result does not depend on how the bytes are split.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    section: Section,
    /// Start of the line that is not complete yet.
    line: usize,
    /// End of the bytes that were searched for the end of that line.
    searched: usize,
    /// Start of the field that the line belongs to, which is before the line if the field is
    /// folded.
    field: usize,
    /// Number of complete lines, without those that continue a field.
    lines: usize,
    /// True if a complete line continues a field.
    has_folds: bool,
}

impl Scanner {
    pub(super) const fn new(section: Section) -> Self {
        Self { section, line: 0, searched: 0, field: 0, lines: 0, has_folds: false }
    }

    /// Returns the length of the section at the start of `input`, including its empty line, once it
    /// is complete. Each call must pass the same bytes again, with more after them.
    ///
    /// The reported rule, of several that are broken, is the one that shows after the fewest bytes, so
    /// that the result does not depend on how many bytes are received at once. The checks are in that
    /// order.
    pub(super) fn scan(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, ParseError> {
        let within = &input[..input.len().min(limits.head)];
        work::count(within.len().saturating_sub(self.searched));
        while let Some(end) = memchr::memchr(b'\n', &within[self.searched..]) {
            let line_end = self.searched + end;
            let line = &within[self.line..line_end];
            self.begin_line(line);
            self.check(line, limits)?;
            let Some(line) = line.strip_suffix(b"\r") else { return Err(ParseError::BareLf) };
            self.line = line_end + 1;
            self.searched = self.line;
            if line.is_empty() {
                return Ok(Some(self.line));
            }
            if self.continues(line) {
                self.has_folds = true;
            } else {
                self.lines += 1;
            }
        }
        self.begin_line(&within[self.line..]);
        self.check(&within[self.line..], limits)?;
        self.searched = within.len();
        if within.len() < input.len() { Err(ParseError::HeadTooLarge) } else { Ok(None) }
    }

    /// Returns true if the complete section has folded fields.
    pub(super) const fn has_folds(&self) -> bool {
        self.has_folds
    }

    /// Records the start of the field that `line` begins.
    fn begin_line(&mut self, line: &[u8]) {
        if !line.is_empty() && !self.continues(line) {
            self.field = self.line;
        }
    }

    /// Returns true if `line` continues the field before it.
    fn continues(&self, line: &[u8]) -> bool {
        self.section.is_of_origin()
            && self.fields() > 0
            && matches!(line.first(), Some(b' ' | b'\t'))
    }

    /// Checks a line as far as possible before its LF is received.
    fn check(&self, line: &[u8], limits: &HeadLimits) -> Result<(), ParseError> {
        self.check_start(line)?;
        // A CR at the end may belong to the line end.
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        let folded = self.line - self.field;
        match (self.section, self.is_start_line()) {
            (Section::RequestHead, true) if length > limits.start_line => {
                Err(ParseError::TargetTooLong)
            }
            (_, true) if length > limits.start_line => Err(ParseError::StatusLineTooLong),
            (_, false) if length > 0 && self.fields() >= limits.fields && !self.continues(line) => {
                Err(ParseError::TooManyFields)
            }
            (_, false) if length > 0 && folded + length > limits.field => {
                Err(ParseError::FieldTooLong)
            }
            _ => Ok(()),
        }
    }

    /// Checks a line as far as its first bytes allow.
    fn check_start(&self, line: &[u8]) -> Result<(), ParseError> {
        let Some(&first) = line.first() else { return Ok(()) };
        match (self.section, self.is_start_line()) {
            // An empty line shows no more than this before its LF. `decode_head` handles it.
            (Section::RequestHead, true) if line == b"\r" => Ok(()),
            (Section::RequestHead, true) if first == b'\r' => Err(ParseError::RequestLine),
            (Section::RequestHead, true) if first == TLS_HANDSHAKE => Err(ParseError::Tls),
            (Section::RequestHead, true) if !is_token_byte(first) => Err(ParseError::NotHttp),
            (Section::ResponseHead, true) if first != b'H' => Err(ParseError::StatusLine),
            (_, false) if self.continues(line) => Ok(()),
            (_, false) if matches!(first, b' ' | b'\t') => Err(ParseError::ObsFold),
            (_, false) if first == b'\r' && line.len() > 1 => Err(ParseError::FieldName),
            _ => Ok(()),
        }
    }

    const fn is_start_line(&self) -> bool {
        self.lines == 0 && self.section.has_start_line()
    }

    /// Returns the number of complete fields. Lines that continue a field count with it.
    const fn fields(&self) -> usize {
        self.lines.saturating_sub(self.section.has_start_line() as usize)
    }
}

type Headers<'h, 'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELDS];

/// Parses a complete request head, with its empty line.
pub(super) fn request(
    bytes: &[u8],
    limits: &HeadLimits,
) -> Result<(RequestHead, Framing), ParseError> {
    work::count(2 * bytes.len()); // copied, parsed
    let mut bytes = bytes.to_vec();
    let line_end = memchr::memchr(b'\r', &bytes).unwrap_or(bytes.len());
    let version_at = line_end.checked_sub("HTTP/1.1".len()).ok_or(ParseError::RequestLine)?;
    let version = take_version(&mut bytes[version_at..line_end], ParseError::RequestLine)?;

    let mut headers: Headers<'_, '_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(&bytes, &mut headers);
    complete(parsed, bytes.len(), request_line_refusal(&bytes[..line_end]))?;
    let (Some(method_name), Some(target)) = (request.method, request.path) else {
        return Err(ParseError::RequestLine);
    };
    let method = Method::from_name(method_name.as_bytes());
    let target = Target::parse(target.as_bytes(), &bytes, method, limits.relaxed_target)?;
    let method_name = Span::of(method_name.as_bytes(), &bytes);
    let lines = lines(request.headers, &bytes);

    let fields = Fields::of(bytes, lines);
    check_host(version, &fields)?;
    check_expectation(version, &fields)?;
    check_options(&fields, limits)?;
    let framing = framing::of_request(method, version, &fields)?;
    let body_length = framing.body_length();
    Ok((RequestHead { method, method_name, target, version, fields, body_length }, framing))
}

/// Parses a complete response head, with its empty line, as the response to a request with
/// `method`. `has_folds` is true if some of its fields are folded. Defects that a proxy must repair
/// (RFC 9112 §5.1, §5.2, §6.3) are repaired here, so that no later reader sees them.
pub(super) fn response(
    bytes: &[u8],
    has_folds: bool,
    method: Method,
    limits: &HeadLimits,
) -> Result<(ResponseHead, Framing), ParseError> {
    work::count(3 * bytes.len()); // copied, searched for folds, parsed
    let mut bytes = bytes.to_vec();
    let line_end = memchr::memchr(b'\r', &bytes).unwrap_or(bytes.len());
    let version_end = "HTTP/1.1".len().min(line_end);
    let version = take_version(&mut bytes[..version_end], ParseError::StatusLine)?;
    if has_folds {
        unfold(&mut bytes);
    }

    let mut headers: Headers<'_, '_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, &bytes, &mut headers);
    complete(parsed, bytes.len(), ParseError::StatusLine)?;
    let status = response.code.and_then(Status::new).ok_or(ParseError::StatusLine)?;
    // httparse drops a reason phrase that is not ASCII; here it is kept as received.
    let reason = bytes[..line_end].get("HTTP/1.1 200 ".len()..).unwrap_or_default();
    let reason = Span::of(if reason.is_empty() { &bytes[..0] } else { reason }, &bytes);
    let lines = lines(response.headers, &bytes);

    let mut fields = Fields::of(bytes, lines);
    if let Some(length) = framing::repeated_length(&fields) {
        fields = fields.with_one(Name::ContentLength, length.to_string().as_bytes());
    }
    check_options(&fields, limits)?;
    let framing = framing::of_response(method, status, version, &fields)?;
    let body_length = framing.body_length();
    let is_coded = framing == Framing::Close && framing::is_coded(&fields);
    Ok((ResponseHead { version, status, reason, fields, body_length, is_coded }, framing))
}

/// Parses complete trailers, with their empty line, and omits the fields that `Connection` has
/// `nominated` (RFC 9110 §7.6.1, RFC 9112 §7.1.2). Fields that are forbidden in trailers are
/// refused in a request and dropped from a response.
pub(super) fn trailers(
    bytes: &[u8],
    section: Section,
    nominated: &[Box<[u8]>],
) -> Result<Fields, ParseError> {
    work::count(4 * bytes.len()); // copied, searched for folds, parsed, written anew
    let nominated: FieldNames<'_> = nominated.iter().map(|name| &**name).collect();
    let mut bytes = [b"HTTP/1.1 200\r\n", bytes].concat();
    let lenient = section.is_of_origin();
    if lenient {
        unfold(&mut bytes);
    }
    let mut headers: Headers<'_, '_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(lenient)
        .parse_response_with_uninit_headers(&mut head, &bytes, &mut headers);
    complete(parsed, bytes.len(), ParseError::FieldName)?;
    let mut fields = Fields::default();
    for header in head.headers {
        let name = header.name.as_bytes();
        let forbidden = is_forbidden_in_trailers(name);
        if forbidden && !lenient {
            return Err(ParseError::Trailer);
        }
        if !forbidden && !nominated.contains(name) {
            fields.push(name, header.value);
        }
    }
    Ok(fields)
}

/// Replaces the line ends within folded fields with spaces (RFC 9112 §5.2).
fn unfold(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(lf) = memchr::memchr(b'\n', &bytes[from..]).map(|at| from + at) {
        from = lf + 1;
        if matches!(bytes.get(from), Some(b' ' | b'\t')) {
            bytes[lf - 1..=lf].fill(b' ');
        }
    }
}

/// Returns true for fields that are only valid before the content: those of framing, routing, the
/// connection, authentication, request modifiers, response controls and content format. A recipient
/// that merges trailers into the head would apply them afterwards (RFC 9110 §6.5.1).
fn is_forbidden_in_trailers(name: &[u8]) -> bool {
    claims::is_claim(name) || is_of_heads(Name::from_bytes(name))
}

const fn is_of_heads(id: Name) -> bool {
    matches!(
        id,
        Name::TransferEncoding
            | Name::ContentLength
            | Name::Trailer
            | Name::Host
            | Name::Via
            | Name::CdnLoop
            | Name::Connection
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::Te
            | Name::Upgrade
            | Name::Authorization
            | Name::ProxyAuthorization
            | Name::ProxyAuthenticate
            | Name::SetCookie
            | Name::Cookie
            | Name::Expect
            | Name::MaxForwards
            | Name::Pragma
            | Name::Range
            | Name::IfMatch
            | Name::IfNoneMatch
            | Name::IfModifiedSince
            | Name::IfUnmodifiedSince
            | Name::IfRange
            | Name::CacheControl
            | Name::Age
            | Name::Date
            | Name::Expires
            | Name::Location
            | Name::Vary
            | Name::ContentEncoding
            | Name::ContentType
            | Name::ContentRange
    )
}

/// Parses the version in a start line, and replaces a higher minor version by 1.1, as which it is
/// processed (RFC 9110 §2.5).
fn take_version(name: &mut [u8], start_line: ParseError) -> Result<Version, ParseError> {
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = name else { return Err(start_line) };
    match (&*major, &*minor) {
        (b'1', b'0') => Ok(Version::Http10),
        (b'1', b'1'..=b'9') => {
            *minor = b'1';
            Ok(Version::Http11)
        }
        (b'0'..=b'9', b'0'..=b'9') => Err(ParseError::Version),
        _ => Err(start_line),
    }
}

/// Returns the error for a request line that httparse rejected. httparse requires the target to be
/// UTF-8.
fn request_line_refusal(line: &[u8]) -> ParseError {
    let behind_method = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    match std::str::from_utf8(&line[behind_method..]) {
        Ok(_) => ParseError::RequestLine,
        Err(_) => ParseError::TargetEncoding,
    }
}

fn complete(
    parsed: httparse::Result<usize>,
    length: usize,
    start_line: ParseError,
) -> Result<(), ParseError> {
    match parsed {
        Ok(httparse::Status::Complete(n)) if n == length => Ok(()),
        Ok(_) => Err(start_line),
        Err(error) => Err(refusal_of(error, start_line)),
    }
}

const fn refusal_of(error: httparse::Error, start_line: ParseError) -> ParseError {
    match error {
        httparse::Error::HeaderName => ParseError::FieldName,
        httparse::Error::HeaderValue => ParseError::FieldValue,
        httparse::Error::TooManyHeaders => ParseError::TooManyFields,
        _ => start_line,
    }
}

fn lines(headers: &[httparse::Header<'_>], bytes: &[u8]) -> Lines {
    let mut lines = Lines::with_capacity(headers.len());
    for header in headers {
        // An empty value of httparse may lie outside of `bytes`.
        let value = if header.value.is_empty() { &bytes[..0] } else { header.value };
        lines.add(header.name.as_bytes(), value, bytes);
    }
    lines
}

/// Checks `Host` (RFC 9112 §3.2): exactly one with HTTP/1.1, at most one with HTTP/1.0, and valid.
/// `Host` may be empty, for targets without an authority.
fn check_host(version: Version, fields: &Fields) -> Result<(), ParseError> {
    let mut hosts = fields.all(Name::Host);
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::Http11 => Err(ParseError::MissingHost),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(ParseError::RepeatedHost),
        (Some(b""), None) => Ok(()),
        (Some(host), None) => Authority::parse(host).map(drop).map_err(|_| ParseError::InvalidHost),
    }
}

/// Checks `Expect` (RFC 9110 §10.1.1): `100-continue` is the only expectation supported. In
/// HTTP/1.0 the field is ignored.
fn check_expectation(version: Version, fields: &Fields) -> Result<(), ParseError> {
    let known = fields.elements(Name::Expect).all(|e| e.eq_ignore_ascii_case(b"100-continue"));
    if known || version == Version::Http10 { Ok(()) } else { Err(ParseError::Expectation) }
}

fn check_options(fields: &Fields, limits: &HeadLimits) -> Result<(), ParseError> {
    work::count(fields.wire().len());
    let options = |value: &[u8]| 1 + memchr::memchr_iter(b',', value).count();
    let options: usize = fields.all(Name::Connection).map(options).sum();
    if options > limits.fields { Err(ParseError::TooManyOptions) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanner_looks_at_each_byte_once() {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", "A: bcdefghijklmnop\r\n".repeat(20));
        let mut scanner = Scanner::new(Section::RequestHead);
        for have in 0..head.len() {
            let found = scanner.scan(&head.as_bytes()[..have], &HeadLimits::default());
            assert_eq!(found, Ok(None));
            assert_eq!(scanner.searched, have, "the next search begins after all searched bytes");
        }
        let found = scanner.scan(head.as_bytes(), &HeadLimits::default());
        assert_eq!(found, Ok(Some(head.len())));
    }
}
