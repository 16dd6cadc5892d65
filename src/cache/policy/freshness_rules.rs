//! The operator's word on how long responses are fresh, where the origin's is missing or amiss. It
//! bounds lifetimes; what an origin forbids stays forbidden.

use std::time::Duration;

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
}
