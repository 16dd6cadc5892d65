//! Digest: challenges, and responses that are accepted once.

use std::time::Duration;

use tidegate::auth::digest::{Algorithm, Credentials};
use tidegate::auth::{Accepted, AuthResult, ChallengeReason, Side};
use tidegate::reactor::Clock;

use super::examples::{Answer, md5, sha256};
use super::support::{BCRYPT, Door, digest_line, outcome, parameter};

fn both(user: &str) -> String {
    let line = |algorithm| digest_line(user, algorithm, "secret");
    format!("{}\n{}\n", line(Algorithm::Md5), line(Algorithm::Sha256))
}

fn answer(door: &mut Door) -> Answer {
    Answer::to(&door.nonce())
}

fn accepted(verdict: AuthResult) -> Accepted {
    match verdict {
        AuthResult::Accepted(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn digest_offers_algorithms_every_user_has_strongest_first() {
    let starts = |text: &str| {
        let challenges = Door::new(text).challenges();
        let short = |challenge: &String| {
            let algorithm = challenge.split("algorithm=").nth(1).and_then(|s| s.split(',').next());
            algorithm.unwrap_or("Basic").to_owned()
        };
        challenges.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(starts(&both("alice")), ["SHA-256", "MD5", "Basic"]);
    assert_eq!(starts(&digest_line("a", Algorithm::Md5, "")), ["MD5", "Basic"]);
    assert_eq!(starts(&format!("a:{BCRYPT}")), ["Basic"]);
    let old = digest_line("bob", Algorithm::Md5, "");
    assert_eq!(starts(&format!("{}{old}\ncarol:{BCRYPT}", both("alice"))), ["MD5", "Basic"]);
    let new = digest_line("alice", Algorithm::Sha256, "");
    assert_eq!(starts(&format!("{new}\n{old}")), ["Basic"], "no algorithm that every user has");
}

#[test]
fn challenge_carries_all_parameters_a_client_needs() {
    let mut door = Door::with(&both("alice"), |settings| {
        settings.realm = "the \"inner\" realm".parse().unwrap();
        settings.domain = vec!["/a".into(), "http://h/b".into()];
        settings.userhash = true;
        settings.basic = false;
    });
    assert!(door.challenges().is_empty(), "the entries belong to another realm");
    let mut door = Door::with(&both("alice"), |settings| {
        settings.domain = vec!["/a".into(), "http://h/b".into()];
        settings.userhash = true;
    });
    let now = door.clock.now().wall;
    let challenge = door.authenticator.challenges(ChallengeReason::Stale, now).remove(0);
    let nonce = parameter(&challenge, "nonce");
    let expected = format!(
        "Digest realm=\"a realm\", domain=\"/a http://h/b\", nonce=\"{nonce}\", stale=true, \
         algorithm=SHA-256, qop=\"auth\", charset=UTF-8, userhash=true"
    );
    assert_eq!(challenge, expected);
    assert!(!door.challenges()[0].contains("stale"));
}

#[test]
fn correct_response_is_accepted_once() {
    let mut door = Door::new(&both("alice"));
    for hash in [md5, sha256] {
        let answer = answer(&mut door).with(hash);
        assert_eq!(outcome(door.get("/a?b", &answer.nc(1).sign())), "alice is there");
        assert_eq!(outcome(door.get("/a?b", &answer.nc(1).sign())), "replayed");
        assert_eq!(outcome(door.get("/a?b", &answer.nc(2).sign())), "alice is there");
    }
}

#[test]
fn nonce_counts_are_accepted_out_of_order_within_a_window() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door);
    for nc in [70, 8, 69, 7] {
        assert_eq!(outcome(door.get("/a?b", &answer.nc(nc).sign())), "alice is there");
    }
    for nc in [6, 8, 70] {
        assert_eq!(outcome(door.get("/a?b", &answer.nc(nc).sign())), "replayed");
    }
}

#[test]
fn only_a_correct_response_learns_that_its_nonce_is_stale() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door);
    door.clock.advance(Duration::from_secs(300));
    assert_eq!(outcome(door.get("/a?b", &answer.sign())), "stale");
    assert_eq!(outcome(door.get("/a?b", &answer.password("Secret").sign())), "wrong");
    let elsewhere = Answer::to("dcd98b7102dd2f0e8b11d0f600bfb0c093");
    assert_eq!(outcome(door.get("/a?b", &elsewhere.sign())), "unknown-nonce");
    assert!(ChallengeReason::Unknown.is_stale(), "the user need not type the password again");
}

#[test]
fn user_without_digest_entry_is_not_counted_as_guessing() {
    let mut door = Door::new(&format!("{}bob:{BCRYPT}", both("alice")));
    let answer = answer(&mut door);
    assert_eq!(outcome(door.get("/a?b", &answer.user("bob").sign())), "no-line");
    assert_eq!(outcome(door.get("/a?b", &answer.user("carol").sign())), "wrong");
    assert!(!ChallengeReason::NoEntry.is_failure() && !ChallengeReason::NoEntry.is_stale());
}

#[test]
fn altered_signed_parameters_are_rejected() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door);
    assert_eq!(outcome(door.request("POST", "/a?b", &[&answer.sign()])), "wrong");
    assert_eq!(outcome(door.get("/a?b", &answer.password("").sign())), "wrong");
    assert_eq!(outcome(door.get("/a?b", &answer.user("bob").sign())), "wrong");
    let altered = answer.sign().replace("cnonce=\"c", "cnonce=\"d");
    assert_eq!(outcome(door.get("/a?b", &altered)), "wrong");
    assert_eq!(outcome(door.get("/a", &answer.sign())), "for another request");
    assert_eq!(outcome(door.get("http://h/a?c", &answer.sign())), "for another request");
    assert_eq!(outcome(door.get("http://h/a?b", &answer.sign())), "alice is there");
}

#[test]
fn connect_signs_its_authority() {
    let mut door = Door::with(&both("alice"), |settings| settings.side = Side::Proxy);
    let answer = Answer { method: "CONNECT", uri: "host:443", ..answer(&mut door) };
    assert_eq!(outcome(door.request("CONNECT", "host:443", &[&answer.sign()])), "alice is there");
}

#[test]
fn parameters_not_offered_are_challenged() {
    let mut door = Door::new(&digest_line("alice", Algorithm::Md5, "secret"));
    let answer = answer(&mut door).with(md5);
    for (from, to) in [
        ("qop=auth", "qop=auth-int"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ("realm=\"a", "realm=\"the"),
        ("cnonce=", "userhash=true, cnonce="),
    ] {
        let altered = answer.sign().replace(from, to);
        assert_eq!(outcome(door.get("/a?b", &altered)), "not-offered", "{to}");
    }
    let without = answer.sign().replace("algorithm=MD5, ", "");
    assert_eq!(
        outcome(door.get("/a?b", &without)),
        "alice is there",
        "the default algorithm is MD5"
    );
}

#[test]
fn credentials_are_recognized_by_their_realm() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door).sign();
    let elsewhere = answer.replace("realm=\"a realm", "realm=\"another");
    let unknown = answer.replace("Digest ", "Other ");
    assert!(door.claims(&[&answer]) && door.claims(&["Basic YTpi"]));
    assert!(door.claims(&[&elsewhere, &answer]));
    for credentials in [elsewhere.as_str(), &unknown, "Digest", "Bearer abc"] {
        assert!(!door.claims(&[credentials]), "{credentials}");
    }
    assert!(!door.claims(&[]));
    let neither = Door::with(&both("alice"), |settings| {
        (settings.basic, settings.digest) = (false, false);
    });
    assert!(!neither.claims(&[&answer, "Basic YTpi"]));
}

#[test]
fn debug_output_hides_digest_responses() {
    let answer = Answer::to("dcd98b7102dd2f0e8b11d0f600bfb0c093");
    let text = answer.sign();
    let sent = Credentials::parse(text.strip_prefix("Digest ").unwrap().as_bytes()).unwrap();
    let shown = format!("{sent:?}");
    assert!(shown.contains("alice") && shown.contains("a realm"), "{shown}");
    for secret in [&sent.response, &sent.nonce, &sent.cnonce] {
        assert!(!shown.contains(&format!("\"{secret}\"")), "{shown}");
    }
}

#[test]
fn qop_and_algorithm_may_be_quoted() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door).with(md5).sign();
    let quoted = answer.replace("qop=auth", "qop=\"auth\"").replace("=MD5", "=\"md5\"");
    assert_eq!(outcome(door.get("/a?b", &quoted)), "alice is there");
}

#[test]
fn user_names_may_be_hashed_or_beyond_ascii() {
    let mut door = Door::with(&both("Jäsøn Doe"), |settings| settings.userhash = true);
    for hash in [md5, sha256] {
        let answer = answer(&mut door).with(hash).user("Jäsøn Doe");
        let plain = answer.nc(1).sign();
        let extended = answer.nc(2).sign();
        let extended =
            extended.replace("username=\"Jäsøn Doe\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
        let hidden = hash("Jäsøn Doe:a realm");
        let hidden =
            answer.nc(3).sign().replace("Jäsøn Doe\"", &format!("{hidden}\", userhash=true"));
        for credentials in [plain, extended, hidden] {
            assert_eq!(outcome(door.get("/a?b", &credentials)), "Jäsøn Doe is there");
        }
    }
}

#[test]
fn authentication_info_proves_the_server_knows_the_password() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door).with(sha256);
    let info = accepted(door.get("/a?b", &answer.sign())).info.unwrap();
    let proof = Answer { method: "", ..answer.nc(1) }.response();
    assert_eq!(info, format!("qop=auth, rspauth=\"{proof}\", cnonce=\"c0\", nc=00000001"));
}

#[test]
fn next_nonce_is_sent_before_the_nonce_expires() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door);
    door.clock.advance(Duration::from_secs(224));
    let info = accepted(door.get("/a?b", &answer.nc(1).sign())).info.unwrap();
    assert!(!info.contains("nextnonce"));
    door.clock.advance(Duration::from_secs(75));
    let info = accepted(door.get("/a?b", &answer.nc(2).sign())).info.unwrap();
    let next = Answer::to(&parameter(&info, "nextnonce"));
    door.clock.advance(Duration::from_secs(299));
    assert_eq!(outcome(door.get("/a?b", &next.sign())), "alice is there");
}

#[test]
fn nonce_of_an_earlier_process_is_stale() {
    let text = both("alice");
    let mut earlier = Door::with_secret(&text, [8; 32]);
    let mut door = Door::new(&text);
    let answer = answer(&mut earlier);
    assert_eq!(outcome(earlier.get("/a?b", &answer.nc(1).sign())), "alice is there");
    assert_eq!(outcome(door.get("/a?b", &answer.nc(2).sign())), "unknown-nonce");
    assert_eq!(outcome(door.get("/a?b", &answer.password("guessed").nc(2).sign())), "wrong");
    let now = door.clock.now().wall;
    assert!(door.authenticator.challenges(ChallengeReason::Unknown, now)[0].contains("stale=true"));
}

#[test]
fn nonces_survive_a_change_of_users() {
    let mut door = Door::new(&both("alice"));
    let answer = answer(&mut door);
    door.replace_users(&both("bob"));
    assert_eq!(outcome(door.get("/a?b", &answer.nc(1).sign())), "wrong");
    assert_eq!(outcome(door.get("/a?b", &answer.user("bob").nc(2).sign())), "bob is there");
}
