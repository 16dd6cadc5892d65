//! Lifetimes of responses, their sources, and which waiting requests a response answers.

use std::sync::Arc;
use std::time::Duration;

use tidegate::cache::{Cache, FreshnessRule, PurgeScope};

use super::model::{at, cache, present, storable, stored};

const DATE: &str = super::cases::DATE;

/// Returns the freshness lifetime of a response in seconds, and the name of its source.
fn lifetime(response: &str, rules: &[FreshnessRule]) -> (u64, &'static str) {
    let response = format!("{response} | {DATE}");
    let storable = storable(&mut present("GET"), &response, 0, rules).unwrap();
    let (lifetime, said_by) = storable.freshness.lifetime();
    (lifetime.as_secs(), said_by.name())
}

#[test]
fn lifetime_names_its_source() {
    let no_more_than =
        |seconds| FreshnessRule { max: Some(Duration::from_secs(seconds)), ..Default::default() };
    let modified = "200 | Last-Modified: Wed, 31 Dec 2025 23:59:00 GMT";
    let plain = |response| lifetime(response, &[]);
    assert_eq!(plain("200 | Cache-Control: max-age=60, s-maxage=50"), (50, "s-maxage"));
    assert_eq!(plain("200 | Cache-Control: max-age=60"), (60, "max-age"));
    assert_eq!(plain("200 | Expires: Thu, 01 Jan 2026 00:00:09 GMT"), (9, "expires"));
    assert_eq!(plain("200 | ETag: \"a\""), (0, "nothing"));
    assert_eq!(plain(modified), (6, "last-modified"));
    assert_eq!(lifetime(modified, &[no_more_than(6)]), (6, "last-modified"));
    assert_eq!(lifetime(modified, &[no_more_than(5)]), (5, "rule"));
}

#[test]
fn soft_purge_ends_the_lifetime_of_a_fresh_response() {
    for (purged_at, expected) in [(5, (5, "purge")), (60, (60, "max-age")), (99, (60, "max-age"))] {
        let mut cache: Cache<u8> = cache();
        let key = cache.keys().key(&"http://h/a".into());
        let object = stored(&mut present("GET"), "200 | Cache-Control: max-age=60", 0).unwrap();
        cache.update(&key, &Arc::new(object));
        let mut purge = cache.purge(&PurgeScope::All, true, at(purged_at).mono);
        while !cache.run_slice(&mut purge) {}
        let (lifetime, said_by) = cache.stored(&key).next().unwrap().freshness().lifetime();
        assert_eq!((lifetime.as_secs(), said_by.name()), expected, "purged after {purged_at} s");
    }
}

#[test]
fn response_answers_waiting_requests_that_accept_it() {
    let object = stored(&mut present("GET"), "200 | Cache-Control: max-age=10", 0).unwrap();
    for (request, seconds, sent, unsent) in [
        ("GET", 5, true, true),
        ("GET", 15, false, true),
        ("GET | Cache-Control: max-stale", 15, true, true),
        ("GET | Cache-Control: no-cache", 5, false, true),
        ("GET | Cache-Control: max-age=0", 5, false, true),
        ("GET | Cache-Control: max-age=3", 5, false, false),
        ("GET | Cache-Control: min-fresh=6", 5, false, false),
    ] {
        let answers = |unsent| object.answers(&mut present(request), unsent, at(seconds).mono);
        assert_eq!((answers(false), answers(true)), (sent, unsent), "{request} after {seconds} s");
    }
}

#[test]
fn response_unusable_for_other_requests_is_not_waited_for() {
    for (control, answers) in [
        ("max-age=60", true),
        ("max-age=60, no-cache", false),
        ("max-age=0", false),
        ("max-age=60, private=\"x\"", false),
        ("max-age=0, private=\"x\"", false),
    ] {
        let response = format!("200 | Cache-Control: {control} | ETag: \"a\"");
        let storable = storable(&mut present("GET"), &response, 0, &[]).unwrap();
        assert_eq!(storable.answers_some(at(0).mono), answers, "{control}");
    }
}
