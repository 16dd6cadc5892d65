//! The name of what is protected.

use std::fmt;
use std::str::FromStr;

/// The realm of a protection space (RFC 9110 §11.5): not empty, without control characters, and
/// without a colon, so that it can stand in a line of `htdigest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Realm(String);

impl Realm {
    /// What it is called if nobody says.
    pub const DEFAULT: &'static str = "tidegate";

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Realm {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl FromStr for Realm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains(|char: char| char.is_control() || char == ':') {
            return Err(format!(
                "'{}' is no realm: it holds a colon or control character, or nothing",
                text.escape_debug()
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
