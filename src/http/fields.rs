//! Field lines: kept as they came, found by name (RFC 9110 §5).

use std::fmt;

use zeroize::Zeroize;

use crate::alloc_size::rounded_up;
use crate::work;

use super::list::Elements;
use super::name::Name;

/// A part of a head's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Where `part`, a subslice of `whole`, stands in it.
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

/// Lines of a head, found before its bytes are handed over.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Vec<FieldLine>,
    present: u64,
}

impl Lines {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { lines: Vec::with_capacity(capacity), present: 0 }
    }

    /// Adds a line whose parts are parts of `bytes`.
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

/// One field line.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The name, if it is known.
    pub id: Name,
    /// The name as it was spelled.
    pub name: &'a [u8],
    /// The value, without white space around it.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// Whether its name is `name`, in any case.
    #[must_use]
    pub fn is_named(&self, name: &[u8]) -> bool {
        work::count(if self.name.len() == name.len() { name.len() } else { 1 });
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Credentials are left out.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.id.is_secret() { b"..".as_slice() } else { self.value };
        write!(f, "{}: {}", self.name.escape_ascii(), value.escape_ascii())
    }
}

/// Field lines in the order in which they came, repeated ones included, spelled as they were.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The bytes the lines are parts of; those of a head hold its start line too.
    pub(super) bytes: Vec<u8>,
    lines: Vec<FieldLine>,
    /// Which known names occur, to answer quickly for those that do not.
    present: u64,
}

impl Fields {
    /// Lines found in `bytes`.
    pub(super) fn of(bytes: Vec<u8>, Lines { lines, present }: Lines) -> Self {
        Self { bytes, lines, present }
    }

    /// Lines that follow `start`, which is a start line with its CR LF, or nothing. Its capacity is
    /// used for the lines, of which there will be about `count`.
    #[must_use]
    pub fn after(start: Vec<u8>, count: usize) -> Self {
        Self { bytes: start, lines: Vec::with_capacity(count), present: 0 }
    }

    /// Adds a line at the end. What it is given has been checked before.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.copy(Field { id: Name::from_bytes(name), name, value });
    }

    /// Adds a line of other fields at the end, as it came.
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

    /// What comes before the first line: the start line with its CR LF, or nothing.
    #[must_use]
    pub fn start_line(&self) -> &[u8] {
        let end = match self.lines.first() {
            Some(line) => line.name.start as usize,
            None => memchr::memchr(b'\n', &self.bytes).map_or(self.bytes.len(), |lf| lf + 1),
        };
        &self.bytes[..end]
    }

    /// The lines as they are sent, behind the start line if there is one. Of a head that was
    /// received, its empty line too.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// The same without the lines of this name; their bytes are gone, too.
    #[must_use]
    pub fn without(&self, id: Name) -> Self {
        let mut out = Self::after(self.start_line().to_vec(), self.len());
        for field in self.iter().filter(|field| field.id != id) {
            out.copy(field);
        }
        out
    }

    /// Returns a received head with one line of this name, at the place of the first, that holds
    /// `value`.
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

    /// Gives back the room that is not filled.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.lines.shrink_to_fit();
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        rounded_up(self.bytes.capacity())
            + rounded_up(self.lines.capacity() * size_of::<FieldLine>())
    }

    /// All lines, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.lines.iter().map(|line| Field {
            id: line.id,
            name: line.name.within(&self.bytes),
            value: line.value.within(&self.bytes),
        })
    }

    /// How many lines there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether there is a line of this name.
    #[must_use]
    pub const fn has(&self, id: Name) -> bool {
        self.present & id.bit() != 0
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn get(&self, id: Name) -> Option<&[u8]> {
        self.all(id).next()
    }

    /// The value of the one line of this name; none if there are several.
    #[must_use]
    pub fn only(&self, id: Name) -> Option<&[u8]> {
        let mut all = self.all(id);
        all.next().filter(|_| all.next().is_none())
    }

    /// The values of all lines of this name.
    pub fn all(&self, id: Name) -> impl Iterator<Item = &[u8]> + Clone {
        let lines = if self.has(id) { self.lines.as_slice() } else { &[] };
        work::count(lines.len());
        lines.iter().filter(move |line| line.id == id).map(|line| line.value.within(&self.bytes))
    }

    /// The values of all lines whose name is spelled so, in any case.
    pub fn all_named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().filter(move |field| field.is_named(name)).map(|field| field.value)
    }

    /// The elements of a list that may stand on several lines (RFC 9110 §5.6.1).
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
