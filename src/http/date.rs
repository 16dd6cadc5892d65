//! Dates in fields (RFC 9110 §5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Parses a date in any of the three formats. `None` if it matches none.
#[must_use]
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

/// Parses a date as caches do: the names of days and months, and `GMT`, may be in any case (RFC
/// 9111 §4.2), and the day of the week may be wrong.
#[must_use]
pub fn parse_relaxed(text: &[u8]) -> Option<SystemTime> {
    parse(text).or_else(|| on_some_day(std::str::from_utf8(text).ok()?))
}

/// Parses a date whose day of the week may be wrong.
fn on_some_day(text: &str) -> Option<SystemTime> {
    let (day, rest) = text.split_at(text.find([',', ' '])?);
    let days = DAYS.map(|name| if day.len() == 3 { &name[..3] } else { name });
    if !days.iter().any(|name| name.eq_ignore_ascii_case(day)) {
        return None;
    }
    let rest = capitalized(rest);
    days.iter().find_map(|name| parse([name, &*rest].concat().as_bytes()))
}

/// Returns the text with each word capitalised, and `GMT` in capitals.
fn capitalized(text: &str) -> String {
    let mut out = text.to_ascii_lowercase();
    for (at, _) in text.match_indices([' ', '-']) {
        // Separators are not changed by this.
        if let Some(start) = out.get_mut(at..at + 2) {
            start.make_ascii_uppercase();
        }
    }
    match out.strip_suffix(" Gmt") {
        Some(rest) => [rest, " GMT"].concat(),
        None => out,
    }
}

/// Formats a date as IMF-fixdate, the format in which dates are generated.
#[must_use]
pub fn format(time: SystemTime) -> String {
    // The formatter supports no year after 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    httpdate::fmt_http_date(time.clamp(UNIX_EPOCH, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_formats_are_parsed_and_imf_fixdate_is_written() {
        let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(time), "{text}");
        }
        assert_eq!(format(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn relaxed_dates_ignore_case_and_the_day_of_the_week() {
        let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "SUN, 06 nov 1994 08:49:37 gmt",
            "Fri, 06 Nov 1994 08:49:37 GMT",
            "monday, 06-NOV-94 08:49:37 Gmt",
            "tue nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_relaxed(text.as_bytes()), Some(time), "{text}");
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn other_formats_are_rejected() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sonntag, 06-Nov-94 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "\u{e4}, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
            assert_eq!(parse_relaxed(text.as_bytes()), None, "{text}");
        }
    }
}
