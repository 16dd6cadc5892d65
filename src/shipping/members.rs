//! Members of a line in JSON.

use std::time::Duration;

use serde_json::{Map, Value};

use super::severity::Severity;

/// A line of the access log in the format `json`.
#[derive(Clone, Debug)]
pub struct Members(Map<String, Value>);

impl Members {
    /// Reads a line; `None` if it is no JSON object.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().map(Self)
    }

    /// Returns the time at which the exchange ended, since 1970: its start (`time`) and its duration (`ms`).
    /// Lines are written in this order.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        let took = self.0.get("ms").and_then(|ms| decimal(&ms.as_number()?.to_string()));
        let began = since_epoch(self.0.get("time")?.as_str()?)?;
        began.checked_add(took.unwrap_or_default() / 1000)
    }

    /// Returns the status code of the response, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.get("status")?.as_u64()?.try_into().ok()
    }

    /// Returns the severity of the line.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of_status(self.status())
    }

    /// Returns the line as words: client, method, URL, status and result.
    #[must_use]
    pub fn message(&self) -> String {
        ["client", "method", "url", "status", "result"].map(|name| self.text(name)).join(" ")
    }

    /// Returns the text of a member, or `-` if there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.0.get(name).map_or_else(|| "-".to_owned(), text_of)
    }

    /// Returns names and values. A member of an inner object has the names of both, joined by `separator`.
    #[must_use]
    pub fn flat(&self, separator: char) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for (name, value) in &self.0 {
            match value {
                Value::Object(inner) => {
                    let join = |(own, value)| (format!("{name}{separator}{own}"), value);
                    all.extend(inner.iter().map(join));
                }
                Value::Null => {}
                value => all.push((name.clone(), value)),
            }
        }
        all
    }
}

/// Returns a value as text: strings without quotes, others as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Returns the time since 1970 of a date in UTC, such as `1994-11-06T08:49:37.042Z` (RFC 3339).
fn since_epoch(text: &str) -> Option<Duration> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|number| number.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let mut next = || time.next();
    let (hours, minutes): (u64, u64) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let seconds = decimal(next()?)?;
    let is_date =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = hours < 24 && minutes < 60 && seconds.as_secs() <= 60;
    // Days are counted from 1 March: the leap day is the last one of a year then.
    let (years, months) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day;
    const BEFORE_1970: u64 = 719_469;
    let whole = (days.checked_sub(BEFORE_1970)? * 24 + hours) * 3600 + minutes * 60;
    (is_date && is_time).then(|| Duration::from_secs(whole) + seconds)
}

/// Reads a number of seconds with at most nine digits behind the point; further digits are dropped.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{:0<9}", fraction.get(..fraction.len().min(9))?);
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_written() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("1994-11-06T08:49:37.042Z", Some(784_111_777_042)),
            ("2000-02-29T23:59:59Z", Some(951_868_799_000)),
            ("2026-03-01T00:00:00.5Z", Some(1_772_323_200_500)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01", None),
            ("", None),
        ] {
            assert_eq!(since_epoch(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
