//! Basic credentials: verification jobs, cached results, and unknown users.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tidegate::auth::digest::Algorithm;
use tidegate::auth::{AuthResult, Side, VerifyJob, VerifyResult};
use tidegate::reactor::Clock;

use super::support::{BCRYPT, Door, digest_line, outcome};

const ALADDIN: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="; // open sesame
const ALICE: &str = "Basic YWxpY2U6c2VjcmV0"; // secret
const ALICE_WRONG: &str = "Basic YWxpY2U6U2VjcmV0"; // Secret
const ALADDIN_WRONG: &str = "Basic QWxhZGRpbjpPcGVuIHNlc2FtZQ=="; // Open sesame
const BOB: &str = "Basic Ym9iOnNlY3JldA=="; // secret

fn hashed() -> String {
    format!("alice:{BCRYPT}\n")
}

fn job(door: &mut Door, credentials: &str) -> Box<VerifyJob> {
    match door.get("/", credentials) {
        AuthResult::NeedsHashing(job) => job,
        other => panic!("{other:?}"),
    }
}

fn conclude(door: &mut Door, done: VerifyResult) -> String {
    let now = door.clock.now();
    outcome(door.authenticator.finish_verification(done, now))
}

#[test]
fn slow_hash_needs_a_job_and_its_result_is_cached() {
    let mut door = Door::new(&hashed());
    for (credentials, expected) in [(ALICE, "alice is there"), (ALICE_WRONG, "wrong")] {
        let job = job(&mut door, credentials);
        let done = std::thread::spawn(move || job.run()).join().unwrap();
        assert_eq!(done.is_good(), credentials == ALICE);
        assert_eq!(conclude(&mut door, done), expected);
        assert_eq!(outcome(door.get("/", credentials)), expected);
    }
    door.clock.advance(Duration::from_secs(59));
    assert_eq!(outcome(door.get("/", ALICE)), "alice is there");
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(outcome(door.get("/", ALICE)), "needs hashing");
}

#[test]
fn equal_credentials_have_equal_tickets() {
    let mut door = Door::new(&hashed());
    let ticket = |door: &mut Door, credentials| job(door, credentials).ticket();
    let alice = ticket(&mut door, ALICE);
    assert_eq!(alice, ticket(&mut door, ALICE));
    assert_ne!(alice, ticket(&mut door, ALICE_WRONG));
    assert_ne!(alice, ticket(&mut door, BOB));
}

#[test]
fn unknown_user_costs_the_same_and_is_rejected() {
    let mut door = Door::new(&hashed());
    let job = job(&mut door, BOB); // verified against alice's hash, with alice's password
    assert_eq!(conclude(&mut door, job.run()), "wrong");
    assert_eq!(outcome(door.get("/", BOB)), "wrong");
    let job = self::job(&mut door, ALICE);
    assert_eq!(conclude(&mut door, job.run()), "alice is there");
}

#[test]
fn unknown_users_get_stable_decoys_that_depend_on_the_secret() {
    // Entries of Digest are verified at once; slow hashes need a job.
    let at_once = (0..300).map(|n| digest_line(&format!("early{n}"), Algorithm::Md5, "") + "\n");
    let hashed = (0..300).map(|n| format!("late{n}:{BCRYPT}\n"));
    let text: String = at_once.chain(hashed).collect();
    let outcomes = |door: &mut Door| -> Vec<String> {
        let names = (b'a'..=b'z').map(|name| [name, b':', b'x']);
        names
            .map(|name| outcome(door.get("/", &format!("Basic {}", BASE64.encode(name)))))
            .collect()
    };
    let mut door = Door::new(&text);
    let found = outcomes(&mut door);
    assert!(["wrong", "needs hashing"].iter().all(|one| found.iter().any(|other| other == one)));
    assert_eq!(outcomes(&mut door), found, "each name keeps its decoy");
    let elsewhere = outcomes(&mut Door::with_secret(&text, [8; 32]));
    assert_ne!(elsewhere, found, "the decoy depends on the secret");
}

#[test]
fn cached_result_ends_with_its_stored_hash() {
    let mut door = Door::new(&hashed());
    let job = job(&mut door, ALICE);
    conclude(&mut door, job.run());
    let other = BCRYPT.replace("uu2r", "uu2s");
    door.replace_users(&format!("alice:{other}"));
    let job = self::job(&mut door, ALICE);
    assert_eq!(conclude(&mut door, job.run()), "wrong");
    door.replace_users(&format!("bob:{BCRYPT}"));
    let job = self::job(&mut door, ALICE);
    assert_eq!(conclude(&mut door, job.run()), "wrong", "alice was removed");
}

#[test]
fn digest_entry_verifies_basic_without_a_job() {
    for algorithm in Algorithm::ALL {
        let mut door = Door::new(&digest_line("Aladdin", *algorithm, "open sesame"));
        assert_eq!(outcome(door.get("/", ALADDIN)), "Aladdin is there");
        assert_eq!(outcome(door.get("/", ALADDIN_WRONG)), "wrong");
        assert_eq!(outcome(door.get("/", ALICE)), "wrong");
    }
}

#[test]
fn scheme_name_ignores_case() {
    let mut door = Door::new(&digest_line("Aladdin", Algorithm::Md5, "open sesame"));
    for credentials in [ALADDIN.replace("Basic", "bASIC"), ALADDIN.replace(' ', "   ")] {
        assert_eq!(outcome(door.get("/", &credentials)), "Aladdin is there");
    }
    for credentials in ["Bearer abc", "Basically abc", "", "Negotiate"] {
        assert_eq!(outcome(door.get("/", credentials)), "not-offered");
    }
}

#[test]
fn disabled_scheme_is_neither_offered_nor_accepted() {
    let mut door = Door::with(&hashed(), |settings| settings.basic = false);
    assert_eq!(outcome(door.get("/", ALICE)), "not-offered");
    assert!(door.challenges().is_empty() && door.schemes().is_empty());
    let mut door = Door::new("# no users");
    assert!(door.schemes().is_empty());
    assert_eq!(outcome(door.get("/", ALICE)), "not-offered");
}

#[test]
fn scheme_is_offered_if_a_user_can_authenticate_with_it() {
    let digest = digest_line("Aladdin", Algorithm::Md5, "open sesame");
    assert_eq!(Door::new(&digest).schemes(), ["Digest", "Basic"]);
    assert_eq!(Door::with(&digest, |settings| settings.basic = false).schemes(), ["Digest"]);
    assert_eq!(Door::with(&digest, |settings| settings.digest = false).schemes(), ["Basic"]);
    assert_eq!(Door::new(&hashed()).schemes(), ["Basic"]);
}

#[test]
fn sides_use_their_own_fields() {
    for (side, fields) in [
        (Side::Origin, ["Authorization", "WWW-Authenticate", "Authentication-Info"]),
        (Side::Proxy, ["Proxy-Authorization", "Proxy-Authenticate", "Proxy-Authentication-Info"]),
    ] {
        assert_eq!([side.credentials().as_str(), side.challenge(), side.info()], fields);
    }
}

#[test]
fn proxy_challenges_in_its_own_field() {
    let mut door = Door::with(&hashed(), |settings| settings.side = Side::Proxy);
    assert_eq!(door.authenticator.side().challenge(), "Proxy-Authenticate");
    assert_eq!(outcome(door.get("/", ALICE)), "needs hashing");
    assert_eq!(door.challenges(), [r#"Basic realm="a realm", charset="UTF-8""#]);
}

#[test]
fn debug_output_hides_secrets() {
    let mut door = Door::new(&hashed());
    let job = job(&mut door, ALICE);
    let done = job.run();
    let shown = format!("{job:?} {done:?} {:?}", door.authenticator);
    assert!(!shown.contains("secret\"") && !shown.contains("r9OfJnfCsdne"), "{shown}");
}
