//! Field lines: kept as received, found by name (RFC 9110 §5).

use std::fmt;

use zeroize::Zeroize;

use crate::alloc_size::rounded_up;
use crate::work;

use super::list::Elements;
use super::name::Name;

/// A range within the bytes of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Returns the range of `part`, a subslice of `whole`.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        debug_assert!(start + part.len() <= whole.len());
        Self::new(start, part.len())
    }

    #[expect(clippy::cast_possible_truncation, reason = "heads are limited far below 4 GiB")]
    const fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    pub(super) fn within(self, whole: &[u8]) -> &[u8] {
        &whole[self.start as usize..][..self.len as usize]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FieldLine {
    id: Name,
    name: Span,
    value: Span,
}

/// Field lines of a head, parsed before its bytes are handed over.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Vec<FieldLine>,
    present: u64,
}

impl Lines {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { lines: Vec::with_capacity(capacity), present: 0 }
    }

    /// Adds a line whose name and value are subslices of `bytes`.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8], bytes: &[u8]) {
        let id = Name::from_bytes(name);
        self.present |= id.bit();
        self.lines.push(FieldLine {
            id,
            name: Span::of(name, bytes),
            value: Span::of(value, bytes),
        });
    }
}

/// A field line.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The name, if it is a known one.
    pub id: Name,
    /// The name as spelled in the message.
    pub name: &'a [u8],
    /// The value, without surrounding white space.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// Returns true if the name is `name`, in any case.
    #[must_use]
    pub fn is_named(&self, name: &[u8]) -> bool {
        work::count(if self.name.len() == name.len() { name.len() } else { 1 });
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Formats the line without credentials.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.id.is_secret() { b"..".as_slice() } else { self.value };
        write!(f, "{}: {}", self.name.escape_ascii(), value.escape_ascii())
    }
}

/// Field lines in the order received, with their spelling and repetitions.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Bytes that the lines refer to; those of a head include its start line.
    pub(super) bytes: Vec<u8>,
    lines: Vec<FieldLine>,
    /// Bit set of the known names that occur, which answers quickly for names that do not.
    present: u64,
}

impl Fields {
    /// Creates fields from lines parsed in `bytes`.
    pub(super) fn of(bytes: Vec<u8>, Lines { lines, present }: Lines) -> Self {
        Self { bytes, lines, present }
    }

    /// Creates empty fields after `start`, which is a start line with its CR LF, or nothing. The
    /// capacity of `start` is used for the lines. `count` is their expected number.
    #[must_use]
    pub fn after(start: Vec<u8>, count: usize) -> Self {
        Self { bytes: start, lines: Vec::with_capacity(count), present: 0 }
    }

    /// Returns the lines that a [`HeadWriter`](super::HeadWriter) has written behind a start line of
    /// `start` bytes.
    pub(crate) fn written(bytes: Vec<u8>, start: usize) -> Self {
        let mut lines = Lines::with_capacity(16);
        let mut rest = &bytes[start..];
        while let Some(end) = memchr::memchr(b'\r', rest) {
            let (line, next) = (&rest[..end], &rest[end + "\r\n".len()..]);
            if let Some(colon) = memchr::memchr(b':', line) {
                lines.add(&line[..colon], &line[colon + ": ".len()..], &bytes);
            }
            rest = next;
        }
        Self::of(bytes, lines)
    }

    /// Appends a line. Name and value must be valid.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.copy(Field { id: Name::from_bytes(name), name, value });
    }

    /// Appends a line of other fields, as it is.
    pub fn copy(&mut self, field: Field<'_>) {
        let Field { id, name, value } = field;
        work::count(name.len() + value.len());
        let start = self.bytes.len();
        self.bytes.reserve(name.len() + value.len() + 4);
        [name, b": ", value, b"\r\n"].iter().for_each(|part| self.bytes.extend_from_slice(part));
        let value_at = start + name.len() + 2;
        self.present |= id.bit();
        self.lines.push(FieldLine {
            id,
            name: Span::new(start, name.len()),
            value: Span::new(value_at, value.len()),
        });
    }

    /// Returns the bytes before the first line: the start line with its CR LF, or nothing.
    #[must_use]
    pub fn start_line(&self) -> &[u8] {
        let end = match self.lines.first() {
            Some(line) => line.name.start as usize,
            None => memchr::memchr(b'\n', &self.bytes).map_or(self.bytes.len(), |lf| lf + 1),
        };
        &self.bytes[..end]
    }

    /// Returns the lines as they are sent, after the start line if there is one. A received head
    /// includes its empty line.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the fields without the lines of this name. The bytes of those lines are gone, too.
    #[must_use]
    pub fn without(&self, id: Name) -> Self {
        self.filtered(|field| field.id != id)
    }

    /// Returns the lines that `keep` keeps, behind the same start line.
    pub(crate) fn filtered(&self, keep: impl Fn(&Field<'_>) -> bool) -> Self {
        let mut out = Self::after(self.start_line().to_vec(), self.len());
        self.iter().filter(keep).for_each(|field| out.copy(field));
        out
    }

    /// Returns a received head in which one line with `value` replaces all lines of this name, at
    /// the place of the first.
    pub(super) fn with_one(&self, id: Name, value: &[u8]) -> Self {
        let mut out = Self::after(self.start_line().to_vec(), self.len());
        for field in self.iter() {
            match field.id {
                name if name != id => out.copy(field),
                _ if out.has(id) => {}
                _ => out.push(field.name, value),
            }
        }
        out.bytes.extend_from_slice(b"\r\n");
        out
    }

    /// Frees spare capacity.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.lines.shrink_to_fit();
    }

    /// Returns the bytes that the fields take on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        rounded_up(self.bytes.capacity())
            + rounded_up(self.lines.capacity() * size_of::<FieldLine>())
    }

    /// Returns all lines in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.lines.iter().map(|line| Field {
            id: line.id,
            name: line.name.within(&self.bytes),
            value: line.value.within(&self.bytes),
        })
    }

    /// Returns the number of lines.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns true if there are no lines.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns true if there is a line of this name.
    #[must_use]
    pub const fn has(&self, id: Name) -> bool {
        self.present & id.bit() != 0
    }

    /// Returns the value of the first line of this name.
    #[must_use]
    pub fn get(&self, id: Name) -> Option<&[u8]> {
        self.all(id).next()
    }

    /// Returns the value of the only line of this name. `None` if there are several.
    #[must_use]
    pub fn only(&self, id: Name) -> Option<&[u8]> {
        let mut all = self.all(id);
        all.next().filter(|_| all.next().is_none())
    }

    /// Returns the values of all lines of this name.
    pub fn all(&self, id: Name) -> impl Iterator<Item = &[u8]> + Clone {
        let lines = if self.has(id) { self.lines.as_slice() } else { &[] };
        work::count(lines.len());
        lines.iter().filter(move |line| line.id == id).map(|line| line.value.within(&self.bytes))
    }

    /// Returns the values of all lines of this name, in any case. For names that [`Name`] does not
    /// know.
    pub fn all_named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().filter(move |field| field.is_named(name)).map(|field| field.value)
    }

    /// Returns the elements of a list that may be spread over several lines (RFC 9110 §5.6.1).
    pub fn elements(&self, id: Name) -> impl Iterator<Item = &[u8]> + Clone {
        self.all(id).flat_map(Elements::of)
    }
}

impl Drop for Fields {
    /// Wipes credentials.
    fn drop(&mut self) {
        if self.has(Name::Authorization) || self.has(Name::ProxyAuthorization) {
            self.bytes.zeroize();
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let mut fields = Fields::default();
        fields.push(b"authorization", b"Basic c2VjcmV0");
        fields.push(b"Proxy-Authorization", b"Basic c2VjcmV0");
        assert_eq!(format!("{fields:?}"), "[authorization: .., Proxy-Authorization: ..]");
    }

    #[test]
    fn lines_keep_order_spelling_and_repetition() {
        let mut fields = Fields::default();
        fields.push(b"set-COOKIE", b"a=1");
        fields.push(b"X-Else", b"");
        fields.push(b"Set-Cookie", b"b=2");
        let lines: Vec<String> = fields.iter().map(|field| format!("{field:?}")).collect();
        assert_eq!(lines, ["set-COOKIE: a=1", "X-Else: ", "Set-Cookie: b=2"]);
        assert_eq!(fields.all(Name::SetCookie).collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(fields.only(Name::SetCookie), None);
        assert_eq!(fields.get(Name::Date), None);
        let without = fields.without(Name::SetCookie);
        assert_eq!((without.wire(), without.has(Name::SetCookie)), (&b"X-Else: \r\n"[..], false));
    }
}
