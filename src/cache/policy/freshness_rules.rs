//! Freshness rules of the operator, for responses whose own lifetime is missing or wrong. A rule
//! bounds lifetimes. It never allows what an origin forbids.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::units::Unit;

/// A rule for some responses: bounds of their lifetime, and a default for responses without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreshnessRule {
    /// Host that the rule applies to, in lower case; `*.` at the start matches all hosts below a
    /// domain. `None` matches any host.
    pub host: Option<String>,
    /// Prefix of the paths that the rule applies to.
    pub prefix: String,
    /// Status codes that the rule applies to; any if empty.
    pub statuses: Vec<u16>,
    /// Minimum lifetime.
    pub min: Option<Duration>,
    /// Maximum lifetime.
    pub max: Option<Duration>,
    /// Lifetime of responses that give none.
    pub default: Option<Duration>,
}

impl FreshnessRule {
    /// Returns true if the rule applies to a response with this URI and status.
    pub(super) fn is_for(&self, uri: &str, status: u16) -> bool {
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
        let host = &authority[..port.unwrap_or(authority.len())];
        let host_fits = match self.host.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_prefix('*') {
                Some(domain) => host.ends_with(domain),
                None => host == pattern,
            },
        };
        host_fits
            && path.starts_with(&self.prefix)
            && (self.statuses.is_empty() || self.statuses.contains(&status))
    }

    /// Returns the lifetime of a response that gives `said`.
    pub(super) fn lifetime(&self, said: Option<Duration>) -> Option<Duration> {
        said.map(|said| self.bounded(said)).or(self.default)
    }

    /// Returns a lifetime, explicit or heuristic, within the bounds.
    pub(super) fn bounded(&self, lifetime: Duration) -> Duration {
        lifetime.max(self.min.unwrap_or_default()).min(self.max.unwrap_or(Duration::MAX))
    }
}

impl FromStr for FreshnessRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rule = Self::default();
        for (n, word) in text.split_whitespace().enumerate() {
            let Some((name, value)) = word.split_once('=') else {
                if n > 0 {
                    return Err(format!("'{word}' is not NAME=VALUE; a host or path comes first"));
                }
                let (host, prefix) = word.split_at(word.find('/').unwrap_or(word.len()));
                rule.host = (!host.is_empty()).then(|| host.to_ascii_lowercase());
                prefix.clone_into(&mut rule.prefix);
                continue;
            };
            match name {
                "status" => rule.statuses = statuses(value)?,
                "min" => rule.min = Some(duration(value)?),
                "max" => rule.max = Some(duration(value)?),
                "default" => rule.default = Some(duration(value)?),
                _ => return Err(format!("'{name}' is not status, min, max or default")),
            }
        }
        match (rule.min, rule.max, rule.default) {
            (None, None, None) => Err("it gives no min, max or default; give at least one".into()),
            (Some(min), Some(max), _) if min > max => Err("its min is above its max".into()),
            _ => Ok(rule),
        }
    }
}

fn statuses(text: &str) -> Result<Vec<u16>, String> {
    let one = |code: &str| code.parse().ok().filter(|code| (200..600).contains(code));
    let codes: Option<Vec<u16>> = text.split(',').map(one).collect();
    codes.ok_or_else(|| {
        format!("'{text}' is not a list of status codes from 200 to 599, such as 404,410")
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::read(text).ok_or_else(|| format!("'{text}' is not {}", Duration::EXPECTED))
}

impl fmt::Display for FreshnessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = vec![format!("{}{}", self.host.as_deref().unwrap_or(""), self.prefix)];
        if !self.statuses.is_empty() {
            let codes: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
            words.push(format!("status={}", codes.join(",")));
        }
        for (name, value) in [("min", self.min), ("max", self.max), ("default", self.default)] {
            words.extend(value.map(|value| format!("{name}={}", value.write())));
        }
        words.retain(|word| !word.is_empty());
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_host_path_and_status() {
        let rule = |host: &str, prefix: &str, statuses: &[u16]| FreshnessRule {
            host: (!host.is_empty()).then(|| host.to_owned()),
            prefix: prefix.to_owned(),
            statuses: statuses.to_vec(),
            ..Default::default()
        };
        let uri = "http://img.example.com:81/a/b?c";
        assert!(rule("", "", &[]).is_for(uri, 200));
        assert!(rule("img.example.com", "/a/", &[200]).is_for(uri, 200));
        assert!(rule("*.example.com", "", &[]).is_for(uri, 404));
        assert!(!rule("*.example.com", "", &[]).is_for("http://example.com/", 200));
        assert!(!rule("example.com", "", &[]).is_for(uri, 200));
        assert!(!rule("", "/b", &[]).is_for(uri, 200));
        assert!(!rule("", "", &[404]).is_for(uri, 200));
        assert!(rule("[::1]", "/", &[]).is_for("http://[::1]/", 200));
    }

    #[test]
    fn rules_are_parsed_and_displayed() {
        for text in [
            "*.example.com/img/ status=200,404 min=10s max=1h",
            "status=404 default=5s",
            "/x max=1m",
        ] {
            let rule: FreshnessRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
    }

    #[test]
    fn invalid_rules_are_rejected_with_a_reason() {
        for (text, why) in [
            ("", "no min, max or default"),
            ("h", "no min, max or default"),
            ("h max=soon", "'soon' is not"),
            ("h min=2s max=1s", "above its max"),
            ("max=1s h", "'h' is not NAME=VALUE"),
            ("status=100 max=1s", "'100' is not a list"),
            ("ttl=1s", "'ttl' is not status"),
        ] {
            let error = text.parse::<FreshnessRule>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
