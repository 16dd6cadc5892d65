//! Patterns for host names, as rules spell them.

use std::fmt;
use std::str::FromStr;

use super::spelling::Host;

/// `HOST`; `*.DOMAIN` for every name below a domain; `.DOMAIN` for the domain and every name below
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// Name in lower case, without a trailing dot.
    name: String,
    reach: NameReach,
}

/// Names that a pattern matches: the name itself, those below it, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameReach {
    /// The name itself.
    Itself,
    /// All names below it.
    Below,
    /// The name and all below it.
    Both,
}

impl NamePattern {
    /// Returns true if the pattern matches `name`, which is in lower case and has no trailing dot.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let before = name.strip_suffix(self.name.as_str());
        match self.reach {
            NameReach::Itself => before == Some(""),
            NameReach::Below => before.is_some_and(|labels| labels.ends_with('.')),
            NameReach::Both => {
                before.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
            }
        }
    }

    /// Returns the name without the pattern's prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the names that the pattern matches.
    #[must_use]
    pub const fn reach(&self) -> NameReach {
        self.reach
    }
}

impl NameReach {
    /// Returns the prefix that a pattern of this reach is written with.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Itself => "",
            Self::Below => "*.",
            Self::Both => ".",
        }
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reaches = [NameReach::Below, NameReach::Both];
        let (name, reach) = reaches
            .into_iter()
            .find_map(|reach| Some((text.strip_prefix(reach.prefix())?, reach)))
            .unwrap_or((text, NameReach::Itself));
        match Host::parse(name) {
            Ok(Host::Name(name)) => Ok(Self { name, reach }),
            _ if !text.is_ascii() => {
                Err(format!("'{text}' is not ASCII; write such names as in the DNS (xn--…)"))
            }
            _ => Err(format!("'{text}' is neither a host name nor *.DOMAIN or .DOMAIN")),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.reach.prefix(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_name_or_names_below_or_both() {
        for (pattern, meant, others) in [
            ("a.test", &["a.test"][..], &["b.a.test", "xa.test", "test"][..]),
            ("*.a.test", &["b.a.test", "c.b.a.test"], &["a.test", "xa.test"]),
            (".a.test", &["a.test", "b.a.test"], &["xa.test", "test"]),
        ] {
            let read: NamePattern = pattern.parse().unwrap();
            assert_eq!(read.to_string(), pattern);
            assert!(meant.iter().all(|name| read.matches(name)), "{pattern}");
            assert!(!others.iter().any(|name| read.matches(name)), "{pattern}");
        }
        let refused = |text: &str| text.parse::<NamePattern>().unwrap_err();
        assert!(refused("B\u{fc}cher.test").contains("write such names as in the DNS (xn--"));
        assert!(refused("b_cher..test").contains("neither a host name nor *.DOMAIN or .DOMAIN"));
    }
}
