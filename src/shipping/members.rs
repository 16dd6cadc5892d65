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

    /// Returns the time at which the exchange ended, since 1970: its start (`time`, in seconds) and its
    /// duration (`ms`). Lines are written in this order.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        let number = |name| decimal(&self.0.get(name)?.as_number()?.to_string());
        let took = number("ms").unwrap_or_default() / 1000;
        number("time")?.checked_add(took)
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

/// Reads a number of seconds with at most nine digits behind the point; further digits are dropped.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{:0<9}", fraction.get(..fraction.len().min(9))?);
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}
