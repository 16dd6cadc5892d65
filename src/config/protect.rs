//! Paths with users of their own, as they are written: `/admin realm="the staff" users=FILE`.

use std::fmt;
use std::str::FromStr;

use crate::auth::{PathPrefix, Realm};

use super::schemes::Schemes;

/// A path that is protected; what it does not say is as for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protect {
    /// Where.
    pub path: PathPrefix,
    /// What it is called.
    pub realm: Option<Realm>,
    /// Files of users.
    pub files: Vec<String>,
    /// The schemes that are offered.
    pub schemes: Option<Schemes>,
}

impl Protect {
    /// What can be said of a path.
    pub const NAMES: &'static [&'static str] = &["realm", "users", "auth"];

    /// `path`, as everything else is.
    #[must_use]
    pub const fn new(path: PathPrefix) -> Self {
        Self { path, realm: None, files: Vec::new(), schemes: None }
    }

    /// Sets what is called `name`; a file of users is added to the others.
    ///
    /// # Errors
    /// What is wrong with it.
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
        if twice { Err(format!("'{name}' comes twice")) } else { Ok(()) }
    }

    /// What it says beside the path, as it could be set.
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
        let path = words.next().ok_or("it names no path")?;
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

/// A value in quotes, if it is not one word without them.
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

/// The words of `text`. Within double quotes white space ends none, and a backslash takes the next
/// character for itself.
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
    if quoted { Err("a quote has no end".into()) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
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
    fn what_makes_no_sense_says_why() {
        for (text, why) in [
            ("", "no path"),
            ("admin", "is no path"),
            ("/a/../b", "in several ways"),
            ("/a b", "not NAME=VALUE"),
            ("/a user=x", "none of realm, users, auth"),
            ("/a users=", "not a file"),
            ("/a realm=x realm=y", "twice"),
            ("/a realm=\"x", "no end"),
            ("/a auth=ntlm", "none of basic, digest"),
            ("/a realm=a:b", "no realm"),
        ] {
            let error = text.parse::<Protect>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
