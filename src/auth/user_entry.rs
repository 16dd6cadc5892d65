//! Line of a user file, in the format of `htpasswd` or `htdigest`.

use std::fmt;

use crate::auth::digest::Algorithm;

use super::hash::PasswordHash;
use super::realm::Realm;
use super::secret::{Ha1, Password};

/// User with one stored secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    user: String,
    proof: StoredSecret,
}

/// Secret that a password is verified against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSecret {
    /// `user:hash`: used by Basic.
    Hash(PasswordHash),
    /// `user:realm:HA1`: used by Digest with this algorithm, and by Basic, in this realm.
    Digest(Realm, Algorithm, Ha1),
}

impl UserEntry {
    /// Parses one line without its end. Returns `None` for a blank line or a comment.
    ///
    /// # Errors
    /// A message that says what is wrong and what to do.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, &'static str> {
        let line = std::str::from_utf8(line)
            .map_err(|_| "the line is not UTF-8; save the file as UTF-8")?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let fields: Vec<&str> = line.split(':').collect();
        let (user, proof) = match fields[..] {
            [user, hash] => (user, StoredSecret::Hash(PasswordHash::parse(hash)?)),
            [user, realm, ha1] => (user, digest(realm, ha1)?),
            _ => {
                return Err(
                    "the line is neither 'user:hash' nor 'user:realm:HA1'; make it with 'htpasswd -B'",
                );
            }
        };
        Self::new(user, proof).map(Some)
    }

    /// Returns the entry that authenticates `user` by `proof`.
    ///
    /// # Errors
    /// A message if the name is invalid.
    pub fn new(user: &str, proof: StoredSecret) -> Result<Self, &'static str> {
        if !is_name(user) {
            return Err(
                "the user's name is empty, begins with '#', or contains a colon or control \
                        character; choose another",
            );
        }
        Ok(Self { user: user.to_owned(), proof })
    }

    /// Returns the name of the user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the stored secret.
    #[must_use]
    pub const fn proof(&self) -> &StoredSecret {
        &self.proof
    }

    /// Returns the text of the line.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.proof {
            StoredSecret::Hash(hash) => format!("{}:{}", self.user, hash.as_str()),
            StoredSecret::Digest(realm, _, ha1) => {
                format!("{}:{realm}:{}", self.user, ha1.as_str())
            }
        }
    }

    pub(super) fn into_parts(self) -> (String, StoredSecret) {
        (self.user, self.proof)
    }
}

fn digest(realm: &str, digits: &str) -> Result<StoredSecret, &'static str> {
    const WHAT: &str = "the third part must be 32 hexadecimal digits (MD5) or 64 (SHA-256); make \
                        the line again with 'htdigest'";
    let realm = realm.parse().map_err(|_| "the realm is empty or contains a control character")?;
    let algorithm = Algorithm::ALL.iter().find(|algorithm| algorithm.digits() == digits.len());
    let algorithm = *algorithm.ok_or(WHAT)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(WHAT);
    }
    Ok(StoredSecret::Digest(realm, algorithm, Ha1::new(digits.to_ascii_lowercase())))
}

impl StoredSecret {
    /// Returns the secret for Digest with `algorithm` in `realm`.
    #[must_use]
    pub fn digest(realm: Realm, algorithm: Algorithm, user: &str, password: &Password) -> Self {
        let ha1 = algorithm.ha1(user, &realm, password);
        Self::Digest(realm, algorithm, ha1)
    }

    /// Returns true if the secret is that of `password` for `user`. A [`PasswordHash`] takes time
    /// to verify.
    #[must_use]
    pub fn verify(&self, user: &str, password: &Password) -> bool {
        match self {
            Self::Hash(hash) => hash.verify(password),
            Self::Digest(realm, algorithm, ha1) => algorithm.matches(ha1, user, realm, password),
        }
    }

    /// Returns true if a user can have only one of both secrets.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Hash(_), Self::Hash(_)) => true,
            (Self::Digest(realm, algorithm, _), Self::Digest(other_realm, other_algorithm, _)) => {
                (realm, algorithm) == (other_realm, other_algorithm)
            }
            _ => false,
        }
    }
}

/// Writes the kind of the secret, without the secret itself.
impl fmt::Display for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => f.write_str(hash.name()),
            Self::Digest(realm, algorithm, _) => {
                write!(f, "Digest {} in realm '{realm}'", algorithm.name())
            }
        }
    }
}

/// Returns true if `text` is valid as a user's name in a file: not empty, not the start of a
/// comment, and without colons and control characters.
pub(super) fn is_name(text: &str) -> bool {
    let forbidden = |char: char| char.is_control() || char == ':';
    !text.is_empty() && !text.starts_with('#') && !text.contains(forbidden)
}
