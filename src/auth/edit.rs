//! Edits of user files. Every other line stays as it is, byte for byte.

use super::user_entry::UserEntry;

/// Returns the file with `line` in place of the entry that it replaces, or appended.
///
/// A line that cannot be parsed belongs to no user, and stays.
#[must_use]
pub fn set(text: &[u8], line: &UserEntry) -> Vec<u8> {
    let new = line.text() + "\n";
    let mut written = false;
    let mut out = Vec::with_capacity(text.len() + new.len() + 1);
    for old in lines(text) {
        let replaced = read(old)
            .is_some_and(|old| old.user() == line.user() && old.proof().replaces(line.proof()));
        if !replaced {
            out.extend_from_slice(old);
        } else if !written {
            written = true;
            out.extend_from_slice(new.as_bytes());
        }
    }
    if !written {
        if out.last().is_some_and(|&byte| byte != b'\n') {
            out.push(b'\n');
        }
        out.extend_from_slice(new.as_bytes());
    }
    out
}

/// Returns the file without the entries of `user`; `None` if there are none.
#[must_use]
pub fn remove(text: &[u8], user: &str) -> Option<Vec<u8>> {
    let stays = |old: &&[u8]| read(old).is_none_or(|line| line.user() != user);
    let out = lines(text).filter(stays).collect::<Vec<_>>().concat();
    (out.len() < text.len()).then_some(out)
}

/// Returns the entries that can be parsed, in their order.
pub fn list(text: &[u8]) -> impl Iterator<Item = UserEntry> {
    lines(text).filter_map(read)
}

/// Returns the lines with their line ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

fn read(line: &[u8]) -> Option<UserEntry> {
    UserEntry::parse(line.strip_suffix(b"\n").unwrap_or(line)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::digest::Algorithm;
    use crate::auth::hash::PasswordHash;
    use crate::auth::secret::Password;
    use crate::auth::user_entry::StoredSecret;

    const OLD: &str = "$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.";
    const NEW: &str = "$apr1$dpWweCo.$3lg41Q0jCVg8tM730gOJ60";

    fn hashed(user: &str) -> UserEntry {
        let proof = StoredSecret::Hash(PasswordHash::parse(NEW).unwrap());
        UserEntry::new(user, proof).unwrap()
    }

    fn set_text(text: &str, line: &UserEntry) -> String {
        String::from_utf8(set(text.as_bytes(), line)).unwrap()
    }

    #[test]
    fn set_replaces_an_entry_or_appends_it() {
        assert_eq!(set_text("", &hashed("a")), format!("a:{NEW}\n"));
        assert_eq!(set_text("# x", &hashed("a")), format!("# x\na:{NEW}\n"));
        let text = format!("# x\r\n\na:{OLD}\nbad line\nb:{OLD}");
        let expected = format!("# x\r\n\na:{NEW}\nbad line\nb:{OLD}");
        assert_eq!(set_text(&text, &hashed("a")), expected);
        let expected = format!("# x\r\n\na:{OLD}\nbad line\nb:{NEW}\n");
        assert_eq!(set_text(&text, &hashed("b")), expected);
    }

    #[test]
    fn digest_entry_replaces_its_realm_and_algorithm() {
        let password = Password::new("secret").unwrap();
        let line = |realm: &str, algorithm| {
            let proof = StoredSecret::digest(realm.parse().unwrap(), algorithm, "alice", &password);
            UserEntry::new("alice", proof).unwrap()
        };
        let mut text = String::new();
        for line in [
            line("a realm", Algorithm::Md5),
            line("a realm", Algorithm::Sha256),
            hashed("alice"),
            line("other", Algorithm::Md5),
            line("a realm", Algorithm::Md5),
        ] {
            text = set_text(&text, &line);
        }
        let listed: Vec<String> =
            list(text.as_bytes()).map(|line| line.proof().to_string()).collect();
        let expected = [
            "Digest MD5 in realm 'a realm'",
            "Digest SHA-256 in realm 'a realm'",
            "apr1",
            "Digest MD5 in realm 'other'",
        ];
        assert_eq!(listed, expected);
        assert!(text.starts_with("alice:a realm:964efeec8658458f5a028e7f75237953\n"));
    }

    #[test]
    fn remove_drops_all_entries_of_a_user() {
        let text = format!("a:{OLD}\n#a:{OLD}\nb:{OLD}\na:r:964efeec8658458f5a028e7f75237953");
        assert_eq!(
            remove(text.as_bytes(), "a").unwrap(),
            format!("#a:{OLD}\nb:{OLD}\n").as_bytes()
        );
        assert_eq!(remove(text.as_bytes(), "c"), None);
    }

    proptest! {
        #[test]
        fn other_lines_are_kept(text in "([ab#]:[a-z]{0,3}\r?\n|c:\\$apr1\\$ab\\$S8K6Sgp3W8c9Jb6LxgywZ\\.\n)*") {
            let added = set(text.as_bytes(), &hashed("new"));
            prop_assert!(added.starts_with(text.as_bytes()));
            prop_assert_eq!(remove(&added, "new").unwrap(), text.as_bytes());
        }
    }
}
