//! Dates in fields (RFC 9110 §5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a date in any of the three formats; `None` if it is in none of them.
#[must_use]
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

/// Writes a date as IMF-fixdate, the format that is generated.
#[must_use]
pub fn format(time: SystemTime) -> String {
    // The formatter knows no year beyond 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    httpdate::fmt_http_date(time.clamp(UNIX_EPOCH, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_formats_are_read_and_the_first_is_written() {
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
    fn anything_else_is_no_date() {
        for text in
            ["", "0", "-1", "Sun, 06 Nov 1994 08:49:37 +0000", "1994-11-06T08:49:37Z", "\u{e4}"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
