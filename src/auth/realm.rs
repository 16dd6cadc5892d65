//! Realm, the name of a protection space.

use std::fmt;
use std::str::FromStr;

/// Realm of a protection space (RFC 9110 §11.5): not empty, without control characters, and without
/// a colon, so that it fits into a line of `htdigest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Realm(String);

impl Realm {
    /// Realm if the operator configures none.
    pub const DEFAULT: &'static str = "tidegate";

    /// Returns the text of the realm.
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
                "'{}' is not a realm; it must not be empty or contain a colon or control character",
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
