//! Filters of the journal: which exchanges an operator reads.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::time::{read_duration, write_duration};

/// Exchanges that an operator wants: those for which all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// Statuses, such as 404 or 5xx; all if there are none.
    pub statuses: Vec<StatusPattern>,
    /// Host of the URL, without the port, or a parent of it.
    pub host: Option<String>,
    /// Least duration.
    pub slow: Option<Duration>,
}

/// A status, or a class of statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// This status.
    Code(u16),
    /// All statuses with this first digit.
    Class(u16),
}

impl JournalFilter {
    /// Returns true if the operator wants an exchange with this status, for `host` (and its port), which has
    /// lasted so long.
    #[must_use]
    pub fn wants(&self, status: Option<u16>, host: &str, elapsed: Duration) -> bool {
        let is_wanted =
            |wanted: &StatusPattern| status.is_some_and(|status| wanted.matches(status));
        let of_host = |wanted: &String| {
            let name =
                host.rsplit_once(':').map_or(host, |(name, port)| match port.parse::<u16>() {
                    Ok(_) => name,
                    Err(_) => host,
                });
            let rest = name.len().checked_sub(wanted.len()).and_then(|at| {
                let (rest, end) = name.split_at_checked(at)?;
                end.eq_ignore_ascii_case(wanted).then_some(rest)
            });
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        (self.statuses.is_empty() || self.statuses.iter().any(is_wanted))
            && self.host.as_ref().is_none_or(of_host)
            && self.slow.is_none_or(|least| elapsed >= least)
    }
}

impl StatusPattern {
    const fn matches(self, status: u16) -> bool {
        match self {
            Self::Code(code) => status == code,
            Self::Class(class) => status / 100 == class,
        }
    }
}

impl FromStr for StatusPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no status such as 404, and no class such as 5xx");
        if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            let class = class.parse().ok().filter(|class| (1..=5).contains(class));
            return class.map(Self::Class).ok_or_else(wrong);
        }
        let code = text.parse().ok().filter(|code| (100..=599).contains(code));
        code.map(Self::Code).ok_or_else(wrong)
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

/// The conditions as words, as they stand in a request on the control socket.
impl fmt::Display for JournalFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statuses.iter().try_for_each(|status| write!(f, " status={status}"))?;
        self.host.iter().try_for_each(|host| write!(f, " host={host}"))?;
        self.slow.iter().try_for_each(|slow| write!(f, " slow={}", write_duration(*slow)))
    }
}

impl FromStr for JournalFilter {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in words.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("status", status)) => filter.statuses.push(status.parse()?),
                Some(("host", host)) if !host.is_empty() => filter.host = Some(host.to_owned()),
                Some(("slow", time)) => {
                    let time = read_duration(time);
                    filter.slow = Some(time.ok_or(format!("'{word}' has no duration such as 1s"))?);
                }
                _ => return Err(format!("'{word}' is no condition of the log")),
            }
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_round_trip_and_are_checked() {
        for text in ["", " status=5xx status=404 host=h.test slow=1s"] {
            let filter: JournalFilter = text.parse().unwrap();
            assert_eq!(filter.to_string(), text);
        }
        for wrong in ["status=6xx", "status=99", "status=x", "host=", "slow=1", "client=x"] {
            assert!(wrong.parse::<JournalFilter>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn exchange_is_wanted_if_all_conditions_hold() {
        let filter: JournalFilter = "status=5xx status=404 host=h.test slow=1s".parse().unwrap();
        let second = Duration::from_secs(1);
        for (status, host, elapsed, is_wanted) in [
            (Some(503), "h.test", second, true),
            (Some(404), "www.H.test:8080", 2 * second, true),
            (Some(404), "xh.test", second, false),
            (Some(404), "test", second, false),
            (Some(200), "h.test", second, false),
            (None, "h.test", second, false),
            (Some(503), "h.test", second / 2, false),
        ] {
            assert_eq!(filter.wants(status, host, elapsed), is_wanted, "{status:?} {host}");
        }
        assert!(JournalFilter::default().wants(None, "", Duration::ZERO));
    }
}
