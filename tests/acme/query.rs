//! Renewal information that a CA gives (RFC 9773).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidegate::acme::renewal::{RenewalInfo, Window};
use tidegate::acme::{AcmeErrorKind, Method, RenewalQuery};

use super::ca::{Ca, DIRECTORY, Reply};
use super::world::{Run, begin, run_with};

const HOUR: Duration = Duration::from_secs(3600);

fn query(ca: &Ca, reply: &Reply) -> Run<Option<RenewalInfo>> {
    let mut query = RenewalQuery::new(DIRECTORY, "AAAA.BBBB").unwrap();
    run_with(&mut query, |request, _| {
        assert_eq!((request.method, request.body.len()), (Method::Get, 0));
        let is_directory = request.url == DIRECTORY;
        Some(if is_directory { Reply::json(200, &ca.directory) } else { reply.clone() })
    })
}

fn window(start: &str, end: &str) -> Value {
    json!({ "suggestedWindow": { "start": start, "end": end }, "explanationURL": "https://ca.example/x" })
}

#[test]
fn window_is_fetched() {
    let body = window("2025-01-02T04:00:00Z", "2025-01-03T04:00:00Z");
    let run = query(&Ca::new(), &Reply::json(200, &body).retry_after("21600"));
    assert_eq!(run.paths, ["directory", "renewal/AAAA.BBBB"]);
    let start = UNIX_EPOCH + Duration::from_secs(1_735_790_400);
    let info = run.result.unwrap().unwrap();
    assert_eq!(info.window, Window { start, end: start + 24 * HOUR });
    assert_eq!(info.explanation.as_deref(), Some("https://ca.example/x"));
    assert_eq!(info.poll_at, begin() + 6 * HOUR);
}

#[test]
fn ca_without_renewal_information_has_no_window() {
    let mut ca = Ca::new();
    ca.directory["renewalInfo"] = Value::Null;
    let run = query(&ca, &Reply::default());
    assert_eq!((run.result, run.paths.len()), (Ok(None), 1));
}

#[test]
fn failures_are_told() {
    let run = query(&Ca::new(), &Reply::problem(404, "malformed", "unknown").retry_after("60"));
    let error = run.result.unwrap_err();
    assert_eq!(error.kind, AcmeErrorKind::Refused);
    assert_eq!(error.retry_after, Some(begin() + HOUR / 60));
    let mut query = RenewalQuery::new(DIRECTORY, "A.B").unwrap();
    let error = run_with(&mut query, |_, _| None).result.unwrap_err();
    assert_eq!(error.to_string(), "renewal information: no response: connection refused");
    assert!(RenewalQuery::new("ca.example", "A.B").is_err());
}

/// Returns the start of a window as seconds.
fn start(text: &str) -> Option<u64> {
    let body = window(text, "2030-01-01T00:00:00Z").to_string();
    let info = RenewalInfo::read(body.as_bytes(), None, begin()).ok()?;
    Some(info.window.start.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn times_are_those_of_rfc_3339() {
    let same = [
        "2025-01-02T04:00:00Z",
        "2025-01-02t04:00:00z",
        "2025-01-02T04:00:00.123456789Z",
        "2025-01-02T05:30:00+01:30",
        "2025-01-02T03:00:00.5-01:00",
    ];
    for text in same {
        assert_eq!(start(text), Some(1_735_790_400), "{text}");
    }
    let wrong = [
        "",
        "Z",
        "2025-01-02",
        "2025-01-02T04:00:00",
        "2025-13-02T04:00:00Z",
        "2025-01-02T04:00:00+1",
        "2025-01-02T04:00:00+01:3",
        "2025-01-02T04:00:00 01:00",
        "2025-01-02T04:00:00\u{e9}01:00",
        "2031-01-01T00:00:00Z",
        "2025-01-02T04:00:0\u{e9}Z",
    ];
    for text in wrong {
        assert_eq!(start(text), None, "{text}");
    }
}
