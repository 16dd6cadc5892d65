//! Paths with users of their own, in option syntax: `/admin realm="the staff" users=FILE`.

use std::fmt;
use std::str::FromStr;

use crate::auth::{PathPrefix, Realm};

use super::schemes::Schemes;

/// Protected path. Parts that are `None` or empty are taken from the global options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protect {
    /// Prefix of the protected paths.
    pub path: PathPrefix,
    /// Realm of the path.
    pub realm: Option<Realm>,
    /// User files of the path.
    pub files: Vec<String>,
    /// Schemes to offer for the path.
    pub schemes: Option<Schemes>,
}

impl Protect {
    /// Names of the parts besides the path.
    pub const NAMES: &'static [&'static str] = &["realm", "users", "auth"];

    /// Returns the path with all parts taken from the global options.
    #[must_use]
    pub const fn new(path: PathPrefix) -> Self {
        Self { path, realm: None, files: Vec::new(), schemes: None }
    }

    /// Sets the part called `name`. A user file is added to the others.
    ///
    /// # Errors
    /// A message if the part is unknown, given twice or invalid.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let twice = match name {
            "realm" => self.realm.replace(value.parse()?).is_some(),
            "auth" => self.schemes.replace(value.parse()?).is_some(),
            "users" if value.is_empty() => return Err("'' is not a file".into()),
            "users" => {
                self.files.push(value.to_owned());
                false
            }
            _ => return Err(format!("'{name}' is none of {}", Self::NAMES.join(", "))),
        };
        if twice { Err(format!("'{name}' is given twice")) } else { Ok(()) }
    }

    /// Returns the name and value of each part besides the path, as [`set`](Self::set) takes them.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let realm = self.realm.iter().map(|realm| ("realm", realm.to_string()));
        let files = self.files.iter().map(|file| ("users", file.clone()));
        let schemes = self.schemes.iter().map(|schemes| ("auth", schemes.to_string()));
        realm.chain(files).chain(schemes).collect()
    }
}

impl FromStr for Protect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = words(text)?.into_iter();
        let path = words.next().ok_or("the path is missing")?;
        let mut protect = Self::new(path.parse()?);
        for word in words {
            let pair = word.split_once('=');
            let (name, value) = pair.ok_or_else(|| format!("'{word}' is not NAME=VALUE"))?;
            protect.set(name, value)?;
        }
        Ok(protect)
    }
}

impl fmt::Display for Protect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        self.parts().iter().try_for_each(|(name, value)| write!(f, " {name}={}", Word(value)))
    }
}

/// Value that is quoted unless it is a single word.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special = |char: char| char.is_whitespace() || matches!(char, '"' | '\\');
        if !self.0.contains(special) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Splits `text` into words. Within double quotes, white space does not end a word, and a backslash
/// makes the next character literal.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().extend(chars.next()),
            _ if char.is_whitespace() && !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    if quoted { Err("a quote is not closed".into()) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_paths_round_trip() {
        for text in [
            "/",
            "/admin/",
            "/admin realm=\"the \\\"old\\\" staff\" users=a users=\"b c\" auth=basic,digest",
            "/x users=C:\\y",
        ] {
            let read: Protect = text.parse().unwrap();
            assert_eq!(read.to_string().parse(), Ok(read.clone()), "{text}");
        }
        let read: Protect = "  /a  realm=\"a b\"\tusers=x=y ".parse().unwrap();
        assert_eq!(read.to_string(), "/a realm=\"a b\" users=x=y");
    }

    #[test]
    fn invalid_text_is_rejected_with_the_reason() {
        for (text, why) in [
            ("", "the path is missing"),
            ("admin", "is not a path"),
            ("/a/../b", "in several ways"),
            ("/a b", "not NAME=VALUE"),
            ("/a user=x", "none of realm, users, auth"),
            ("/a users=", "not a file"),
            ("/a realm=x realm=y", "twice"),
            ("/a realm=\"x", "not closed"),
            ("/a auth=ntlm", "none of basic, digest"),
            ("/a realm=a:b", "not a realm"),
        ] {
            let error = text.parse::<Protect>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
