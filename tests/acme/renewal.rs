//! Time of renewal, as tables.

use std::time::{Duration, SystemTime};

use tidegate::acme::renewal::{Window, info_url, poll_at, renew_at, retry_at};
use tidegate::x509::CertificateFacts;

use super::world::begin;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CERTIFICATE: &[u8] = include_bytes!("../../fuzz/corpus/x509/p256-addresses.der");

/// Facts of a certificate for 90 days that began at `begin`.
fn facts() -> CertificateFacts {
    let facts = CertificateFacts::of(CERTIFICATE).unwrap();
    CertificateFacts { not_before: begin(), not_after: begin() + 90 * DAY, ..facts }
}

fn after(time: SystemTime) -> Duration {
    time.duration_since(begin()).unwrap()
}

#[test]
fn renewal_falls_into_the_window() {
    let window = Window { start: begin() + 10 * DAY, end: begin() + 12 * DAY };
    let at = |fraction| after(renew_at(&facts(), Some(window), fraction));
    assert_eq!([0.0, 0.5, 1.0].map(at), [10 * DAY, 11 * DAY, 12 * DAY]);
    let odd = [f64::NAN, -1.0, f64::INFINITY].map(at);
    assert!(odd.iter().all(|time| (10 * DAY..=12 * DAY).contains(time)));
    let late = Window { start: begin() + 89 * DAY, end: begin() + 99 * DAY };
    assert_eq!(after(renew_at(&facts(), Some(late), 0.5)), 81 * DAY);
    let reversed = Window { start: begin() + DAY, end: begin() };
    assert_eq!(renew_at(&facts(), Some(reversed), 0.5), reversed.start);
}

#[test]
fn renewal_without_a_window_follows_two_thirds_of_the_lifetime() {
    let at = |fraction| after(renew_at(&facts(), None, fraction));
    assert_eq!(at(0.0), 60 * DAY);
    assert!(at(0.999) > 64 * DAY && at(0.999) < 65 * DAY);
    let short = CertificateFacts { not_after: begin() + 6 * DAY, ..facts() };
    assert_eq!(after(renew_at(&short, None, 0.0)), 4 * DAY);
}

#[test]
fn failures_are_retried_less_and_less_often() {
    let delay = |failures, fraction| after(retry_at(None, failures, None, fraction, begin()));
    let table = [
        (0, MINUTE, MINUTE),
        (1, MINUTE, MINUTE),
        (2, MINUTE, 2 * MINUTE),
        (4, 4 * MINUTE, 8 * MINUTE),
        (9, 128 * MINUTE, 256 * MINUTE),
        (10, 3 * HOUR, 6 * HOUR),
        (u32::MAX, 3 * HOUR, 6 * HOUR),
    ];
    for (failures, least, most) in table {
        assert_eq!(
            [0.0, 1.0].map(|fraction| delay(failures, fraction)),
            [least, most],
            "{failures}"
        );
    }
}

#[test]
fn certificate_that_expires_soon_is_retried_sooner() {
    let delay = |left: Duration| {
        let facts = CertificateFacts { not_after: begin() + left, ..facts() };
        after(retry_at(Some(&facts), 20, None, 1.0, begin()))
    };
    let expired = CertificateFacts { not_after: begin() - DAY, ..facts() };
    assert_eq!(after(retry_at(Some(&expired), 20, None, 1.0, begin())), 6 * HOUR);
    assert_eq!(delay(10 * DAY), 6 * HOUR);
    assert_eq!(delay(10 * HOUR), HOUR);
    assert_eq!(delay(MINUTE), MINUTE);
}

#[test]
fn retry_respects_the_rate_limit_of_the_ca() {
    let until = begin() + 30 * HOUR;
    assert_eq!(retry_at(None, 1, Some(until), 0.0, begin()), until);
    assert_eq!(retry_at(None, 1, Some(begin() - DAY), 0.0, begin()), begin() + MINUTE);
}

#[test]
fn polls_of_the_window_are_bounded() {
    let at = |wish: Option<Duration>| after(poll_at(wish.map(|wish| begin() + wish), begin()));
    assert_eq!(at(None), 6 * HOUR);
    assert_eq!(at(Some(2 * HOUR)), 2 * HOUR);
    assert_eq!(at(Some(Duration::ZERO)), MINUTE);
    assert_eq!(at(Some(70 * DAY)), DAY);
}

#[test]
fn renewal_information_is_below_the_url_of_the_directory() {
    assert_eq!(info_url("https://ca.example/r", "A.B"), "https://ca.example/r/A.B");
    assert_eq!(info_url("https://ca.example/r/", "A.B"), "https://ca.example/r/A.B");
}
