//! Rules of bans, as text.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use crate::time::{read_duration, write_duration};

use super::action::BanAction;
use super::offence::Kinds;
use super::unit::BanUnit;
use crate::throttle::rate_limit::number;

/// Rule that begins bans: `after 20 of 401,403 within 1m by /24 -> drop for 10m`.
///
/// The grammar is `after N of KINDS within TIME [by UNIT] -> ACTION for TIME`. An arrow may be
/// written `→`, too.
///
/// * `KINDS` are statuses (`404`), classes of statuses (`4xx`), `refused`, `handshake` and
///   `malformed`, separated by commas.
/// * `UNIT` is `address`, which is the default, or a prefix length for IPv4 (`/8` to `/32`), for
///   IPv6 (`/33` to `/128`), or for both (`/24,/48`). The family without a length is counted by
///   address: an IPv4 address, or the /64 of an IPv6 address.
/// * `ACTION` is `delay`, `429` or `drop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRule {
    /// Offences after which a ban begins, at least 1.
    pub(super) most: u32,
    pub(super) kinds: Kinds,
    /// Time in which offences are counted, at least a millisecond.
    pub(super) within: Duration,
    pub(super) by: BanUnit,
    pub(super) action: BanAction,
    /// Time for which a ban is in force.
    pub(super) time: Duration,
}

impl BanRule {
    /// Grammar of a rule, for help and messages.
    pub const SYNTAX: &'static str =
        "after N of KINDS within TIME [by address|/PREFIX] -> delay|429|drop for TIME";

    /// Returns the action of the bans.
    #[must_use]
    pub const fn action(&self) -> BanAction {
        self.action
    }
}

/// Longest time of a ban and of counting: ten years.
pub(super) const LONGEST: Duration = Duration::from_secs(87_600 * 60 * 60);

impl FromStr for BanRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words { words: text.split_whitespace(), last: None };
        words.keyword("after")?;
        let most = words.value("a number of offences from 1", number)?;
        words.keyword("of")?;
        let kinds = words.next("kinds of offences")?.parse()?;
        words.keyword("within")?;
        let within = words.value(TIME, time)?;
        let by = if words.next_is("by") {
            words.keyword("by")?;
            words.next("address or a prefix length")?.parse().map_err(|why| format!("by: {why}"))?
        } else {
            BanUnit::ADDRESS
        };
        words.arrow()?;
        let action = words.next("delay, 429 or drop")?.parse()?;
        words.keyword("for")?;
        let time = words.value(TIME, time)?;
        words.end()?;
        Ok(Self { most, kinds, within, by, action, time })
    }
}

const TIME: &str = "a time such as 30s, 10m or 24h, up to 87600h";

fn time(text: &str) -> Option<Duration> {
    read_duration(text).filter(|time| !time.is_zero() && *time <= LONGEST)
}

/// Words of a rule. Messages name the word before the one that is wrong.
struct Words<'a> {
    words: SplitWhitespace<'a>,
    last: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn next(&mut self, expected: &str) -> Result<&'a str, String> {
        let word = self.words.next().ok_or_else(|| match self.last {
            Some(last) => format!("the rule ends after '{last}'; expected {expected}"),
            None => format!("the rule is missing; write {}", BanRule::SYNTAX),
        })?;
        self.last = Some(word);
        Ok(word)
    }

    fn next_is(&self, word: &str) -> bool {
        self.words.clone().next() == Some(word)
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        self.one_of(&[keyword], &format!("'{keyword}'"))
    }

    fn arrow(&mut self) -> Result<(), String> {
        self.one_of(&["->", "→"], "'by' or '->'")
    }

    fn one_of(&mut self, words: &[&str], expected: &str) -> Result<(), String> {
        let before = self.last;
        let word = self.next(expected)?;
        if words.contains(&word) {
            return Ok(());
        }
        Err(match before {
            Some(before) => format!("'{word}' after '{before}'; expected {expected}"),
            None => format!("a rule begins with {expected}, not with '{word}'"),
        })
    }

    fn value<T>(&mut self, expected: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let before = self.last;
        let word = self.next(expected)?;
        let last = before.unwrap_or_default();
        read(word).ok_or_else(|| format!("'{word}' after '{last}'; expected {expected}"))
    }

    fn end(mut self) -> Result<(), String> {
        match self.words.next() {
            Some(word) => Err(format!("'{word}' after the end of the rule; expected nothing")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BanRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { most, kinds, by, action, .. } = self;
        write!(f, "after {most} of {kinds} within {}", write_duration(self.within))?;
        if *by != BanUnit::ADDRESS {
            write!(f, " by {by}")?;
        }
        write!(f, " -> {action} for {}", write_duration(self.time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_round_trip() {
        for text in [
            "after 20 of 401,403,404 within 1m by /24 -> drop for 10m",
            "after 5 of handshake within 10s -> 429 for 1h",
            "after 100 of 429 within 1m -> drop for 1h",
            "after 1 of 4xx,5xx,refused,malformed within 1ms by /24,/48 -> delay for 87600h",
            "after 4294967295 of 100,999 within 87600h by /128 -> drop for 250ms",
        ] {
            assert_eq!(text.parse::<BanRule>().unwrap().to_string(), text);
        }
        for (text, written) in [
            (
                "  after 2 of 404\twithin 60s by address → drop  for 60m ",
                "after 2 of 404 within 1m -> drop for 1h",
            ),
            (
                "after 2 of 404 within 1s by /64 -> 429 for 1s",
                "after 2 of 404 within 1s -> 429 for 1s",
            ),
        ] {
            assert_eq!(text.parse::<BanRule>().unwrap().to_string(), written);
        }
        assert_eq!(
            "after 1 of 404 within 1s -> 429 for 1s".parse::<BanRule>().unwrap().action(),
            BanAction::TooMany
        );
    }

    #[test]
    fn invalid_rules_are_rejected_with_the_reason() {
        let time = "expected a time such as 30s, 10m or 24h, up to 87600h";
        for (text, message) in [
            (" ", &format!("the rule is missing; write {}", BanRule::SYNTAX)[..]),
            ("20 of 401", "a rule begins with 'after', not with '20'"),
            ("after", "the rule ends after 'after'; expected a number of offences from 1"),
            ("after 0 of", "'0' after 'after'; expected a number of offences from 1"),
            ("after +5 of", "'+5' after 'after'; expected a number of offences from 1"),
            ("after 5", "the rule ends after '5'; expected 'of'"),
            ("after 5 times", "'times' after '5'; expected 'of'"),
            ("after 5 of", "the rule ends after 'of'; expected kinds of offences"),
            ("after 5 of 401,401", "'401' is given twice"),
            ("after 5 of 401 403", "'403' after '401'; expected 'within'"),
            ("after 5 of 401 within 0s", &format!("'0s' after 'within'; {time}")),
            ("after 5 of 401 within 1d", &format!("'1d' after 'within'; {time}")),
            ("after 5 of 401 within 1m", "the rule ends after '1m'; expected 'by' or '->'"),
            ("after 5 of 401 within 1m drop", "'drop' after '1m'; expected 'by' or '->'"),
            (
                "after 5 of 401 within 1m by",
                "the rule ends after 'by'; expected address or a prefix length",
            ),
            (
                "after 5 of 401 within 1m by user",
                "by: 'user' is neither address nor a prefix length: /8 to /32 for IPv4, /33 to \
                 /128 for IPv6",
            ),
            (
                "after 5 of 401 within 1m ->",
                "the rule ends after '->'; expected delay, 429 or drop",
            ),
            ("after 5 of 401 within 1m -> ban", "'ban' is none of delay, 429, drop"),
            ("after 5 of 401 within 1m -> drop", "the rule ends after 'drop'; expected 'for'"),
            (
                "after 5 of 401 within 1m -> drop for 87601h",
                &format!("'87601h' after 'for'; {time}"),
            ),
            (
                "after 5 of 401 within 1m -> drop for 1h 2",
                "'2' after the end of the rule; expected nothing",
            ),
        ] {
            assert_eq!(text.parse::<BanRule>().unwrap_err(), message, "{text}");
        }
        let error = "after 5 of 40 within 1m".parse::<BanRule>().unwrap_err();
        assert!(error.starts_with("'40' is no kind of offence; "), "{error}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(
            words in prop::collection::vec(
                "after|of|within|by|->|→|for|drop|429|4xx,404|/24|/56|[0-9]{1,3}[ms]?|\\PC{0,6}",
                0..14,
            ),
        ) {
            if let Ok(rule) = words.join(" ").parse::<BanRule>() {
                prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            }
        }

        #[test]
        fn any_rule_round_trips(
            most in 1u32..,
            kinds in "([1-9]xx|[1-9][0-9]{2}),(refused|handshake|malformed)",
            within in 1u64..100_000_000_000,
            by in "address|/(8|9|[12][0-9]|3[0-2])|/(3[3-9]|[4-9][0-9]|1[01][0-9]|12[0-8])",
            action in "delay|429|drop",
            time in 1u64..100_000_000_000,
        ) {
            let offences = format!("{most} of {kinds} within {within}ms by {by}");
            let text = format!("after {offences} -> {action} for {time}ms");
            let rule: BanRule = text.parse().unwrap();
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }
}
