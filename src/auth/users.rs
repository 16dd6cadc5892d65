//! Users, read from files in the format of `htpasswd`, of `htdigest`, or of both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::auth::digest::Algorithm;
use crate::work::{self, LOOK_UP};

use super::hash::PasswordHash;
use super::realm::Realm;
use super::secret::{Ha1, Password};
use super::user_entry::{StoredSecret, UserEntry};

/// All users with their stored secrets.
#[derive(Clone, Debug, Default)]
pub struct Users {
    users: Vec<User>,
    /// Index of each user, by name.
    places: BTreeMap<Arc<str>, usize>,
}

/// User with all stored secrets.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) name: Arc<str>,
    proofs: Vec<StoredSecret>,
}

/// Differences between two sets of users: names, in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChanges<'a> {
    /// New users.
    pub added: Vec<&'a str>,
    /// Removed users.
    pub removed: Vec<&'a str>,
    /// Users with different secrets.
    pub changed: Vec<&'a str>,
}

/// Line that cannot be used, with its file and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Name of the file.
    pub file: String,
    /// Number of the line, counted from 1.
    pub number: usize,
    /// Message that says what is wrong and what to do.
    pub what: &'static str,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.number, self.what)
    }
}

impl std::error::Error for BadLine {}

impl Users {
    /// Adds the users of the file named `file`, whose content is `text`.
    ///
    /// # Errors
    /// The first line that is invalid, or that repeats a line of any file.
    pub fn read(&mut self, file: &str, text: &[u8]) -> Result<(), BadLine> {
        for (i, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let bad = |what| BadLine { file: file.to_owned(), number: i + 1, what };
            if let Some(line) = UserEntry::parse(line).map_err(bad)? {
                self.add(line).map_err(bad)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, line: UserEntry) -> Result<(), &'static str> {
        let (user, proof) = line.into_parts();
        let place = self.places.get(user.as_str()).copied().unwrap_or_else(|| {
            let name: Arc<str> = user.into();
            self.places.insert(name.clone(), self.users.len());
            self.users.push(User { name, proofs: Vec::new() });
            self.users.len() - 1
        });
        let proofs = &mut self.users[place].proofs;
        if proofs.iter().any(|other| other.replaces(&proof)) {
            return Err("the user already has a line of this kind; remove one of the two");
        }
        proofs.push(proof);
        Ok(())
    }

    /// Returns the number of users.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.users.len()
    }

    /// Returns true if there are no users.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Returns the changes from these users to `newer`.
    #[must_use]
    pub fn changes<'a>(&'a self, newer: &'a Self) -> UserChanges<'a> {
        work::count((self.len() + newer.len()) * LOOK_UP);
        let missing = |from: &'a Self, of: &'a Self| {
            of.places.keys().map(|name| &**name).filter(|name| from.find(name).is_none()).collect()
        };
        let differs = |name: &&str| match (self.find(name), newer.find(name)) {
            (Some(old), Some(new)) => !old.is_recognized_like(new),
            _ => false,
        };
        UserChanges {
            added: missing(self, newer),
            removed: missing(newer, self),
            changed: self.places.keys().map(|name| &**name).filter(differs).collect(),
        }
    }

    /// Returns true if `password` matches all stored secrets of `user`; `None` if there is no such
    /// user. Takes the time of all these hashes.
    #[must_use]
    pub fn verify(&self, user: &str, password: &Password) -> Option<bool> {
        let user = self.find(user)?;
        Some(user.proofs.iter().all(|proof| proof.verify(&user.name, password)))
    }

    pub(super) fn find(&self, name: &str) -> Option<&User> {
        self.places.get(name).map(|&place| &self.users[place])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.users.iter()
    }
}

impl Drop for Users {
    /// Counts the work of freeing all users.
    fn drop(&mut self) {
        work::count(self.len() * LOOK_UP);
    }
}

impl User {
    /// Returns true if both users have the same secrets, in any order.
    fn is_recognized_like(&self, other: &Self) -> bool {
        let has_all = |of: &Self, in_other: &Self| {
            of.proofs.iter().all(|proof| in_other.proofs.contains(proof))
        };
        has_all(self, other) && has_all(other, self)
    }

    /// Returns the hash for Digest with `algorithm` in `realm`.
    pub(super) fn ha1(&self, realm: &Realm, algorithm: Algorithm) -> Option<&Ha1> {
        self.proofs.iter().find_map(|proof| match proof {
            StoredSecret::Digest(in_realm, of, ha1) if (in_realm, *of) == (realm, algorithm) => {
                Some(ha1)
            }
            _ => None,
        })
    }

    pub(super) fn hash(&self) -> Option<&PasswordHash> {
        self.proofs.iter().find_map(|proof| match proof {
            StoredSecret::Hash(hash) => Some(hash),
            StoredSecret::Digest(..) => None,
        })
    }

    /// Returns true if Digest can authenticate the user in `realm`, with any algorithm.
    pub(super) fn serves_digest(&self, realm: &Realm) -> bool {
        Algorithm::ALL.iter().any(|&of| self.ha1(realm, of).is_some())
    }

    /// Returns true if Basic can authenticate the user in `realm`.
    pub(super) fn serves_basic(&self, realm: &Realm) -> bool {
        self.hash().is_some() || self.serves_digest(realm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjddC";
    const HA1: &str = "964efeec8658458f5a028e7f75237953"; // of alice, 'a realm' and 'secret'

    fn read(text: &str) -> Result<Users, String> {
        let mut users = Users::default();
        users.read("users", text.as_bytes()).map_err(|bad| bad.to_string())?;
        Ok(users)
    }

    #[test]
    fn one_file_may_contain_both_formats() {
        let text = format!(
            "# people\n\nalice:{BCRYPT}\r\nalice:a realm:{HA1}\nalice:other:{HA1}\n  \nJäsøn Doe:r:{HA1}{HA1}"
        );
        let users = read(&text).unwrap();
        assert_eq!(users.len(), 2);
        let secret = Password::new("secret").unwrap();
        assert_eq!(
            users.verify("alice", &secret),
            Some(false),
            "the other realm's hash does not match"
        );
        assert_eq!(users.verify("bob", &secret), None);
        let users = read(&format!("alice:{BCRYPT}\nalice:a realm:{}", HA1.to_uppercase())).unwrap();
        assert_eq!(users.verify("alice", &secret), Some(true));
        let shown = format!("{users:?}");
        assert!(!shown.contains(&BCRYPT[30..]) && !shown.contains(HA1), "{shown}");
    }

    #[test]
    fn invalid_lines_are_named_but_not_shown() {
        for (text, expected) in [
            ("alice", "users:1: the line is neither"),
            ("#\nalice:secret", "users:2: a password in plain text"),
            (":$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.", "users:1: the user's name"),
            ("a\tb:$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.", "users:1: the user's name"),
            ("alice:realm:0123", "users:1: the third part"),
            ("alice:realm:964efeec8658458f5a028e7f7523795g", "users:1: the third part"),
            ("alice::964efeec8658458f5a028e7f75237953", "users:1: the realm"),
            ("a:b:c:d", "users:1: the line is neither"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected) && !error.contains("secret"), "{error}");
        }
        let mut users = Users::default();
        assert!(users.read("users", b"\xff:x").unwrap_err().what.contains("UTF-8"));
    }

    #[test]
    fn changes_are_listed_by_name() {
        let old =
            read(&format!("carol:r:{HA1}\nbob:r:{HA1}\nalice:{BCRYPT}\nalice:r:{HA1}")).unwrap();
        let other = HA1.replace('9', "8");
        let new = format!("alice:r:{HA1}\nalice:{BCRYPT}\ndan:r:{HA1}\n# no more\ncarol:r:{other}");
        let new = read(&new).unwrap();
        let changes =
            UserChanges { added: vec!["dan"], removed: vec!["bob"], changed: vec!["carol"] };
        assert_eq!(old.changes(&new), changes);
        assert_eq!(old.changes(&old), UserChanges::default());
    }

    #[test]
    fn added_or_removed_secret_is_a_change() {
        let one = read(&format!("alice:{BCRYPT}")).unwrap();
        let two = read(&format!("alice:{BCRYPT}\nalice:r:{HA1}")).unwrap();
        for changes in [one.changes(&two), two.changes(&one)] {
            assert_eq!(changes, UserChanges { changed: vec!["alice"], ..UserChanges::default() });
        }
    }

    #[test]
    fn comparing_a_user_counts_as_one_look_up() {
        let users = |count| {
            let lines: Vec<_> = (0..count).map(|number| format!("u{number}:r:{HA1}")).collect();
            read(&lines.join("\n")).unwrap()
        };
        let (old, newer) = (users(20), users(30));
        let before = work::counted();
        assert_eq!(old.changes(&newer).added.len(), 10);
        assert_eq!(work::counted() - before, 50 * LOOK_UP as u64);
    }

    #[test]
    fn repeated_entries_are_rejected() {
        for line in [format!("alice:{BCRYPT}"), format!("alice:r:{HA1}")] {
            let error = read(&format!("{line}\nbob:r:{HA1}\n{line}\n")).unwrap_err();
            assert!(
                error.starts_with("users:3: the user already has a line of this kind"),
                "{error}"
            );
        }
        assert!(read(&format!("a:r:{HA1}\na:r:{HA1}{HA1}\na:q:{HA1}\nA:r:{HA1}")).is_ok());
    }
}
