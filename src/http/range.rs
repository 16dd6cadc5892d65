//! Byte ranges (RFC 9110 §14).

use super::fields::{Fields, Name};
use super::framing::decimal;
use super::list::Elements;

/// One range as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `first-last`, both included; without a last one up to the end.
    From(u64, Option<u64>),
    /// `-n`: the last n bytes.
    Suffix(u64),
}

impl ByteRange {
    /// The bytes meant, of content of this length: first and one past the last. `None` if there
    /// are none.
    #[must_use]
    pub fn within(self, length: u64) -> Option<(u64, u64)> {
        match self {
            Self::From(first, last) if first < length => {
                Some((first, last.map_or(length, |last| length.min(last.saturating_add(1)))))
            }
            Self::Suffix(n) if n > 0 && length > 0 => Some((length.saturating_sub(n), length)),
            _ => None,
        }
    }
}

/// What a `Range` field asks for. One that is malformed, of another unit or repeated asks for
/// nothing: it is ignored (§14.2).
#[must_use]
pub fn parse(fields: &Fields) -> Option<Vec<ByteRange>> {
    let set = fields.only(Name::Range)?;
    let (unit, set) = set.split_at_checked("bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let ranges: Option<Vec<ByteRange>> = Elements::of(set).map(parse_one).collect();
    ranges.filter(|ranges| !ranges.is_empty())
}

fn parse_one(spec: &[u8]) -> Option<ByteRange> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        return Some(ByteRange::Suffix(decimal(last)?));
    }
    let first = decimal(first)?;
    if last.is_empty() {
        return Some(ByteRange::From(first, None));
    }
    let last = decimal(last)?;
    (first <= last).then_some(ByteRange::From(first, Some(last)))
}

/// `Content-Range` of a part, from its first byte to one past its last (§14.4).
#[must_use]
pub fn content_range(first: u64, end: u64, length: u64) -> String {
    format!("bytes {first}-{}/{length}", end - 1)
}

/// `Content-Range` of a 416 (§15.5.17).
#[must_use]
pub fn unsatisfied(length: u64) -> String {
    format!("bytes */{length}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &str) -> Option<Vec<ByteRange>> {
        let mut fields = Fields::default();
        fields.push(b"Range", value.as_bytes());
        parse(&fields)
    }

    #[test]
    fn the_forms_of_a_range_are_read() {
        assert_eq!(range("bytes=0-499"), Some(vec![ByteRange::From(0, Some(499))]));
        assert_eq!(range("Bytes=500-"), Some(vec![ByteRange::From(500, None)]));
        assert_eq!(range("bytes=-5"), Some(vec![ByteRange::Suffix(5)]));
        let two = vec![ByteRange::From(0, Some(0)), ByteRange::Suffix(1)];
        assert_eq!(range("bytes=0-0, -1"), Some(two));
    }

    #[test]
    fn what_is_malformed_asks_for_nothing() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1",
            "bytes=--1",
            "items=0-1",
            "bytes 0-1",
            "bytes=0-1,x",
            "bytes=99999999999999999999-",
            "bytes=+1-2",
        ] {
            assert_eq!(range(value), None, "{value}");
        }
    }

    #[test]
    fn a_range_is_cut_to_the_content() {
        assert_eq!(ByteRange::From(0, Some(99)).within(10), Some((0, 10)));
        assert_eq!(ByteRange::From(9, Some(9)).within(10), Some((9, 10)));
        assert_eq!(ByteRange::From(10, None).within(10), None);
        assert_eq!(ByteRange::Suffix(3).within(10), Some((7, 10)));
        assert_eq!(ByteRange::Suffix(30).within(10), Some((0, 10)));
        assert_eq!(ByteRange::Suffix(0).within(10), None);
        assert_eq!(ByteRange::Suffix(1).within(0), None);
        assert_eq!(ByteRange::From(0, Some(u64::MAX)).within(2), Some((0, 2)));
    }
}
