//! Test cases of the requirements: a request, its response, a second request some seconds later,
//! and the outcome.

use super::model::outcome;

pub(crate) const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT";

/// Requirement (its name in `requirements.txt`); request; response; seconds until the second
/// request; second request; outcome.
type Case = (&'static str, &'static str, &'static str, u64, &'static str, &'static str);

const FRESH: &str = "fresh, age 5";

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    // §3
    ("3 method", "PUT", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: method"),
    ("3 method", "HEAD", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: method"),
    ("3 method", "PROPFIND", "207 | Cache-Control: max-age=60", 5, "GET", "not stored: method"),
    ("3 understood", "GET", "299 | Cache-Control: max-age=60, must-understand", 5, "GET", "not stored: status"),
    ("3 understood", "GET", "200 | Cache-Control: max-age=60, must-understand, no-store", 5, "GET", FRESH),
    ("3 understood", "GET", "206 | Cache-Control: max-age=60 | Content-Range: bytes 0-0/9", 5, "GET", "not stored: partial"),
    ("3 understood", "GET", "206 | Cache-Control: max-age=60 | ETag: \"a\" | Content-Length: 1 | Content-Range: bytes 0-0/9", 5, "GET", "not stored: partial"),
    ("3 understood", "GET | Expect: 100-continue", "417 | Cache-Control: max-age=60", 5, "GET", "not stored: status"),
    ("3 understood", "GET", "417 | Cache-Control: max-age=60", 5, "GET", FRESH),
    ("3 understood", "GET | If-None-Match: \"a\"", "304 | Cache-Control: max-age=60", 5, "GET", "not stored: status"),
    ("3 no-store", "GET", "200 | Cache-Control: no-store, max-age=60", 5, "GET", "not stored: no-store"),
    ("3 no-store", "GET | Cache-Control: no-store", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: no-store"),
    ("3 private", "GET", "200 | Cache-Control: private, max-age=60", 5, "GET", "not stored: private"),
    ("3 authorization", "GET | Authorization: x y", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: authorization"),
    ("3.5 authorization", "GET | Authorization: x y", "200 | Cache-Control: max-age=60, must-revalidate", 5, "GET", FRESH),
    ("3.5 authorization", "GET | Authorization: x y", "200 | Cache-Control: max-age=60, public", 5, "GET", FRESH),
    ("3.5 authorization", "GET | Authorization: x y", "200 | Cache-Control: s-maxage=60", 5, "GET", FRESH),
    ("3 explicit", "GET", "599 | Cache-Control: max-age=60", 5, "GET", FRESH),
    ("3 explicit", "GET", "302 | Expires: Thu, 01 Jan 2026 00:01:00 GMT", 5, "GET", FRESH),
    ("3 explicit", "GET", "302 | Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT", 5, "GET", "not stored: status"),
    ("3 explicit", "GET", "302 | Cache-Control: public | Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT", 5, "GET", FRESH),
    ("3 explicit", "GET", "200", 5, "GET", "not stored: no-freshness"),
    // §4
    ("4 method", "GET", "200 | Cache-Control: max-age=60", 5, "HEAD", FRESH),
    ("4 write through", "GET", "200 | Cache-Control: max-age=60", 5, "POST", "miss: Method"),
    ("4 write through", "GET", "200 | Cache-Control: max-age=60", 5, "DELETE", "miss: Method"),
    ("4 content", "GET", "200 | Cache-Control: max-age=60", 5, "GET | Content-Length: 1", "miss: Method"),
    ("4 content", "GET", "200 | Cache-Control: max-age=60", 5, "HEAD | Transfer-Encoding: chunked", "miss: Method"),
    ("4 content", "GET | Content-Length: 1", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: method"),
    ("4 no-cache", "GET", "200 | Cache-Control: max-age=60, no-cache", 5, "GET", "validate"),
    ("4 age", "GET", "200 | Cache-Control: max-age=60 | Age: 10", 5, "GET", "fresh, age 15"),
    ("4.1 vary", "GET | Accept: a", "200 | Cache-Control: max-age=60 | Vary: Accept", 5, "GET | Accept: b", "miss: Vary"),
    ("4.1 vary", "GET | Accept: a", "200 | Cache-Control: max-age=60 | Vary: Accept", 5, "GET", "miss: Vary"),
    ("4.1 vary", "GET", "200 | Cache-Control: max-age=60 | Vary: Accept", 5, "GET | Accept: b", "miss: Vary"),
    ("4.1 vary", "GET | X: 1 | X: 2", "200 | Cache-Control: max-age=60 | Vary: x", 5, "GET | x: 1,2", FRESH),
    ("4.1 preferences", "GET | Accept-Language: de, en;q=0.5", "200 | Cache-Control: max-age=60 | Vary: Accept-Language | Content-Language: de", 5, "GET | Accept-Language: EN;q=0.50,de", FRESH),
    ("4.1 preferences", "GET | Accept-Language: de, en;q=0.5", "200 | Cache-Control: max-age=60 | Vary: Accept-Language | Content-Language: de", 5, "GET | Accept-Language: de", "miss: Vary"),
    ("4.1 preferences", "GET | Accept-Encoding: gzip", "200 | Cache-Control: max-age=60 | Vary: Accept-Encoding | Content-Encoding: gzip", 5, "GET | Accept-Encoding: gzip, br", "miss: Vary"),
    ("4.1 preferences", "GET | Accept-Encoding: gzip, br", "200 | Cache-Control: max-age=60 | Vary: Accept-Encoding | Content-Encoding: gzip", 5, "GET | Accept-Encoding: gzip", FRESH),
    ("4.1 vary all", "GET", "200 | Cache-Control: max-age=60 | Vary: Accept, *", 5, "GET", "not stored: vary-all"),
    // §4.2
    ("4.2.1 order", "GET", "200 | Cache-Control: max-age=1, s-maxage=60", 5, "GET", FRESH),
    ("4.2.1 order", "GET", "200 | Cache-Control: max-age=60, s-maxage=1 | ETag: \"a\"", 5, "GET", "validate"),
    ("4.2.1 order", "GET", "200 | Cache-Control: max-age=60 | Expires: 0", 5, "GET", FRESH),
    ("4.2.1 expires", "GET", "200 | Date: Thu, 01 Jan 2026 00:00:00 GMT | Expires: Thu, 01 Jan 2026 00:00:09 GMT", 5, "GET", FRESH),
    ("4.2.1 expires", "GET", "200 | ETag: \"a\" | Expires: Thu, 01 Jan 2026 00:00:05 GMT", 5, "GET", "validate"),
    ("4.2.1 expires", "GET", "200 | Date: Thu, 01 Jan 2026 01:00:00 GMT | Expires: Thu, 01 Jan 2026 01:00:09 GMT", 5, "GET", FRESH),
    ("4.2.1 conflict", "GET", "200 | Cache-Control: max-age=60, max-age=1 | ETag: \"a\"", 5, "GET", "validate"),
    ("4.2.1 invalid", "GET", "200 | Cache-Control: max-age=x | ETag: \"a\"", 0, "GET", "validate"),
    ("4.2.2 explicit", "GET", "200 | Cache-Control: max-age=1 | Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT", 5, "GET", "validate"),
    ("4.2.2 tenth", "GET", "200 | Last-Modified: Wed, 31 Dec 2025 23:59:00 GMT", 5, "GET", FRESH),
    ("4.2.2 tenth", "GET", "200 | Last-Modified: Wed, 31 Dec 2025 23:59:00 GMT", 6, "GET", "validate"),
    ("4.2.2 tenth", "GET", "200 | Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", 86_399, "GET", "fresh, age 86399"),
    ("4.2.2 tenth", "GET", "200 | Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", 86_400, "GET", "validate"),
    ("4.2.2 status", "GET", "404 | Last-Modified: Wed, 31 Dec 2025 23:00:00 GMT", 5, "GET", FRESH),
    ("4.2.3 apparent", "GET", "200 | Cache-Control: max-age=60 | Date: Wed, 31 Dec 2025 23:59:30 GMT", 5, "GET", "fresh, age 35"),
    ("4.2.3 apparent", "GET", "200 | Cache-Control: max-age=60 | Age: 3 | Date: Wed, 31 Dec 2025 23:59:30 GMT", 5, "GET", "fresh, age 35"),
    ("4.2.3 apparent", "GET", "200 | Cache-Control: max-age=60 | Date: Thu, 01 Jan 2026 10:00:00 GMT", 5, "GET", FRESH),
    ("4.2.4 prohibited", "GET", "200 | Cache-Control: max-age=1, must-revalidate", 5, "GET | Cache-Control: max-stale", "validate"),
    ("4.2.4 prohibited", "GET", "200 | Cache-Control: max-age=1, proxy-revalidate", 5, "GET | Cache-Control: max-stale", "validate"),
    ("4.2.4 prohibited", "GET", "200 | Cache-Control: s-maxage=1", 5, "GET | Cache-Control: max-stale", "validate"),
    ("4.2.4 prohibited", "GET", "200 | Cache-Control: max-age=1, no-cache", 5, "GET | Cache-Control: max-stale", "validate"),
    ("4.2.4 allowed", "GET", "200 | Cache-Control: max-age=1", 5, "GET", "validate"),
    // §5
    ("5.1 list", "GET", "200 | Cache-Control: max-age=60 | Age: 10, 99", 5, "GET", "fresh, age 15"),
    ("5.1 list", "GET", "200 | Cache-Control: max-age=60 | Age: 10 | Age: 99", 5, "GET", "fresh, age 15"),
    ("5.1 invalid", "GET", "200 | Cache-Control: max-age=60 | Age: -1", 5, "GET", FRESH),
    ("5.1 invalid", "GET", "200 | Cache-Control: max-age=60 | Age: 7.5", 5, "GET", FRESH),
    ("1.2.2 overflow", "GET", "200 | Cache-Control: max-age=60 | Age: 99999999999999999999", 5, "GET", "validate"),
    ("1.2.2 overflow", "GET", "200 | Cache-Control: max-age=99999999999999999999", 5, "GET", FRESH),
    ("5.2 unknown", "GET", "200 | Cache-Control: foo, max-age=60, bar=\"no-store\"", 5, "GET", FRESH),
    ("5.2 case", "GET", "200 | cache-control: MAX-age=60", 5, "GET", FRESH),
    ("5.2 quoted", "GET", "200 | Cache-Control: max-age=\"60\"", 5, "GET", FRESH),
    ("5.2.1.1 max-age", "GET", "200 | Cache-Control: max-age=60", 5, "GET | Cache-Control: max-age=4", "validate as asked"),
    ("5.2.1.1 max-age", "GET", "200 | Cache-Control: max-age=60", 5, "GET | Cache-Control: max-age=5", FRESH),
    ("5.2.1.2 max-stale", "GET", "200 | Cache-Control: max-age=1", 5, "GET | Cache-Control: max-stale=4", "stale, age 5"),
    ("5.2.1.2 max-stale", "GET", "200 | Cache-Control: max-age=1", 5, "GET | Cache-Control: max-stale=3", "validate"),
    ("5.2.1.2 max-stale", "GET", "200 | Cache-Control: max-age=1", 500, "GET | Cache-Control: max-stale", "stale, age 500"),
    ("5.2.1.3 min-fresh", "GET", "200 | Cache-Control: max-age=10", 5, "GET | Cache-Control: min-fresh=5", FRESH),
    ("5.2.1.3 min-fresh", "GET", "200 | Cache-Control: max-age=10", 5, "GET | Cache-Control: min-fresh=6", "validate as asked"),
    ("5.2.1.4 no-cache", "GET", "200 | Cache-Control: max-age=10", 5, "GET | Cache-Control: no-cache", "validate as asked"),
    ("5.2.1.5 no-store", "GET | Cache-Control: no-store", "200 | Cache-Control: max-age=60", 5, "GET", "not stored: no-store"),
    ("5.2.2.1 max-age", "GET", "200 | Cache-Control: max-age=5", 5, "GET", "validate"),
    ("5.2.2.2 must-revalidate", "GET", "200 | Cache-Control: max-age=1, must-revalidate, stale-while-revalidate=60", 5, "GET", "validate"),
    ("5.2.2.4 no-cache", "GET", "200 | Cache-Control: no-cache, max-age=60", 0, "GET", "validate"),
    ("5.2.2.4 no-cache fields", "GET", "200 | Cache-Control: no-cache=\"set-cookie\", max-age=60", 5, "GET", FRESH),
    ("5.2.2.5 no-store", "GET", "200 | Cache-Control: No-Store", 5, "GET", "not stored: no-store"),
    ("5.2.2.7 private", "GET", "200 | Cache-Control: max-age=60, private=token", 5, "GET", "not stored: private"),
    ("5.2.2.7 private fields", "GET", "200 | Cache-Control: private=\"x\", max-age=60", 5, "GET", FRESH),
    ("5.2.2.8 proxy-revalidate", "GET", "200 | Cache-Control: max-age=1, proxy-revalidate", 5, "GET", "validate"),
    ("5.2.2.9 public", "GET | Authorization: x y", "200 | Cache-Control: public, max-age=60", 5, "GET", FRESH),
    ("5.2.2.10 s-maxage", "GET", "200 | Cache-Control: s-maxage=60, max-age=0 | Expires: 0", 5, "GET", FRESH),
    ("5.2.3 extension", "GET", "200 | Cache-Control: private, community=\"UCI\"", 5, "GET", "not stored: private"),
    ("5.3 invalid", "GET", "200 | Expires: 0 | ETag: \"a\"", 0, "GET", "validate"),
    ("5.3 invalid", "GET", "200 | Expires: tomorrow | ETag: \"a\"", 0, "GET", "validate"),
    ("5.3 invalid", "GET", "200 | Expires: Thu, 01 Jan 2026 00:01:00 +0000 | ETag: \"a\"", 0, "GET", "validate"),
    ("5.4 pragma", "GET", "200 | Cache-Control: max-age=60", 5, "GET | Pragma: no-cache", "validate as asked"),
    ("5.4 pragma", "GET", "200 | Cache-Control: max-age=60", 5, "GET | Pragma: no-cache | Cache-Control: max-age=60", FRESH),
    // §7
    ("7.3 cookies", "GET", "200 | Cache-Control: max-age=60 | Set-Cookie: a=b", 5, "GET", "not stored: set-cookie"),
    ("7.3 cookies", "GET", "200 | Cache-Control: public, max-age=60 | Set-Cookie: a=b", 5, "GET", FRESH),
    ("7.3 cookies", "GET", "200 | Cache-Control: s-maxage=60 | Set-Cookie: a=b", 5, "GET", FRESH),
    ("7.3 cookies", "GET", "200 | CDN-Cache-Control: max-age=60 | Set-Cookie: a=b", 5, "GET", FRESH),
    ("7.3 cookies", "GET", "200 | Cache-Control: max-age=60, private=\"set-cookie\" | Set-Cookie: a=b", 5, "GET", FRESH),
    ("7.3 cookies", "GET", "200 | Cache-Control: max-age=60, private=\"x\" | Set-Cookie: a=b", 5, "GET", "not stored: set-cookie"),
    // RFC 5861, RFC 9213
    ("rfc5861 3", "GET", "200 | Cache-Control: max-age=1, stale-while-revalidate=5", 5, "GET", "stale while revalidating, age 5"),
    ("rfc5861 3", "GET", "200 | Cache-Control: max-age=1, stale-while-revalidate=4", 5, "GET", "validate"),
    ("rfc5861 3", "GET", "200 | Cache-Control: max-age=1, stale-while-revalidate=60", 5, "HEAD", "validate"),
    ("5.2.1.1 max-age", "GET", "200 | Cache-Control: max-age=1, stale-while-revalidate=60", 5, "GET | Cache-Control: max-age=9", "validate"),
    ("5.2.1.3 min-fresh", "GET", "200 | Cache-Control: max-age=1, stale-while-revalidate=60", 5, "GET | Cache-Control: min-fresh=0", "validate"),
    ("rfc9213 2.2", "GET", "200 | CDN-Cache-Control: max-age=60 | Cache-Control: no-store | Expires: 0", 5, "GET", FRESH),
    ("rfc9213 2.2", "GET", "200 | CDN-Cache-Control: max-age=60;a=b, MAX | Cache-Control: no-store", 5, "GET", "not stored: no-store"),
];

#[test]
fn every_case_ends_as_required() {
    let failed = CASES.iter().filter_map(|&(of, request, response, after, again, expected)| {
        // Cases with a `Date` are about dates; all others get the default.
        let dated = match response.contains("Date:") {
            true => response.to_owned(),
            false => format!("{response} | {DATE}"),
        };
        let found = outcome(request, &dated, after, again);
        (found != expected)
            .then(|| format!("{of}: {request} -> {response} -> {again}: {found}, not {expected}"))
    });
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}

#[test]
fn response_with_too_long_tags_is_not_stored() {
    let tagged = |length: usize| {
        let tag = "x".repeat(length);
        outcome(
            "GET",
            &format!("200 | Cache-Control: max-age=60 | Cache-Tag: {tag} | {DATE}"),
            5,
            "GET",
        )
    };
    assert_eq!(tagged(1024), FRESH);
    assert_eq!(tagged(1025), "not stored: tags");
}
