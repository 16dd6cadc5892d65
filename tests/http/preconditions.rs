//! Validators and preconditions: lists, repeated fields and malformed values.

use tidegate::http::Fields;
use tidegate::http::cond::{EntityTag, Validators, has_write_precondition, is_conditional};

use super::support::fields;

const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn not_modified(response: &[(&str, &str)], request: &[(&str, &str)]) -> bool {
    let response: Fields = fields(response);
    Validators::of(&response).not_modified(&fields(request))
}

#[test]
fn entity_tags_are_compared_strongly_or_weakly() {
    let tag = |text: &'static str| EntityTag::parse(text.as_bytes()).unwrap();
    for (one, other, strongly, weakly) in [
        ("\"1\"", "\"1\"", true, true),
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("\"a\"", "\"A\"", false, false),
    ] {
        assert_eq!(tag(one).matches_strongly(tag(other)), strongly, "{one} {other}");
        assert_eq!(tag(other).matches_weakly(tag(one)), weakly, "{one} {other}");
    }
}

#[test]
fn malformed_entity_tag_is_rejected() {
    for text in
        [&b"\""[..], b"W/", b"W/\"", b"\"a", b"a\"", b"\"\x7f\"", b"\"\t\"", b" \"a\"", b"*"]
    {
        assert_eq!(EntityTag::parse(text), None, "{}", text.escape_ascii());
    }
    assert!(EntityTag::parse(b"\"\xe4!#~\\\"").is_some());
}

#[test]
fn malformed_entity_tag_in_a_list_hides_no_other() {
    let response = [("ETag", "\"a\"")];
    assert!(not_modified(&response, &[("If-None-Match", "x, , \"a\"")]));
    assert!(!not_modified(&response, &[("If-None-Match", "a, 'a', \"a")]));
    assert!(!not_modified(&response, &[("If-None-Match", "")]));
    assert!(!not_modified(&response, &[("If-None-Match", "\"*\"")]));
}

#[test]
fn entity_tag_with_a_comma_is_one_tag() {
    assert!(not_modified(&[("ETag", "\"a,b\"")], &[("If-None-Match", "\"x\", \"a,b\"")]));
    assert!(!not_modified(&[("ETag", "\"b\"")], &[("If-None-Match", "\"a,\"b\"\"")]));
}

#[test]
fn repeated_validator_of_a_response_is_ignored() {
    let two_tags = [("ETag", "\"a\""), ("ETag", "\"a\"")];
    assert!(!not_modified(&two_tags, &[("If-None-Match", "\"a\"")]));
    assert!(not_modified(&two_tags, &[("If-None-Match", "*")]));
    let two_dates = [("Last-Modified", MODIFIED), ("Last-Modified", MODIFIED)];
    assert!(!not_modified(&two_dates, &[("If-Modified-Since", MODIFIED)]));
}

#[test]
fn dates_are_compared_by_the_second_and_repeated_ones_ignored() {
    let response = [("Last-Modified", MODIFIED)];
    assert!(not_modified(&response, &[("If-Modified-Since", MODIFIED)]));
    assert!(not_modified(&response, &[("If-Modified-Since", "Thursday, 01-Jan-26 00:00:00 GMT")]));
    let twice = [("If-Modified-Since", MODIFIED), ("If-Modified-Since", MODIFIED)];
    assert!(!not_modified(&response, &twice));
    assert!(!not_modified(&[], &[("If-Modified-Since", MODIFIED)]));
    assert!(!not_modified(&response, &[]));
}

#[test]
fn range_applies_only_if_if_range_matches() {
    let response = fields(&[("ETag", "W/\"a\""), ("Last-Modified", MODIFIED)]);
    let applies = |lines: &[(&str, &str)]| Validators::of(&response).range_applies(&fields(lines));
    assert!(applies(&[]));
    assert!(!applies(&[("If-Range", "W/\"a\"")]), "a weak tag does not identify bytes");
    assert!(!applies(&[("If-Range", "\"a\"")]));
    assert!(
        !applies(&[("If-Range", MODIFIED)]),
        "without Date, the date is not a strong validator"
    );
    assert!(!applies(&[("If-Range", "soon")]));
    assert!(!applies(&[("If-Range", MODIFIED), ("If-Range", MODIFIED)]));
}

#[test]
fn read_and_write_preconditions_are_distinguished() {
    for name in ["If-Match", "If-Unmodified-Since"] {
        assert!(
            has_write_precondition(&fields(&[(name, "x")]))
                && !is_conditional(&fields(&[(name, "x")]))
        );
    }
    for name in ["If-None-Match", "If-Modified-Since"] {
        assert!(
            is_conditional(&fields(&[(name, "x")]))
                && !has_write_precondition(&fields(&[(name, "x")]))
        );
    }
    assert!(!is_conditional(&fields(&[("If-Range", "x")])));
}

#[test]
fn not_modified_applies_to_the_response_with_its_validators() {
    let later = "Thu, 01 Jan 2026 00:00:01 GMT";
    for (stored, named, about) in [
        (("ETag", "\"a\""), ("ETag", "\"a\""), true),
        (("ETag", "\"a\""), ("ETag", "\"b\""), false),
        (("ETag", "\"a\""), ("ETag", "W/\"a\""), true),
        (("ETag", "W/\"a\""), ("ETag", "W/\"a\""), true),
        (("ETag", "W/\"a\""), ("ETag", "\"a\""), false), // a strong tag identifies other bytes
        (("ETag", "W/\"a\""), ("ETag", "W/\"b\""), false),
        (("A", "b"), ("ETag", "\"a\""), false),
        (("A", "b"), ("ETag", "W/\"a\""), true),
        (("ETag", "\"a\""), ("A", "b"), true),
        (("Last-Modified", MODIFIED), ("Last-Modified", MODIFIED), true),
        (("Last-Modified", MODIFIED), ("Last-Modified", later), false),
        (("A", "b"), ("Last-Modified", MODIFIED), false),
    ] {
        let response = fields(&[stored]);
        let validators = Validators::of(&response);
        assert_eq!(validators.are_those_of(&fields(&[named])), about, "{stored:?} {named:?}");
    }
}

#[test]
fn equal_strong_validators_identify_the_same_bytes() {
    let (modified, date) = (("Last-Modified", MODIFIED), ("Date", "Thu, 01 Jan 2026 00:01:00 GMT"));
    let earlier = ("Last-Modified", "Wed, 31 Dec 2025 23:59:59 GMT");
    let tag = ("ETag", "\"a\"");
    for (one, other, same) in [
        (&[modified, date][..], &[modified, date][..], true),
        (&[modified, date], &[earlier, date], false),
        (&[modified], &[modified], false), // without Date, Last-Modified is not a strong validator
        (&[date], &[date], false),
        (&[tag], &[tag], true),
        (&[tag], &[("ETag", "W/\"a\"")], false),
        (&[tag, modified, date], &[modified, date], false),
    ] {
        let [one, other] = [one, other].map(fields);
        let are = Validators::of(&one).are_strongly(&Validators::of(&other));
        assert_eq!(are, same, "{one:?} {other:?}");
    }
}
