//! Names, as rules have them.

use std::fmt;
use std::str::FromStr;

use super::spelling::Host;

/// `HOST`; `*.DOMAIN` for every name below a domain; `.DOMAIN` for it and every name below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// Lower case, without a trailing dot.
    name: String,
    reach: Reach,
}

/// Which names a pattern means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Itself,
    Below,
    Both,
}

impl NamePattern {
    /// Whether `name`, in lower case and without a trailing dot, is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let before = name.strip_suffix(self.name.as_str());
        match self.reach {
            Reach::Itself => before == Some(""),
            Reach::Below => before.is_some_and(|labels| labels.ends_with('.')),
            Reach::Both => before.is_some_and(|labels| labels.is_empty() || labels.ends_with('.')),
        }
    }

    /// The name, without what says which others are meant.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }
}

impl Reach {
    /// What stands before a name that is meant so.
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
        let reaches = [Reach::Below, Reach::Both];
        let (name, reach) = reaches
            .into_iter()
            .find_map(|reach| Some((text.strip_prefix(reach.prefix())?, reach)))
            .unwrap_or((text, Reach::Itself));
        match Host::parse(name) {
            Ok(Host::Name(name)) => Ok(Self { name, reach }),
            _ if !text.is_ascii() => {
                Err(format!("'{text}' is not written as name servers know it (xn--…)"))
            }
            _ => Err(format!("'{text}' is neither a host name nor *.DOMAIN")),
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
    fn a_pattern_means_a_name_or_those_below_it_or_both() {
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
        assert!(refused("B\u{fc}cher.test").contains("as name servers know it (xn--"));
        assert!(refused("b_cher..test").contains("neither a host name nor *.DOMAIN"));
    }
}
