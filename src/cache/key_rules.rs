//! Which parts of a query make another resource. By default all of them do: rules that say otherwise
//! are the operator's word, and concern the key only; the origin is asked for what was asked.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Parameters by which pages follow their visitors, and which change nothing of what is sent.
const TRACKING: &[&str] = &[
    "utm_*",
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "mc_cid",
    "mc_eid",
    "yclid",
    "igshid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
];

/// Names of query parameters; one that ends in `*` stands for all that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<String>);

impl Parameters {
    fn name(&self, parameter: &str) -> bool {
        let name = parameter.split('=').next().unwrap_or_default();
        let is = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        self.0.iter().any(|pattern| match pattern.as_str() {
            "tracking" => TRACKING.iter().any(|pattern| is(pattern)),
            pattern => is(pattern),
        })
    }
}

impl FromStr for Parameters {
    type Err = String;

    /// Names, separated by commas; `tracking` stands for those of well-known trackers.
    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let wrong = |name: &&String| name.is_empty() || name.contains(['&', '=', '#', ' ']);
        match names.iter().find(wrong) {
            Some(name) => Err(format!("'{name}' is no name of a query parameter")),
            None => Ok(Self(names)),
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// What of a URI its key is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// These parameters make no other resource.
    pub drop: Option<Parameters>,
    /// Only these do.
    pub keep: Option<Parameters>,
    /// Their order makes none.
    pub sort: bool,
}

impl KeyRules {
    /// What stands in the key for `uri`.
    pub(super) fn apply(&self, uri: &Arc<str>) -> Arc<str> {
        let whole = self.drop.is_none() && self.keep.is_none() && !self.sort;
        let Some((path, query)) = uri.split_once('?').filter(|_| !whole) else {
            return Arc::clone(uri);
        };
        let kept = query.split('&').filter(|parameter| {
            !self.drop.as_ref().is_some_and(|names| names.name(parameter))
                && self.keep.as_ref().is_none_or(|names| names.name(parameter))
        });
        let mut kept: Vec<&str> = kept.collect();
        if self.sort {
            // Those of one name stay in their order, which may mean something.
            kept.sort_by_key(|parameter| parameter.split('=').next());
        }
        match kept.as_slice() {
            [] => path.into(),
            kept => [path, "?", &kept.join("&")].concat().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(drop: &str, keep: &str, sort: bool, uri: &str) -> String {
        let read = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        KeyRules { drop: read(drop), keep: read(keep), sort }.apply(&uri.into()).to_string()
    }

    #[test]
    fn without_rules_every_byte_counts() {
        for uri in ["http://h/", "http://h/?", "http://h/?b=1&a=2&a=1", "http://h/?utm_x=1"] {
            assert_eq!(key("", "", false, uri), uri);
        }
    }

    #[test]
    fn parameters_are_dropped_kept_and_sorted_by_name() {
        assert_eq!(key("b", "", false, "http://h/x?a=1&b=2&bb=3&b"), "http://h/x?a=1&bb=3");
        assert_eq!(key("b*", "", false, "http://h/x?b=2&bb=3"), "http://h/x");
        assert_eq!(key("", "a", false, "http://h/x?c&a=1&b=2"), "http://h/x?a=1");
        assert_eq!(key("tracking", "", false, "http://h/x?utm_a=1&q=2&gclid=3"), "http://h/x?q=2");
        assert_eq!(key("", "", true, "http://h/x?b=2&a=9&b=1"), "http://h/x?a=9&b=2&b=1");
        assert_eq!(key("a", "", true, "http://h/x"), "http://h/x");
    }

    #[test]
    fn names_are_read_and_written() {
        let names: Parameters = "a, b*".parse().unwrap();
        assert_eq!(names.to_string(), "a,b*");
        for text in ["", "a,,b", "a=b", "a&b"] {
            assert!(text.parse::<Parameters>().is_err(), "{text}");
        }
    }
}
