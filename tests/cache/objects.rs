//! Stored responses: the requests they answer, and the parts they are combined with.

use std::net::{IpAddr, Ipv4Addr};

use tidegate::cache::{Content, Extents, Object};
use tidegate::http::Status;

use super::model::{at, present, stored};

const LENGTH: u64 = 1000;
const STRONG: &str = "ETag: \"a\"";

/// Returns the bytes from `first` up to `end` of content of this length.
fn content(first: u64, end: u64, length: u64) -> Extents {
    let mut content = Content::default();
    content.restart(first);
    content.push((first..end).map(|_| 0).collect());
    Extents::of(content, length)
}

/// Returns a response with this field line that stores these bytes of its content.
fn part(line: &str, first: u64, end: u64) -> Object {
    let response = format!("200 | Cache-Control: max-age=60 | {line}");
    let mut object = stored(&mut present("GET"), &response, 0).unwrap();
    object.content = content(first, end, LENGTH);
    object
}

#[test]
fn response_is_completed_for_requests_of_one_range() {
    let object = part(STRONG, 0, 10);
    let wanted = |request| object.wanted_by(present(request).head());
    assert_eq!(wanted("GET"), Some((0, LENGTH)));
    assert_eq!(wanted("GET | Range: bytes=5-19"), Some((5, 20)));
    for other in [
        "HEAD",
        "GET | Content-Length: 1",
        "GET | If-None-Match: \"b\"",
        "GET | If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT",
        "GET | If-Match: \"a\"",
        "GET | Range: bytes=0-1, 500-501",
        "GET | Range: bytes=2000-",
    ] {
        assert_eq!(wanted(other), None, "{other}");
    }
    object.give_up_completing();
    assert_eq!(object.wanted_by(present("GET").head()), None);
}

#[test]
fn parts_are_combined_only_within_one_representation() {
    let (older, newer) = (part(STRONG, 0, 10), part(STRONG, 500, 510));
    let combined = newer.combined_with(&older).unwrap();
    assert_eq!((combined.content.stored_bytes(), combined.content.parts().len()), (20, 2));
    let (mut missing, mut shorter) = (part(STRONG, 0, 10), part(STRONG, 0, 10));
    missing.status = Status::NOT_FOUND;
    shorter.content = content(0, 10, LENGTH - 1);
    for (other, difference) in [
        (missing, "status"),
        (shorter, "length"),
        (part("ETag: \"b\"", 0, 10), "entity tag"),
        (part("ETag: W/\"a\"", 0, 10), "weak entity tag"),
        (part("X: none", 0, 10), "no entity tag"),
    ] {
        assert!(newer.combined_with(&other).is_none(), "{difference}");
    }
}

#[test]
fn parts_from_two_addresses_are_combined_unless_one_forbids_merging() {
    let address = |last| Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
    let from =
        |last, apart| part(STRONG, 10 * u64::from(last), 500).fetched_from(address(last), apart);
    let combine = |one: Object, other: Object| one.combined_with(&other).is_some();
    assert!(combine(from(1, false), from(2, false)));
    assert!(!combine(from(1, true), from(2, false)));
    assert!(!combine(from(1, false), from(2, true)));
    assert!(!combine(from(1, true), from(2, true)));
    assert!(combine(from(1, true), from(1, true)), "both come from the same address");
}

#[test]
fn validated_response_answers_waiting_requests_if_usable_selected_and_stored() {
    let response = "200 | Cache-Control: max-age=60 | Vary: Accept";
    let mut object = stored(&mut present("GET | Accept: a"), response, 0).unwrap();
    object.content = content(0, 10, 10);
    let answers = |object: &Object, request: &str, unsent, seconds| {
        object.answers(&mut present(request), unsent, at(seconds).mono)
    };
    assert!(answers(&object, "GET | Accept: a", false, 1));
    assert!(!answers(&object, "GET | Accept: a", false, 61), "the response is stale");
    assert!(
        answers(&object, "GET | Accept: a", true, 61),
        "the response is newer than the request"
    );
    assert!(!answers(&object, "GET | Accept: b", true, 1), "Vary selects it for other requests");
    object.content = content(0, 10, 20);
    assert!(!answers(&object, "GET | Accept: a", true, 1), "content is missing");
    assert!(answers(&object, "GET | Accept: a | Range: bytes=0-9", true, 1));
}

#[test]
fn response_weight_includes_its_content() {
    let mut object = part(STRONG, 0, 0);
    let without = object.weight();
    let mut content = content(0, 1, LENGTH);
    for first in (2..40).step_by(2) {
        self::content(first, first + 1, LENGTH).parts().iter().for_each(|part| content.add(part));
    }
    object.content = content;
    assert_eq!(object.weight(), without + object.content.weight());
}
