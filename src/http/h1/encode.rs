//! Encoding of heads.

use crate::http::fields::{Field, Fields};
use crate::http::name::Name;
use crate::http::status::Status;
use crate::http::version::Version;
use crate::work;

/// Writer of one head into a buffer, line by line. The caller has checked that names are tokens and
/// values have no line ends.
#[derive(Debug)]
pub struct HeadWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> HeadWriter<'a> {
    /// Begins a request.
    pub fn request(out: &'a mut Vec<u8>, method: &str, target: &str) -> Self {
        for part in [method, " ", target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        Self { out }
    }

    /// Begins a response. Its version is always 1.1, whatever the version of the request (RFC 9112
    /// §2.3).
    pub fn response(out: &'a mut Vec<u8>, status: Status, reason: &[u8]) -> Self {
        let code = status.code();
        let digit = |n: u16| b'0' + u8::try_from(n % 10).unwrap_or(0);
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), b' ']);
        out.extend_from_slice(reason);
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Continues a head whose beginning was written before.
    pub const fn resume(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes a line.
    pub fn field(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.line(name.as_bytes(), value);
        self
    }

    /// Writes a line with a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        let mut digits = [0; 20];
        self.line(name.as_bytes(), write_decimal(&mut digits, value));
        self
    }

    /// Writes a line whose value `write` appends.
    pub fn value(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.list(name, [].into_iter(), write)
    }

    /// Writes a line with a list: `elements`, followed by one more that `last` appends.
    pub fn list<'v>(
        &mut self,
        name: &str,
        elements: impl Iterator<Item = &'v [u8]>,
        last: impl FnOnce(&mut Vec<u8>),
    ) -> &mut Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        for element in elements {
            self.out.extend_from_slice(element);
            self.out.extend_from_slice(b", ");
        }
        last(self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Writes a line of other fields, as it is.
    pub fn copy(&mut self, field: &Field<'_>) -> &mut Self {
        self.line(field.name, field.value);
        self
    }

    /// Writes the lines of `fields` for which `keep` returns true, as they are.
    pub fn copy_if(
        &mut self,
        fields: &Fields,
        mut keep: impl FnMut(&Field<'_>) -> bool,
    ) -> &mut Self {
        fields
            .iter()
            .filter(|field| keep(field))
            .for_each(|field| self.line(field.name, field.value));
        self
    }

    /// Writes the `Via` of this hop (RFC 9110 §7.6.3).
    pub fn via(&mut self, received: Version, pseudonym: &str) -> &mut Self {
        self.value("Via", |out| push_via(out, received, pseudonym))
    }

    /// Appends content after the head.
    pub fn content(&mut self, content: &[u8]) {
        self.out.extend_from_slice(content);
    }

    /// Ends the head.
    pub fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, name: &[u8], value: &[u8]) {
        work::count(name.len() + value.len());
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends one element of `Via`.
pub(crate) fn push_via(out: &mut Vec<u8>, received: Version, pseudonym: &str) {
    [received.number(), " ", pseudonym]
        .iter()
        .for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Appends the digits of `value`.
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(write_decimal(&mut [0; 20], value));
}

/// Returns the digits of `value`, which are at the end of `buffer`.
fn write_decimal(buffer: &mut [u8; 20], mut value: u64) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            return &buffer[at..];
        }
    }
}

/// Appends the last chunk and the trailers (RFC 9112 §7.1.2).
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: Option<&Fields>) {
    out.extend_from_slice(b"0\r\n");
    let mut writer = HeadWriter::resume(out);
    if let Some(trailers) = trailers {
        writer.copy_if(trailers, |field| field.id != Name::Connection);
    }
    writer.end();
}
