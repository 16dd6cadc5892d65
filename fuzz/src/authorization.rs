//! Credentials and files of users: parsed values can be written again, and random credentials are
//! never accepted.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tidegate::auth::{
    AuthResult, AuthSettings, Authenticator, RealmUsers, Request, Secret, Side, UserEntry, Users,
    basic, digest, edit,
};
use tidegate::http::{Fields, Name};
use tidegate::reactor::{Clock, VirtualClock};

/// Checks any bytes as credentials, and as a file of users.
pub fn rules(value: &[u8]) {
    check_basic(value);
    check_digest(value);
    check_verdict(value);
    check_file(value);
}

fn check_basic(value: &[u8]) {
    let token = value.strip_prefix(b"Basic ").unwrap_or(value);
    let Ok(read) = basic::Credentials::parse(token) else { return };
    assert!(!read.user.contains(|char: char| char == ':' || char.is_control()));
    assert!(token.len().is_multiple_of(4), "base64 has padding");
}

/// Digest credentials that were parsed can be written, and parse to the same value again.
fn check_digest(value: &[u8]) {
    let params = value.strip_prefix(b"Digest ").unwrap_or(value);
    let Ok(read) = digest::Credentials::parse(params) else { return };
    let user = match &read.user {
        digest::Named::Plain(name) => format!("username={}", quoted(name)),
        digest::Named::Hashed(hash) => format!("userhash=true, username={}", quoted(hash)),
    };
    let algorithm = read.algorithm.as_ref().map(|of| format!(", algorithm={}", quoted(of)));
    let written = format!(
        "{user}, realm={}, nonce={}, uri={}, cnonce={}, qop={}, nc={}, response={}{}",
        quoted(&read.realm),
        quoted(&read.nonce),
        quoted(&read.uri),
        quoted(&read.cnonce),
        quoted(&read.qop),
        read.nc,
        quoted(&read.response),
        algorithm.unwrap_or_default()
    );
    if user.contains(char::is_control) {
        return; // username* can hold characters that a quoted string cannot
    }
    assert_eq!(digest::Credentials::parse(written.as_bytes()), Ok(read));
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Credentials are never accepted while the password is unknown and no nonce was issued.
fn check_verdict(value: &[u8]) {
    let hash = "1234567890abcdef".repeat(2);
    let mut users = Users::default();
    users
        .read("users", format!("alice:a realm:{hash}\nalice:a realm:{hash}{hash}").as_bytes())
        .expect("well-formed lines");
    let mut settings = AuthSettings::new(Side::Origin, "a realm".parse().expect("a realm"));
    settings.userhash = true;
    let accounts = Arc::new(RealmUsers::new(users, &settings));
    let mut door = Authenticator::new(settings, accounts, &Secret::new([7; 32]));
    let mut fields = Fields::default();
    fields.push(Name::Authorization.as_str().as_bytes(), value);
    let clock = VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1 << 30));
    let request = Request { method: "GET", target: "/a?b", fields: &fields };
    let verdict = door.verify(&request, clock.now());
    let refused = matches!(
        verdict,
        AuthResult::Challenge(_) | AuthResult::Malformed(_) | AuthResult::Misdirected
    );
    assert!(refused, "{verdict:?}");
}

/// Editing the entries of one user leaves those of other users unchanged.
fn check_file(text: &[u8]) {
    let mut users = Users::default();
    let lines: Vec<UserEntry> = edit::list(text).collect();
    if users.read("users", text).is_ok() {
        assert!(users.len() <= lines.len() && users.is_empty() == lines.is_empty());
    }
    for line in &lines {
        assert_eq!(UserEntry::parse(line.text().as_bytes()), Ok(Some(line.clone())));
        let left = edit::remove(text, line.user()).expect("the user has an entry");
        let others = lines.iter().filter(|other| other.user() != line.user()).cloned();
        assert!(edit::list(&left).eq(others));
        let set = edit::set(text, line);
        assert!(edit::list(&set).any(|other| other == *line));
        assert_eq!(edit::set(&set, line), set);
    }
}
