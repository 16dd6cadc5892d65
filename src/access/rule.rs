//! Syntax of one rule: `ACTION [DESTINATION] [CONDITION=VALUE,…]…`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::condition::{self, Condition, Conditions};
use super::net::Cidr;
use super::pattern::NamePattern;

/// Action of a rule on the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The request passes.
    Allow,
    /// The request is denied.
    Deny,
    /// The request passes, and the log says that it would have been denied.
    Report,
}

impl Action {
    const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Report];

    /// Returns the action's name, the first word of a rule.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Destinations that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Every destination.
    Any,
    /// Hosts with a matching name.
    Name(NamePattern),
    /// Addresses, requested literally or resolved from a name.
    Range(Cidr),
    /// Hosts with a matching name, while they have an address in the range.
    NameWithin(NamePattern, Cidr),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some((name, range)) = text.split_once('=') {
            return Ok(Self::NameWithin(name.parse()?, range.parse()?));
        }
        let is_name = text.starts_with(['*', '.']) || !text.ends_with(|c: char| c.is_ascii_digit());
        if is_name && !text.contains([':', '/']) {
            return text.parse().map(Self::Name);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        // A host name may end in a digit, if its last label is no number.
        bare.parse()
            .map(Self::Range)
            .or_else(|error| text.parse().map(Self::Name).map_err(|_| error))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => name.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::NameWithin(name, range) => write!(f, "{name}={range}"),
        }
    }
}

/// Destinations of a rule: written in the rule, or listed in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// A destination in the rule itself.
    One(Destination),
    /// The name of a file with one destination a line.
    List(String),
}

/// Rule of access control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Action on matching requests.
    pub action: Action,
    /// Destinations that the rule matches.
    pub to: Destinations,
    /// Further conditions for a match.
    pub conditions: Conditions,
}

/// Error in a rule, with the part of the rule that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Range of the wrong part, in bytes of the text.
    pub span: Range<usize>,
    /// Description of the error.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RuleError {}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut words = words(text).peekable();
        let first = words.next();
        let (at, first) = first.unwrap_or((0..text.len(), ""));
        let action = Action::ALL.into_iter().find(|action| action.name() == first);
        let action = action.ok_or_else(|| RuleError {
            span: at,
            message: format!("a rule begins with allow, deny or report, not with '{first}'"),
        })?;
        let to = match words.next_if(|(_, word)| Condition::named(word).is_none()) {
            None => Destinations::One(Destination::Any),
            Some((span, word)) => {
                destinations(word).map_err(|message| RuleError { span, message })?
            }
        };
        let mut conditions = Conditions::default();
        for (span, word) in words {
            conditions.add(word).map_err(|message| RuleError { span, message })?;
        }
        Ok(Self { action, to, conditions })
    }
}

fn destinations(word: &str) -> Result<Destinations, String> {
    match word.strip_prefix('@') {
        Some("") => Err("the file name after '@' is missing".into()),
        Some(file) => Ok(Destinations::List(file.to_owned())),
        None => word.parse().map(Destinations::One).map_err(|error| meant(word).unwrap_or(error)),
    }
}

/// Returns a message for a word which is no destination but was probably meant to be a URL, a
/// condition or a host with a port.
fn meant(word: &str) -> Option<String> {
    if let Some((_, rest)) = word.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        return Some(format!("a destination is a host without scheme and path; write '{host}'"));
    }
    if let Some((name, _)) = word.split_once('=') {
        return (!name.contains('.')).then(|| condition::unknown(word));
    }
    let (host, port) = word.rsplit_once(':')?;
    let is_host = host.parse::<Destination>().is_ok() && port.parse::<u16>().is_ok();
    is_host.then(|| format!("a port is a condition; write '{host} port={port}'"))
}

/// Returns the words of a line with their positions, without the comment. A `#` begins a comment at
/// the beginning of a word only.
pub(super) fn words(line: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let begin = from + line[from..].find(|c: char| !c.is_ascii_whitespace())?;
        let rest = &line[begin..];
        if rest.starts_with('#') {
            return None;
        }
        let end = begin + rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        from = end;
        Some((begin..end, &line[begin..end]))
    })
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        match &self.to {
            Destinations::List(file) => write!(f, " @{file}")?,
            Destinations::One(Destination::Any) => {}
            Destinations::One(to) => {
                // A dot after a name that is also a condition's name tells the two apart.
                let text = to.to_string();
                match text.split_once('=').filter(|_| Condition::named(&text).is_some()) {
                    Some((name, range)) => write!(f, " {name}.={range}")?,
                    None => write!(f, " {text}")?,
                }
            }
        }
        write!(f, "{}", self.conditions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_round_trip() {
        for text in [
            "allow",
            "deny *.ads.example",
            "report .example",
            "allow api.example port=443,8000-8100 method=GET,HEAD",
            "allow dev.example=10.0.0.0/8 user=ci",
            "deny user.=10.0.0.1",
            "deny 203.0.114.0/24",
            "deny 2001:db8::/32 class=documentation",
            "deny 2001:db8::",
            "allow host2",
            "allow @/etc/lists/names.txt client=10.0.0.0/8,::1 scheme=http,https",
            "deny client=192.0.2.1 listener=3128,127.0.0.1:3129",
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
        let same: Rule = "  deny\t* # everything\r".parse().unwrap();
        assert_eq!(same.to_string(), "deny");
        let same: Rule = "allow [2001:db8::a] port=80".parse().unwrap();
        assert_eq!(same.to_string(), "allow 2001:db8::a port=80");
    }

    #[test]
    fn errors_point_at_the_wrong_part_of_a_rule() {
        for (text, part) in [
            ("", ""),
            ("permit x.example", "permit"),
            ("allow 10.0.0.0/99", "10.0.0.0/99"),
            ("allow 1.2.3", "1.2.3"),
            ("allow a..b port=1", "a..b"),
            ("allow @ port=1", "@"),
            ("allow x.example pory=443", "pory=443"),
            ("allow x.example y.example", "y.example"),
            ("allow port=0", "port=0"),
            ("allow user=", "user="),
            ("allow client=x", "client=x"),
            ("allow listener=0", "listener=0"),
            ("deny class=public", "class=public"),
            ("deny method=G(T", "method=G(T"),
            ("deny scheme=ftp", "scheme=ftp"),
            ("deny port=1 port=2", "port=2"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(&text[error.span], part, "{text}: {}", error.message);
        }
        for (text, said) in [
            ("allow api.example:443", "a port is a condition; write 'api.example port=443'"),
            ("allow 10.0.0.1:80", "'10.0.0.1 port=80'"),
            ("allow https://api.example/x", "without scheme and path; write 'api.example'"),
            ("allow api.example:http", "'api.example:http' is not an IP address"),
            ("allow a..b:80", "'a..b:80' is not an IP address"),
            ("allow a..b", "'a..b' is neither a host name nor *.DOMAIN or .DOMAIN"),
            ("deny port=1 port=2", "'port' is given twice"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert!(error.message.contains(said), "{text}: {error}");
        }
    }
}
