//! Query parameters that count in the cache key. By default all of them do. The operator's rules
//! can drop, keep or sort parameters. They change the key only: the origin receives the request's
//! own query.
//!
//! Origins read names in many ways: `%69d`, `+id`, `id[]` and `ID` are `id` to some, and `;` begins
//! another parameter. A parameter is left out only if no reading of the query needs it: two
//! resources must never have one key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Parameters that track visitors and do not change the response. A `*` at the end matches any
/// suffix.
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

/// Names of query parameters. A name that ends in `*` matches all names with that prefix;
/// `tracking` matches those of well-known trackers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<String>);

impl Parameters {
    /// Returns true if `is` holds for the name of one of these parameters, or for a prefix of such names.
    fn any(&self, is: impl Fn(&str, bool) -> bool) -> bool {
        let is = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => is(prefix, true),
            None => is(pattern, false),
        };
        self.0.iter().any(|pattern| match pattern.as_str() {
            "tracking" => TRACKING.iter().any(|pattern| is(pattern)),
            pattern => is(pattern),
        })
    }
}

/// Returns the name of a parameter.
fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Returns true if all origins read the parameter alike: its name has no escapes and no characters
/// with a meaning, and nothing in it separates parameters.
fn is_plain(parameter: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name_of(parameter).bytes().all(is_plain) && !parameter.contains(';')
}

/// Returns a name as the least careful origin compares it: without differences of case, and with `_` for
/// `.`, as PHP has it.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('.', "_")
}

impl FromStr for Parameters {
    type Err = String;

    /// Parses names separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let wrong = |name: &&String| name.is_empty() || name.contains(['&', '=', '#', ' ']);
        match names.iter().find(wrong) {
            Some(name) => Err(format!(
                "'{name}' is not a query parameter name: it is empty or holds '&', '=', '#' or a space"
            )),
            None => Ok(Self(names)),
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Rules for the query in a cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// Parameters left out of the key.
    pub drop: Option<Parameters>,
    /// Parameters kept in the key; all others are left out.
    pub keep: Option<Parameters>,
    /// True if parameters are sorted by name, so that their order makes no difference.
    pub sort: bool,
}

impl KeyRules {
    /// Returns `uri` as it stands in the key.
    pub(super) fn apply(&self, uri: &Arc<str>) -> Arc<str> {
        let whole = self.drop.is_none() && self.keep.is_none() && !self.sort;
        let Some((path, query)) = uri.split_once('?').filter(|_| !whole) else {
            return Arc::clone(uri);
        };
        let mut kept: Vec<&str> =
            query.split('&').filter(|parameter| self.needs(parameter)).collect();
        if self.sort && kept.iter().all(|parameter| is_plain(parameter)) {
            // Parameters of one name keep their order, which may have a meaning.
            kept.sort_by_cached_key(|parameter| folded(name_of(parameter)));
        }
        match kept.as_slice() {
            [] => path.into(),
            kept => [path, "?", &kept.join("&")].concat().into(),
        }
    }

    /// Returns true if a parameter belongs into the key.
    fn needs(&self, parameter: &str) -> bool {
        if !is_plain(parameter) {
            return true;
        }
        let name = name_of(parameter);
        let is_dropped = |pattern: &str, is_prefix: bool| match is_prefix {
            true => name.starts_with(pattern),
            false => name == pattern,
        };
        let may_be = |pattern: &str, is_prefix: bool| match is_prefix {
            true => folded(name).starts_with(&folded(pattern)),
            false => folded(name) == folded(pattern),
        };
        !self.drop.as_ref().is_some_and(|names| names.any(is_dropped))
            && self.keep.as_ref().is_none_or(|names| names.any(may_be))
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
    fn parameter_that_an_origin_may_read_otherwise_stays_in_the_key() {
        for query in [
            "%69d=1",
            "i%64=1",
            "+id=1",
            "%20id=1",
            "id[]=1",
            "id%00x=1",
            "ID=1",
            "id=1;page=2",
            "utm_x=1;id=2",
            "a;b=1",
            "id;b",
        ] {
            let uri = format!("http://h/x?{query}");
            assert_eq!(key("", "id,page", false, &uri), uri, "{query} is kept");
            assert_eq!(key("utm_*,other", "", true, &uri), uri, "{query} is not dropped");
        }
        assert_eq!(key("", "user_id", false, "http://h/x?user.id=1&x=2"), "http://h/x?user.id=1");
        let mixed = "http://h/x?i%64=1&b=2&id=2";
        assert_eq!(key("", "", true, mixed), mixed, "the order of one name may have a meaning");
        assert_eq!(
            key("", "", true, "http://h/x?b=1&ID=1&a=0&id=2"),
            "http://h/x?a=0&b=1&ID=1&id=2"
        );
        assert_eq!(key("utm_x", "", false, "http://h/x?UTM_X=1"), "http://h/x?UTM_X=1");
    }

    #[test]
    fn default_rules_keep_the_whole_query() {
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
    fn parameters_are_parsed_and_displayed() {
        let names: Parameters = "a, b*".parse().unwrap();
        assert_eq!(names.to_string(), "a,b*");
        for text in ["", "a,,b", "a=b", "a&b"] {
            assert!(text.parse::<Parameters>().is_err(), "{text}");
        }
    }
}
