//! One line of a file of users: as `htpasswd` writes it, or `htdigest`.

use std::fmt;

use crate::auth::digest::Algorithm;

use super::hash::PasswordHash;
use super::realm::Realm;
use super::secret::{Ha1, Password};

/// A user, and what is known of the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    user: String,
    proof: StoredSecret,
}

/// What is known of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSecret {
    /// `user:hash`: serves Basic.
    Hash(PasswordHash),
    /// `user:realm:HA1`: serves Digest with that algorithm, and Basic, in that realm.
    Digest(Realm, Algorithm, Ha1),
}

impl UserEntry {
    /// Reads one line without its end; `None` if it is blank or a comment.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, &'static str> {
        let line = std::str::from_utf8(line).map_err(|_| "no UTF-8; save the file as UTF-8")?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let fields: Vec<&str> = line.split(':').collect();
        let (user, proof) = match fields[..] {
            [user, hash] => (user, StoredSecret::Hash(PasswordHash::parse(hash)?)),
            [user, realm, ha1] => (user, digest(realm, ha1)?),
            _ => {
                return Err("neither 'user:hash' nor 'user:realm:HA1'; make it with 'htpasswd -B'");
            }
        };
        Self::new(user, proof).map(Some)
    }

    /// The line that recognizes `user` by `proof`.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(user: &str, proof: StoredSecret) -> Result<Self, &'static str> {
        if !is_name(user) {
            return Err("the user's name is empty, begins with '#', or holds a colon or control \
                        character; take another");
        }
        Ok(Self { user: user.to_owned(), proof })
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// By what the user is recognized.
    #[must_use]
    pub const fn proof(&self) -> &StoredSecret {
        &self.proof
    }

    /// As it stands in a file.
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
    let realm = realm.parse().map_err(|_| "the realm is empty or holds a control character")?;
    let algorithm = Algorithm::ALL.iter().find(|algorithm| algorithm.digits() == digits.len());
    let algorithm = *algorithm.ok_or(WHAT)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(WHAT);
    }
    Ok(StoredSecret::Digest(realm, algorithm, Ha1::new(digits.to_ascii_lowercase())))
}

impl StoredSecret {
    /// What serves Digest with `algorithm` in `realm`.
    #[must_use]
    pub fn digest(realm: Realm, algorithm: Algorithm, user: &str, password: &Password) -> Self {
        let ha1 = algorithm.ha1(user, &realm, password);
        Self::Digest(realm, algorithm, ha1)
    }

    /// Whether it is of `password`, which is `user`'s. Of a [`PasswordHash`] that takes time.
    #[must_use]
    pub fn verify(&self, user: &str, password: &Password) -> bool {
        match self {
            Self::Hash(hash) => hash.verify(password),
            Self::Digest(realm, algorithm, ha1) => algorithm.matches(ha1, user, realm, password),
        }
    }

    /// Whether a user can have only one of both.
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

/// What it is, without what is secret.
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

/// Whether a line can begin with `text` as a user's name: it is not empty, no comment, and holds no
/// colon and no control character.
pub(super) fn is_name(text: &str) -> bool {
    let forbidden = |char: char| char.is_control() || char == ':';
    !text.is_empty() && !text.starts_with('#') && !text.contains(forbidden)
}
