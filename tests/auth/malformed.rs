//! Unreadable credentials: the outcome is 400, and no hash is computed.

use tidegate::auth::digest::Algorithm;

use super::examples::Answer;
use super::support::{Door, digest_line, outcome};

fn door() -> Door {
    Door::new(&digest_line("alice", Algorithm::Sha256, "secret"))
}

#[test]
fn altered_credentials_are_malformed() {
    let mut door = door();
    let good = Answer::to(&door.nonce()).sign();
    assert_eq!(outcome(door.get("/a?b", &good)), "alice is there");
    for (from, to) in [
        ("username=\"alice\", ", ""),
        ("username=\"alice\"", "username=alice"),
        ("username=\"alice\"", "username*=UTF-8''alice, username=\"alice\""),
        ("username=\"alice\"", "username*=\"UTF-8''alice\""),
        ("username=\"alice\"", "username*=UTF-8''alice, userhash=true"),
        ("username=\"alice\"", "username*=latin1''alice"),
        ("username=\"alice\"", "username=\"alice\", userhash=perhaps"),
        ("username=\"alice\"", "username=\"alice"),
        ("realm=\"a realm\", ", ""),
        ("realm=\"a realm\"", "realm=\"a realm\", Realm=\"a realm\""),
        ("realm=\"a realm\"", "realm=\"a realm\" x"),
        ("uri=\"/a?b\", ", ""),
        ("uri=\"/a?b\"", "uri=/a"),
        ("uri=\"/a?b\"", "uri=\"/a%3Fb\""),
        ("qop=auth, ", ""),
        ("nc=00000001, ", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=0000000A"),
        ("nc=00000001", "nc=+0000001"),
        ("nc=00000001", "nc=00000001, nc=00000001"),
        ("cnonce=\"c0\", ", ""),
        ("cnonce=\"c0\"", "cnonce=c0"),
        ("response=\"", "response=\"G"),
        ("response=\"", "response=\"\", response=\""),
        ("response", "answer"),
        ("Digest ", "Digest x "),
        ("Digest ", "Digest =, "),
    ] {
        let altered = good.replacen(from, to, 1);
        assert_ne!(altered, good, "{from}");
        let outcome = outcome(door.get("/a?b", &altered));
        // A readable `uri` makes the credentials those of another request.
        match to.starts_with("uri=\"") {
            true => assert_eq!(outcome, "for another request", "{altered}"),
            false => assert!(outcome.starts_with("malformed: "), "{outcome}: {altered}"),
        }
        assert!(!outcome.contains("alice"), "{outcome}");
    }
}

#[test]
fn incomplete_credentials_are_malformed() {
    for credentials in ["Digest", "Digest ,,", "Basic", "Basic =", "Basic YTpi, x=y"] {
        let outcome = outcome(door().get("/", credentials));
        assert!(outcome.starts_with("malformed: "), "{outcome}: {credentials}");
    }
}

#[test]
fn several_sets_of_credentials_are_malformed() {
    let mut door = door();
    let good = Answer::to(&door.nonce()).sign();
    let outcome = outcome(door.request("GET", "/a?b", &[&good, &good]));
    assert_eq!(outcome, "malformed: there are several sets of credentials");
}

#[test]
fn unknown_parameters_are_ignored() {
    let mut door = door();
    let more = Answer::to(&door.nonce()).sign() + ", opaque=\"\", auth-param=a, , x=\"\\\"\"";
    assert_eq!(outcome(door.get("/a?b", &more)), "alice is there");
}
