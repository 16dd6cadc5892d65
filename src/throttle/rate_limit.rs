//! Limit of requests by time, as text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::time::{read_duration, write_duration};

use super::client::ClientUnit;
use super::limit_text::{self, LimitText};

/// Requests of one client by time: `100/s`, `600/m burst=50 by=network`, `10/30s by=user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in the time `per`, at least 1.
    pub requests: u32,
    /// Time in which the requests are allowed: up to a day, in whole milliseconds.
    pub per: Duration,
    /// Requests allowed at once, at least 1. The default is `requests`.
    pub burst: u32,
    /// Clients that are counted.
    pub by: ClientUnit,
}

/// Longest time in which requests are counted.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = LimitText::read(text, "REQUESTS/TIME, such as 100/s or 600/5m")?;
        let rate = parts.rate.split_once('/');
        let rate = rate.and_then(|(requests, per)| Some((number(requests)?, time(per)?)));
        let (requests, per) = rate.ok_or_else(|| {
            format!(
                "'{}' is not a rate of requests; write REQUESTS/TIME, such as 100/s or 600/5m, \
                 with at least one request and at most 24h",
                parts.rate
            )
        })?;
        let burst = match parts.burst {
            None => requests,
            Some(text) => number(text)
                .ok_or_else(|| format!("burst: '{text}' is not a number of requests from 1"))?,
        };
        Ok(Self { requests, per, burst, by: parts.by })
    }
}

/// Parses a number from 1, in digits alone.
pub(super) fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| is_plain && number > 0)
}

/// Parses a time. A unit alone is one of it: `m` is a minute.
fn time(text: &str) -> Option<Duration> {
    let time = read_duration(text).or_else(|| read_duration(&format!("1{text}")));
    time.filter(|time| !time.is_zero() && *time <= LONGEST)
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = write_duration(self.per);
        let unit = per.strip_prefix('1').filter(|unit| unit.starts_with(char::is_alphabetic));
        let burst = (self.burst != self.requests).then(|| self.burst.to_string());
        let rest = limit_text::write(burst, self.by);
        write!(f, "{}/{}{rest}", self.requests, unit.unwrap_or(&per))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_round_trip() {
        for text in [
            "100/s",
            "600/m burst=50 by=network",
            "10/s by=user",
            "1/ms",
            "1/h burst=2",
            "5/24h",
            "7/10s",
            "9/1500ms",
            "4294967295/s burst=1",
        ] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        for (text, written) in [
            (" 10/1s  by=address burst=10 ", "10/s"),
            ("60/60s", "60/m"),
            ("2/m by=user burst=3", "2/m burst=3 by=user"),
        ] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), written);
        }
        let (requests, per) = (600, Duration::from_secs(60));
        let read = RateLimit { requests, per, burst: 50, by: ClientUnit::Network };
        assert_eq!("600/m burst=50 by=network".parse(), Ok(read));
    }

    #[test]
    fn invalid_text_is_rejected_with_the_reason() {
        let error = |text: &str| text.parse::<RateLimit>().unwrap_err();
        assert_eq!(error(" "), "the rate is missing; write REQUESTS/TIME, such as 100/s or 600/5m");
        for text in [
            "100",
            "0/s",
            "/s",
            "1/",
            "1/0s",
            "+1/s",
            "1/d",
            "1/25h",
            "4294967296/s",
            "1/s/s",
            "1/11",
        ] {
            assert_eq!(
                error(text),
                format!(
                    "'{text}' is not a rate of requests; write REQUESTS/TIME, such as 100/s or \
                     600/5m, with at least one request and at most 24h"
                )
            );
        }
        for (text, message) in [
            ("1/s burst=0", "burst: '0' is not a number of requests from 1"),
            ("1/s burst=+1", "burst: '+1' is not a number of requests from 1"),
            ("1/s burst=", "burst: '' is not a number of requests from 1"),
            ("1/s by=ip", "by: 'ip' is none of address, network, user"),
            ("1/s x", "'x' after the rate is neither burst=NUMBER nor by=CLIENT"),
            ("1/s to=x", "'to=x' after the rate is neither burst=NUMBER nor by=CLIENT"),
            ("1/s burst=1 burst=2", "'burst=2' is given twice"),
            ("1/s by=user by=user", "'by=user' is given twice"),
        ] {
            assert_eq!(error(text), message);
        }
    }

    proptest! {
        #[test]
        fn any_limit_round_trips(
            requests in 1u32..,
            millis in 1u64..=24 * 3_600_000,
            burst in 1u32..,
            by in "address|network|user",
        ) {
            let (per, by) = (Duration::from_millis(millis), by.parse().unwrap());
            let limit = RateLimit { requests, per, burst, by };
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }

        #[test]
        fn parsing_never_panics(text in "[0-9a-z/= ]{0,30}|\\PC{0,30}") {
            if let Ok(limit) = text.parse::<RateLimit>() {
                prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            }
        }
    }
}
