//! The operator's word on how long responses are fresh, where the origin's is missing or amiss. It
//! bounds lifetimes; what an origin forbids stays forbidden.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::units::Unit;

/// For some responses, bounds of their lifetime, and one for those that say none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreshnessRule {
    /// The host it is for, in lower case; one that begins with `*.` stands for all below a domain.
    /// Any if there is none.
    pub host: Option<String>,
    /// How the paths begin that it is for.
    pub prefix: String,
    /// The status codes it is for; any if there are none.
    pub statuses: Vec<u16>,
    /// No shorter than this.
    pub min: Option<Duration>,
    /// No longer than this.
    pub max: Option<Duration>,
    /// As long as this if the response does not say.
    pub default: Option<Duration>,
}

impl FreshnessRule {
    /// Whether it is for responses with this status for this URI.
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

    /// The lifetime of a response that says `said` of it.
    pub(super) fn lifetime(&self, said: Option<Duration>) -> Option<Duration> {
        said.map(|said| self.bounded(said)).or(self.default)
    }

    /// A lifetime that was said or guessed, within its bounds.
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
                    return Err(format!("'{word}' is neither NAME=VALUE nor the first word"));
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
                _ => return Err(format!("'{name}' is none of status, min, max, default")),
            }
        }
        match (rule.min, rule.max, rule.default) {
            (None, None, None) => Err("it says neither min nor max nor default".into()),
            (Some(min), Some(max), _) if min > max => Err("its min is above its max".into()),
            _ => Ok(rule),
        }
    }
}

fn statuses(text: &str) -> Result<Vec<u16>, String> {
    let one = |code: &str| code.parse().ok().filter(|code| (200..600).contains(code));
    let codes: Option<Vec<u16>> = text.split(',').map(one).collect();
    codes.ok_or_else(|| format!("'{text}' is no list of status codes, such as 404,410"))
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
    fn rules_are_for_hosts_paths_and_statuses() {
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
    fn rules_are_read_and_written() {
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
    fn what_makes_no_sense_says_why() {
        for (text, why) in [
            ("", "neither min nor max"),
            ("h", "neither min nor max"),
            ("h max=soon", "'soon' is not"),
            ("h min=2s max=1s", "above its max"),
            ("max=1s h", "'h' is neither"),
            ("status=100 max=1s", "'100' is no list"),
            ("ttl=1s", "'ttl' is none of"),
        ] {
            let error = text.parse::<FreshnessRule>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
