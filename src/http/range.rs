//! Byte ranges (RFC 9110 §14).

use super::cond::Validators;
use super::fields::Fields;
use super::framing::decimal;
use super::list::Elements;
use super::name::Name;

/// Maximum number of ranges in a request. A `Range` with more is ignored, because no honest client
/// needs it (§14.2).
pub const MAX_RANGES: usize = 64;
/// Approximate overhead of one part in bytes. Ranges with a smaller gap between them are merged
/// (§15.3.7.2).
const NEAR: u64 = 80;

/// A single range of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `first-last`, both included; without `last`, up to the end.
    From(u64, Option<u64>),
    /// `-n`: the last n bytes.
    Suffix(u64),
}

impl ByteRange {
    /// Returns the first byte of the range, and the offset one past its last byte, in content of
    /// this length. `None` if the range is empty or lies outside.
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

    /// Returns true if the range lies within `outer`, whatever the length of the content.
    #[must_use]
    pub fn is_within(self, outer: Self) -> bool {
        match (self, outer) {
            (Self::From(first, last), Self::From(from, to)) => {
                first >= from && to.is_none_or(|to| last.is_some_and(|last| last <= to))
            }
            (Self::Suffix(n), Self::Suffix(of)) => n <= of,
            _ => false,
        }
    }
}

/// Parses the `Range` field. Returns `None` for a field that must be ignored (§14.2): malformed, in
/// another unit, repeated, or with too many ranges.
#[must_use]
pub fn parse(fields: &Fields) -> Option<Vec<ByteRange>> {
    let set = fields.only(Name::Range)?;
    let (unit, set) = set.split_at_checked("bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let ranges: Option<Vec<ByteRange>> =
        Elements::of(set).take(MAX_RANGES + 1).map(parse_one).collect();
    ranges.filter(|ranges| (1..=MAX_RANGES).contains(&ranges.len()))
}

/// Returns true if a response to `other` certainly contains what `request` asks for: `other` asks
/// for the whole, or for one range that contains the one range of `request`.
#[must_use]
pub fn asks_within(request: &Fields, other: &Fields) -> bool {
    let one = |fields| parse(fields).and_then(|ranges| <[_; 1]>::try_from(ranges).ok());
    match (one(request), one(other)) {
        _ if !other.has(Name::Range) => true,
        (Some([inner]), Some([outer])) => inner.is_within(outer),
        _ => false,
    }
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

/// Content that a request selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// The whole content.
    Whole,
    /// Parts, each from its first byte to one past its last, in the order of the request. There is
    /// at least one. None is empty, and no two overlap or are near each other.
    Parts(Vec<(u64, u64)>),
    /// No part: all ranges lie outside of the content.
    Nothing,
}

/// Returns the parts that a GET with these fields selects of a representation with these validators
/// and this length. Overlapping ranges are merged, so that no byte is sent twice.
#[must_use]
pub fn select(request: &Fields, validators: &Validators<'_>, length: u64) -> Selected {
    let Some(ranges) = parse(request).filter(|_| validators.range_applies(request)) else {
        return Selected::Whole;
    };
    let parts = coalesced(ranges.into_iter().filter_map(|range| range.within(length)));
    if parts.is_empty() { Selected::Nothing } else { Selected::Parts(parts) }
}

/// Merges parts that overlap or are near each other, at the place of the first of them.
fn coalesced(parts: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut apart: Vec<(u64, u64)> = Vec::new();
    for (mut first, mut end) in parts {
        let mut place = apart.len();
        while let Some(near) = apart.iter().position(|other| {
            first <= other.1.saturating_add(NEAR) && other.0 <= end.saturating_add(NEAR)
        }) {
            let other = apart.remove(near);
            (first, end) = (first.min(other.0), end.max(other.1));
            place = place.min(near);
        }
        apart.insert(place, (first, end));
    }
    apart
}

/// Returns the `Content-Range` of a part that ends before `end` (§14.4).
#[must_use]
pub fn content_range(first: u64, end: u64, length: u64) -> String {
    format!("bytes {first}-{}/{length}", end - 1)
}

/// Part of a representation that a response carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub first: u64,
    /// Offset one past the last byte.
    pub end: u64,
    /// Length of the complete representation.
    pub length: u64,
}

impl Part {
    /// Parses the `Content-Range` of a 206 (§14.4). `None` if it is malformed or does not give the
    /// complete length.
    #[must_use]
    pub fn of(fields: &Fields) -> Option<Self> {
        let (unit, value) = fields.only(Name::ContentRange)?.split_at_checked("bytes ".len())?;
        let slash = value.iter().position(|&byte| byte == b'/')?;
        let length = decimal(&value[slash + 1..])?;
        let Some(ByteRange::From(first, Some(last))) = parse_one(&value[..slash]) else {
            return None;
        };
        let sound = unit.eq_ignore_ascii_case(b"bytes ") && last < length;
        sound.then_some(Self { first, end: last.saturating_add(1), length })
    }

    /// Returns true if the `Content-Length` of a response is the length of the part.
    #[must_use]
    pub fn is_all_of(&self, fields: &Fields) -> bool {
        fields.only(Name::ContentLength).and_then(decimal) == Some(self.end - self.first)
    }
}

/// Returns the `Content-Range` of a 416 (§15.5.17).
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
    fn all_forms_of_ranges_are_parsed() {
        assert_eq!(range("bytes=0-499"), Some(vec![ByteRange::From(0, Some(499))]));
        assert_eq!(range("Bytes=500-"), Some(vec![ByteRange::From(500, None)]));
        assert_eq!(range("bytes=-5"), Some(vec![ByteRange::Suffix(5)]));
        let two = vec![ByteRange::From(0, Some(0)), ByteRange::Suffix(1)];
        assert_eq!(range("bytes=0-0, -1"), Some(two));
    }

    #[test]
    fn malformed_range_is_ignored() {
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
    fn content_range_gives_the_part() {
        let part = |value: &str| {
            let mut fields = Fields::default();
            fields.push(b"Content-Range", value.as_bytes());
            Part::of(&fields)
        };
        assert_eq!(part("bytes 0-4/10"), Some(Part { first: 0, end: 5, length: 10 }));
        assert_eq!(part("Bytes 9-9/10"), Some(Part { first: 9, end: 10, length: 10 }));
        for value in
            ["bytes 0-4/*", "bytes */10", "bytes 5-4/10", "bytes 5-10/10", "bytes=0-4/10", ""]
        {
            assert_eq!(part(value), None, "{value}");
        }
    }

    #[test]
    fn too_many_ranges_are_ignored() {
        let many = |n: usize| format!("bytes={}", vec!["0-0"; n].join(","));
        assert!(range(&many(MAX_RANGES)).is_some());
        assert_eq!(range(&many(MAX_RANGES + 1)), None);
    }

    #[test]
    fn near_ranges_are_merged() {
        let selected = |value: &str| {
            let mut fields = Fields::default();
            fields.push(b"Range", value.as_bytes());
            select(&fields, &Validators::default(), 1000)
        };
        let parts = |parts: &[(u64, u64)]| Selected::Parts(parts.to_vec());
        assert_eq!(selected("bytes=0-9,500-509"), parts(&[(0, 10), (500, 510)]));
        assert_eq!(selected("bytes=-10,0-9"), parts(&[(990, 1000), (0, 10)]));
        assert_eq!(selected("bytes=0-9,89-99"), parts(&[(0, 100)]));
        assert_eq!(selected("bytes=0-9,90-99"), parts(&[(0, 100)]));
        assert_eq!(selected("bytes=0-9,91-99"), parts(&[(0, 10), (91, 100)]));
        assert_eq!(selected("bytes=600-609,0-9,200-209,90-150"), parts(&[(600, 610), (0, 210)]));
        assert_eq!(selected("bytes=0-0,2000-"), parts(&[(0, 1)]));
        assert_eq!(selected("bytes=1000-,2000-"), Selected::Nothing);
        assert_eq!(selected("bytes=0-,0-,0-"), parts(&[(0, 1000)]));
    }

    #[test]
    fn range_within_another_is_recognised() {
        let within = |request: &str, other: &str| {
            let [request, other] = [request, other].map(|value| {
                let mut fields = Fields::default();
                (!value.is_empty()).then(|| fields.push(b"Range", value.as_bytes()));
                fields
            });
            asks_within(&request, &other)
        };
        for other in ["bytes=2-5", "bytes=0-5", "bytes=2-", ""] {
            assert!(within("bytes=2-5", other), "{other}");
        }
        for other in ["bytes=3-5", "bytes=2-4", "bytes=-5", "bytes=0-9,20-29", "nonsense"] {
            assert!(!within("bytes=2-5", other), "{other}");
        }
        assert!(within("bytes=7-", "bytes=2-") && !within("bytes=7-", "bytes=2-9"));
        assert!(within("bytes=-5", "bytes=-6") && !within("bytes=-7", "bytes=-6"));
        assert!(within("", "") && !within("", "bytes=0-"));
    }

    #[test]
    fn range_is_cut_to_the_content() {
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
