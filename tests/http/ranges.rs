//! Byte ranges and lists at their limits.

use proptest::prelude::*;
use tidegate::http::list::{self, Elements};
use tidegate::http::range::{self, ByteRange};

use super::support::fields;

#[test]
fn repeated_range_field_is_ignored() {
    let twice = fields(&[("Range", "bytes=0-1"), ("Range", "bytes=0-1")]);
    assert_eq!(range::parse(&twice), None);
    assert_eq!(range::parse(&fields(&[])), None);
}

#[test]
fn white_space_and_empty_elements_between_ranges_are_ignored() {
    let spaced = fields(&[("Range", "bytes= 0-1 ,, 5- ,\t-3,")]);
    let expected =
        vec![ByteRange::From(0, Some(1)), ByteRange::From(5, None), ByteRange::Suffix(3)];
    assert_eq!(range::parse(&spaced), Some(expected));
    for value in ["bytes =0-1", "bytes=0 -1", "bytes=0- 1", "bytes=0-1;x", "bytes=0-1-2", "bytes=-"]
    {
        assert_eq!(range::parse(&fields(&[("Range", value)])), None, "{value}");
    }
}

#[test]
fn content_range_names_first_and_last_byte() {
    assert_eq!(range::content_range(0, 1, 10), "bytes 0-0/10");
    assert_eq!(range::content_range(5, 10, 10), "bytes 5-9/10");
    assert_eq!(range::unsatisfied(0), "bytes */0");
}

#[test]
fn search_outside_quotes_skips_quoted_bytes() {
    assert_eq!(list::unquoted(b"a\"b;\"c;d", b';'), Some(6));
    assert_eq!(list::unquoted(b"\"\\\";\";", b';'), Some(5));
    assert_eq!(list::unquoted(b"\";", b';'), None);
    assert_eq!(
        list::unquoted(b"\\;", b';'),
        Some(1),
        "outside quotes, a backslash has no special meaning"
    );
    assert_eq!(
        list::unquoted(b"\\\";\"", b';'),
        None,
        "a backslash outside quotes does not escape a quote"
    );
    assert_eq!(list::unquoted(b"a\"b\"", b'"'), None, "quotes belong to the quoted string");
}

#[test]
fn tokens_have_at_least_one_byte() {
    assert!(list::is_token(b"a"));
    assert!(!list::is_token(b""));
    assert!(!list::is_token(b"a b"));
}

proptest! {
    #[test]
    fn resolved_range_lies_within_the_content(
        first in any::<u64>(), last in any::<u64>(), length in any::<u64>(),
    ) {
        let (first, last) = (first.min(last), first.max(last));
        let ranges =
            [ByteRange::From(first, Some(last)), ByteRange::From(first, None), ByteRange::Suffix(last)];
        for range in ranges {
            if let Some((start, end)) = range.within(length) {
                prop_assert!(start < end && end <= length);
            }
        }
    }

    #[test]
    fn joined_list_elements_parse_to_the_same_elements(text in "[ab,\"\\\\ \t]{0,20}") {
        let elements: Vec<&[u8]> = Elements::of(text.as_bytes()).collect();
        prop_assert!(elements.iter().all(|e| !e.is_empty() && e.trim_ascii() == *e));
        let joined = elements.join(&b", "[..]);
        prop_assert_eq!(Elements::of(&joined).collect::<Vec<_>>(), elements);
    }
}
