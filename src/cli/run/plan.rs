//! Differences between two configurations as text, limited to what an operator can read.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Users;
use crate::config::Change;
use crate::proxy::{AuthRules, Settings};
use crate::tls::{Certificate, ServerTls};

/// Users named in one line.
const NAMED: usize = 20;
/// Limit of an answer to an operator in bytes, because the loop copies it.
const LONGEST: usize = 64 * 1024;

/// Returns all differences, one per line; those beyond 64 KiB are only counted. Takes time in
/// proportion to the number of users and rules.
pub(super) fn text(changes: &[Change], old: &Settings, new: &Settings) -> String {
    let of_users = users_changes(old.service.auth.as_ref(), new.service.auth.as_ref());
    let of_rules = old.destinations.egress.changed_files(&new.destinations.egress);
    let of_rules = of_rules.map(|file| format!("rules changed: {file}"));
    let of_tls = certificate_changes(old.server_tls.as_deref(), new.server_tls.as_deref());
    let changes = changes.iter().map(ToString::to_string);
    joined(changes.chain(of_users).chain(of_rules).chain(of_tls))
}

/// Returns lines for certificates of this server that were added or removed, such as one that was
/// renewed and the one before.
fn certificate_changes(old: Option<&ServerTls>, new: Option<&ServerTls>) -> Vec<String> {
    let list =
        |tls: Option<&ServerTls>| tls.map_or(Vec::new(), |tls| tls.certificates().list().to_vec());
    let (old, new) = (list(old), list(new));
    let only = |these: &[Certificate], others: &[Certificate], what: &str| -> Vec<String> {
        let has = |one: &&Certificate| others.iter().any(|other| other.facts == one.facts);
        let only = these.iter().filter(|one| !has(one));
        only.map(|one| format!("certificate {what}: {one}")).collect()
    };
    [only(&new, &old, "added"), only(&old, &new, "removed")].concat()
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    let (mut text, mut more) = (String::new(), 0);
    for line in lines {
        if text.len() + line.len() < LONGEST {
            text.extend([line.as_str(), "\n"]);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        text.push_str(&format!("and {more} more changes\n"));
    }
    text
}

/// Cuts a message that exceeds the limit of an answer.
pub(super) fn shortened(message: &str) -> String {
    let end = message.floor_char_boundary(LONGEST);
    let cut = if end < message.len() { " …" } else { "" };
    format!("{}{cut}", &message[..end])
}

/// Returns lines for users that were added, removed or changed, for each protected path.
fn users_changes(old: Option<&AuthRules>, new: Option<&AuthRules>) -> Vec<String> {
    let (old, new) = (spaces(old), spaces(new));
    let nobody = Users::default();
    let paths: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let changes = paths.into_iter().flat_map(|path| {
        let place = if path == "/" { String::new() } else { format!(" of {path}") };
        let users = |spaces: &BTreeMap<_, _>| spaces.get(path).copied().unwrap_or(&nobody);
        named(&place, users(&old), users(&new))
    });
    changes.collect()
}

/// Returns the users of each protected path.
fn spaces(rules: Option<&AuthRules>) -> BTreeMap<&str, &Users> {
    let spaces = rules.map(|rules| rules.spaces.as_slice()).unwrap_or_default();
    spaces.iter().map(|space| (space.path.as_str(), space.accounts.users())).collect()
}

/// Returns lines that name users, and never their secrets.
fn named(place: &str, old: &Users, new: &Users) -> Vec<String> {
    let changes = old.changes(new);
    [("added", changes.added), ("removed", changes.removed), ("changed", changes.changed)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| {
            let shown = names[..names.len().min(NAMED)].join(", ");
            match names.len().checked_sub(NAMED) {
                None | Some(0) => format!("users{place} {what}: {shown}"),
                Some(more) => format!("users{place} {what}: {shown} and {more} more"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_plan_is_cut_and_gives_the_number_of_missing_lines() {
        let lines = || (0..10_000).map(|number| format!("allow-client: + 10.0.0.0/8 {number:06}"));
        let text = joined(lines());
        let shown = text.lines().count() - 1;
        assert!(text.len() < LONGEST + 100 && shown > 1000);
        assert!(text.ends_with(&format!("and {} more changes\n", 10_000 - shown)), "{text}");
        assert_eq!(joined(lines().take(2)).lines().count(), 2);
    }

    #[test]
    fn long_message_is_cut_between_characters() {
        let cut = shortened(&"ä".repeat(LONGEST));
        assert!(cut.len() <= LONGEST + 4 && cut.ends_with(" …"));
        assert_eq!(shortened("short"), "short");
    }
}
