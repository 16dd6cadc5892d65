//! Texts with variables that stand for parts of a request.

use std::fmt;
use std::str::FromStr;

/// A text with variables in braces, such as `https://www.example{uri}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// A part of a request that a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// The client's address, behind trusted proxies.
    Client,
    /// The host by which the client asked, with its port unless that is the scheme's default.
    Host,
    /// The method.
    Method,
    /// The path, without the query.
    Path,
    /// The path behind the prefix of the route, and the query.
    Rest,
    /// The scheme by which the client asked.
    Scheme,
    /// Path and query.
    Uri,
    /// The authenticated user, or nothing.
    User,
}

impl Variable {
    const ALL: [(&'static str, Self); 8] = [
        ("client", Self::Client),
        ("host", Self::Host),
        ("method", Self::Method),
        ("path", Self::Path),
        ("rest", Self::Rest),
        ("scheme", Self::Scheme),
        ("uri", Self::Uri),
        ("user", Self::User),
    ];
}

impl Template {
    /// Returns the text in which `value_of` has replaced each variable.
    pub(crate) fn fill<'a>(&'a self, mut value_of: impl FnMut(Variable) -> &'a str) -> String {
        let texts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text,
            Part::Variable(variable) => value_of(*variable),
        });
        texts.collect()
    }

    /// Returns true if the text has the variable.
    pub(crate) fn has(&self, variable: Variable) -> bool {
        self.parts.contains(&Part::Variable(variable))
    }

    /// Returns true if the text has `{rest}`, for which a route needs a prefix.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.has(Variable::Rest)
    }

    /// Returns true if the text has no variable.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Returns the names of all variables, as they are written.
fn names() -> String {
    Variable::ALL.map(|(name, _)| format!("{{{name}}}")).join(", ")
}

/// Returns a variable in the syntax of another program, if there is one: `$host`, `${host}`, `%[src]` or
/// `%{HOST}`. A `$` behind a letter or digit, or before a digit, is text.
fn foreign_variable(text: &str) -> Option<&str> {
    let mut marks = text.match_indices(['$', '%']);
    marks.find_map(|(at, mark)| {
        let (before, behind) = (text[..at].chars().next_back(), &text[at + 1..]);
        let in_word = mark == "$" && before.is_some_and(char::is_alphanumeric);
        let length = match behind.chars().next()? {
            '{' => behind.find('}')? + 1,
            '[' if mark == "%" => behind.find(']')? + 1,
            'a'..='z' | '_' if mark == "$" => {
                let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
                behind.find(is_end).unwrap_or(behind.len())
            }
            _ => return None,
        };
        (!in_word).then(|| &text[at..=at + length])
    })
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(foreign) = foreign_variable(text) {
            return Err(format!("'{text}': '{foreign}': variables are written {}", names()));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (literal, behind) = (&rest[..open], &rest[open + 1..]);
            let close = behind.find('}');
            let close = close.ok_or_else(|| format!("'{text}': '{{' is not closed by '}}'"))?;
            let name = &behind[..close];
            let known = Variable::ALL.into_iter().find(|(known, _)| *known == name);
            let (_, variable) =
                known.ok_or_else(|| format!("'{{{name}}}' is none of {}", names()))?;
            parts.extend((!literal.is_empty()).then(|| Part::Literal(literal.into())));
            parts.push(Part::Variable(variable));
            rest = &behind[close + 1..];
        }
        parts.extend((!rest.is_empty()).then(|| Part::Literal(rest.into())));
        Ok(Self { text: text.into(), parts: parts.into() })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_unknown_ones_rejected() {
        let read: Template = "{scheme}://w.test{uri}?".parse().unwrap();
        let filled = read.fill(|variable| match variable {
            Variable::Scheme => "https",
            Variable::Uri => "/x?y",
            _ => unreachable!("the text has two variables"),
        });
        assert_eq!((filled.as_str(), read.is_literal()), ("https://w.test/x?y?", false));
        assert!("plain".parse::<Template>().unwrap().is_literal());
        let error = |text: &str| text.parse::<Template>().unwrap_err();
        for (text, variable) in [
            ("http://$host/", "'$host'"),
            ("$request_uri", "'$request_uri'"),
            ("x ${host}", "'${host}'"),
            ("%[src]", "'%[src]'"),
            ("%[req.hdr(Host)] x", "'%[req.hdr(Host)]'"),
            ("https://%{HTTP_HOST}/", "'%{HTTP_HOST}'"),
        ] {
            let error = error(text);
            assert!(error.contains(variable), "{error}");
            assert!(error.contains("variables are written {client}, {host}"), "{error}");
        }
        for text in ["pa$word", "$5", "100%", "/a%20b", "$", "%[", "$X"] {
            assert!(text.parse::<Template>().unwrap().is_literal(), "{text}");
        }
        assert!(error("{uri").contains("not closed"));
        assert!(error("{url}").contains("'{url}' is none of {client}, {host}"));
    }
}
