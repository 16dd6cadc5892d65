//! Checks of the transfer: time to the first byte, compression, clocks.

use std::time::{Duration, SystemTime};

use crate::coding::MediaRange;
use crate::http::{BodyLength, Name, Status, date};
use crate::time::write_span;

use super::finding::{Finding, Fix, Place, Word};
use super::observations::{Exchange, Observations, OriginAsk, Probe};

/// Longest time to the first byte of a page that counts as fast.
const FAST: Duration = Duration::from_millis(800);
/// Least length of text in bytes that is worth a compression.
const LONG: u64 = 1024;
/// Least difference of two clocks that is reported.
const APART: Duration = Duration::from_secs(10);

/// Returns what is wrong with the transfer of the page and its parts.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let responses = seen.page().into_iter().chain(&seen.assets);
    let mut found: Vec<Finding> = responses.filter_map(uncompressed).collect();
    found.extend(slow(seen));
    found.extend(clock(seen));
    found
}

/// Returns the finding of a text that was sent without compression.
fn uncompressed(exchange: &Exchange) -> Option<Finding> {
    let length = match exchange.response.body_length() {
        BodyLength::Known(length) => length,
        _ => exchange.content.len() as u64,
    };
    let media_type = exchange.media_type();
    if exchange.status() != Status::OK
        || exchange.is_coded()
        || length < LONG
        || !MediaRange::any_covers(&[], media_type.as_bytes())
    {
        return None;
    }
    let at_least = if exchange.is_whole { "" } else { "at least " };
    let seen =
        format!("{} sends {at_least}{length} bytes of {media_type} as they are", exchange.url);
    let fixes = vec![
        Fix::application(
            "Content-Encoding: gzip",
            "with the content compressed by gzip, and Vary: Accept-Encoding, for clients that accept it",
        ),
        Fix::tidegate("compress = 'on'", "in the site"),
    ];
    Some(Finding::new(Word::NoCompression, seen, fixes))
}

/// Returns the finding of a page that is slow each time.
fn slow(seen: &Observations) -> Option<Finding> {
    let (page, again) = (seen.page()?, seen.probe(Probe::Again)?);
    let wait = page.wait().min(again.wait());
    if wait <= FAST {
        return None;
    }
    let mut evidence = format!("{} takes {} ms each time", page.url, wait.as_millis());
    let of_origin = seen.origin.as_ref().and_then(|origin| origin.answer(OriginAsk::AsProxy));
    if let Some(answer) = of_origin {
        evidence.push_str(&format!("; its origin alone {} ms", answer.wait().as_millis()));
    }
    let mut fixes = Vec::new();
    if seen.is_page_shared() {
        fixes.push(Fix::tidegate(
            "cache = '1m'",
            "in the route of the page, which is the same for all clients",
        ));
    }
    fixes.push(Fix::application(
        "an answer within 800 ms",
        "see where the application spends its time",
    ));
    Some(Finding::new(Word::SlowFirstByte, evidence, fixes))
}

/// Returns the finding of a clock that is not that of this machine. The answer of an origin says more
/// than that of a cache before it.
fn clock(seen: &Observations) -> Option<Finding> {
    let of_origin = seen.origin.as_ref().and_then(|origin| origin.answer(OriginAsk::AsProxy));
    let answer = of_origin.or_else(|| seen.probe(Probe::Uncached))?;
    let said = answer.value(Name::Date)?;
    let age = answer.value(Name::Age).and_then(|age| age.parse().ok()).unwrap_or_default();
    let now_there = date::parse_relaxed(said.as_bytes())? + Duration::from_secs(age);
    let (difference, direction) = apart(now_there, answer)?;
    let seen = format!(
        "{} answers with Date: {said}, {} {direction} the clock of this machine",
        answer.url,
        write_span(difference)
    );
    let fix = Fix::new(
        Place::Shell,
        "timedatectl set-ntp true",
        "on the server, or on this machine: one of the two clocks is wrong",
    );
    Some(Finding::new(Word::Clock, seen, vec![fix]))
}

/// Returns how far a clock is from this machine's time of an exchange, if that is too far.
fn apart(there: SystemTime, answer: &Exchange) -> Option<(Duration, &'static str)> {
    let ahead = there.duration_since(answer.answered.wall).ok();
    let behind = answer.sent.wall.duration_since(there).ok();
    let far = |difference: &Duration| *difference > APART;
    let ahead = ahead.filter(far).map(|difference| (difference, "ahead of"));
    ahead.or_else(|| behind.filter(far).map(|difference| (difference, "behind")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{delayed, exchange, now, observations};

    const URL: &str = "http://shop.example/";

    fn words(seen: &Observations) -> Vec<Word> {
        check(seen).into_iter().map(|finding| finding.word).collect()
    }

    #[test]
    fn long_text_without_compression_is_found() {
        for (fields, length, expected) in [
            ("Content-Type: text/html\r\n", 2000, true),
            ("Content-Type: text/html\r\nContent-Encoding: br\r\n", 2000, false),
            ("Content-Type: image/svg+xml; charset=utf-8\r\n", 2000, true),
            ("Content-Type: image/png\r\n", 2000, false),
            ("Content-Type: text/css\r\n", 1000, false),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{}", "x".repeat(length));
            let found = words(&observations(exchange(URL, &text)));
            assert_eq!(found == [Word::NoCompression], expected, "{fields}");
        }
    }

    #[test]
    fn pages_are_slow_if_each_answer_is() {
        let page =
            |wait| delayed(exchange(URL, "HTTP/1.1 200 OK\r\n\r\n"), Duration::from_millis(wait));
        for (first, again, expected) in [(900, 1000, true), (900, 5, false), (5, 900, false)] {
            let mut seen = observations(page(first));
            seen.probes.push((Probe::Again, page(again)));
            assert_eq!(words(&seen) == [Word::SlowFirstByte], expected);
        }
    }

    #[test]
    fn clocks_are_compared_with_regard_to_the_age() {
        for (offset, age, expected) in
            [(0_i64, 0, false), (5, 0, false), (60, 0, true), (-60, 0, true), (-60, 60, false)]
        {
            let there = match u64::try_from(offset) {
                Ok(ahead) => now().wall + Duration::from_secs(ahead),
                Err(_) => now().wall - Duration::from_secs(offset.unsigned_abs()),
            };
            let text =
                format!("HTTP/1.1 200 OK\r\nDate: {}\r\nAge: {age}\r\n\r\n", date::format(there));
            let mut seen = observations(exchange(URL, "HTTP/1.1 200 OK\r\n\r\n"));
            seen.probes.push((Probe::Uncached, exchange(URL, &text)));
            assert_eq!(words(&seen) == [Word::Clock], expected, "{offset} {age}");
        }
    }
}
