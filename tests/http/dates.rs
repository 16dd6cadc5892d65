//! Dates at their limits.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use tidegate::http::date;

#[test]
fn times_out_of_range_are_clamped() {
    let year_9999 = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    assert_eq!(date::format(year_9999), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(date::format(year_9999 + Duration::from_secs(1)), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(date::format(UNIX_EPOCH - Duration::from_secs(1)), "Thu, 01 Jan 1970 00:00:00 GMT");
}

#[test]
fn invalid_dates_are_rejected() {
    for text in [
        "Thu, 30 Feb 2026 00:00:00 GMT",
        "Thu, 01 Jan 2026 24:00:00 GMT",
        "Thu, 01 Jan 2026 00:60:00 GMT",
        "Thu, 00 Jan 2026 00:00:00 GMT",
        "Thu, 01 Jan 1969 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:00",
        "Thu, 01 Jan 2026 00:00:00 UTC",
        "thu, 01 jan 2026 00:00:00 gmt",
    ] {
        assert_eq!(date::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(date::parse(b"Thu, 01 Jan 2026 00:00:00 GMT\xff"), None);
}

#[test]
fn leap_day_is_accepted() {
    let leap_day = date::parse(b"Thu, 29 Feb 2024 12:00:00 GMT").unwrap();
    assert_eq!(leap_day, UNIX_EPOCH + Duration::from_secs(1_709_208_000));
}

proptest! {
    #[test]
    fn formatted_date_parses_to_the_same_second(seconds in 0u64..253_402_300_800) {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        prop_assert_eq!(date::parse(date::format(time).as_bytes()), Some(time));
    }

    #[test]
    fn arbitrary_text_does_not_panic_the_date_parser(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = date::parse(&text);
    }
}
