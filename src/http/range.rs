//! Byte ranges (RFC 9110 §14).

use super::cond::Validators;
use super::fields::Fields;
use super::framing::decimal;
use super::list::Elements;
use super::name::Name;

/// More ranges than this are no honest wish (§14.2): they ask for nothing.
pub const MAX_RANGES: usize = 64;
/// About what one more part takes beside its bytes: ranges that are nearer become one (§15.3.7.2).
const NEAR: u64 = 80;

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

    /// Whether it lies within another one, however long the content is.
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

/// What a `Range` field asks for. One that is malformed, of another unit, repeated or too long asks
/// for nothing: it is ignored (§14.2).
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

/// Whether what a request asks for is surely among what `other` asks for: that is the whole, or one
/// range with this request's own in it.
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

/// What a request selects of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of it.
    Whole,
    /// These parts, each from its first byte to one past its last: at least one, none empty, no two
    /// of them near each other, in the order in which they were asked for.
    Parts(Vec<(u64, u64)>),
    /// Ranges that all lie outside.
    Nothing,
}

/// What a GET with these fields selects of a representation that has these validators and this
/// length. However its ranges overlap, no byte is sent twice: those that do become one.
#[must_use]
pub fn select(request: &Fields, validators: &Validators<'_>, length: u64) -> Selected {
    let Some(ranges) = parse(request).filter(|_| validators.range_applies(request)) else {
        return Selected::Whole;
    };
    let parts = coalesced(ranges.into_iter().filter_map(|range| range.within(length)));
    if parts.is_empty() { Selected::Nothing } else { Selected::Parts(parts) }
}

/// Parts that overlap or are near each other as one, in the place of the first of them.
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

/// `Content-Range` of a part, from its first byte to one past its last (§14.4).
#[must_use]
pub fn content_range(first: u64, end: u64, length: u64) -> String {
    format!("bytes {first}-{}/{length}", end - 1)
}

/// Which part of a representation a response brings, from its first byte to one past its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub first: u64,
    /// One past the last.
    pub end: u64,
    /// How long the whole is.
    pub length: u64,
}

impl Part {
    /// What the `Content-Range` of a 206 says, if it makes sense and says how long the whole is
    /// (§14.4).
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

    /// Whether a response with these fields is as long as the part.
    #[must_use]
    pub fn is_all_of(&self, fields: &Fields) -> bool {
        fields.only(Name::ContentLength).and_then(decimal) == Some(self.end - self.first)
    }
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
    fn a_part_says_where_it_belongs() {
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
    fn too_many_ranges_ask_for_nothing() {
        let many = |n: usize| format!("bytes={}", vec!["0-0"; n].join(","));
        assert!(range(&many(MAX_RANGES)).is_some());
        assert_eq!(range(&many(MAX_RANGES + 1)), None);
    }

    #[test]
    fn what_is_near_becomes_one_part() {
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
    fn one_range_lies_within_another() {
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
