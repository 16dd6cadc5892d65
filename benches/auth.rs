//! Cost of authenticating a request: Digest with a nonce in use, Basic with a password verified
//! before, and matching a path with protected ones.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use divan::{Bencher, black_box};
use sha2::{Digest, Sha256};
use tidegate::auth::digest::Algorithm;
use tidegate::auth::{
    AuthResult, AuthSettings, Authenticator, ChallengeReason, Password, PathPrefix, Realm,
    RealmUsers, Request, Secret, Side, StoredSecret, UserEntry, Users, match_path,
};
use tidegate::http::Fields;
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::time::Now;

fn main() {
    divan::main();
}

/// Entry of alice with the password 'secret'.
const BCRYPT: &str = "alice:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
const TARGET: &str = "/articles/2026/11/the-tide?page=2";

fn now() -> Now {
    VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1 << 30)).now()
}

fn authenticator(text: &str) -> Authenticator {
    let mut users = Users::default();
    users.read("users", text.as_bytes()).expect("well-formed");
    let settings = AuthSettings::new(Side::Origin, realm());
    let accounts = Arc::new(RealmUsers::new(users, &settings));
    Authenticator::new(settings, accounts, &Secret::new([7; 32]))
}

fn realm() -> Realm {
    "a realm".parse().expect("a realm")
}

/// Returns a thousand users, and alice at the end.
fn users(algorithm: Algorithm) -> String {
    let line = |user: &str| {
        let password = Password::new("secret").expect("a password");
        let proof = StoredSecret::digest(realm(), algorithm, user, &password);
        UserEntry::new(user, proof).expect("a name").text() + "\n"
    };
    (0..1000).map(|i| line(&format!("user{i}"))).chain([line("alice")]).collect()
}

fn fields(credentials: &str) -> Fields {
    let mut fields = Fields::default();
    fields.push(b"Host", b"www.example.com");
    fields.push(b"Authorization", credentials.as_bytes());
    fields
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the fields of the request with nonce count `nc`.
fn answer(nonce: &str, nc: u32) -> Fields {
    let (ha1, ha2) = (sha256("alice:a realm:secret"), sha256(&format!("GET:{TARGET}")));
    let cnonce = "0a4f113b0a4f113b0a4f113b0a4f113b";
    let response = sha256(&format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"));
    fields(&format!(
        "Digest username=\"alice\", realm=\"a realm\", nonce=\"{nonce}\", uri=\"{TARGET}\", \
         cnonce=\"{cnonce}\", nc={nc:08x}, algorithm=SHA-256, qop=auth, response=\"{response}\""
    ))
}

fn verify(authenticator: &mut Authenticator, fields: &Fields, now: Now) -> AuthResult {
    authenticator.verify(&Request { method: "GET", target: TARGET, fields }, now)
}

#[divan::bench(sample_size = 100)]
fn digest_sha256(bencher: Bencher<'_, '_>) {
    let (mut authenticator, now, mut nc) = (authenticator(&users(Algorithm::Sha256)), now(), 0);
    let challenge = authenticator.challenges(ChallengeReason::Missing, now.wall).swap_remove(0);
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
    let nonce = nonce.expect("a challenge has a nonce").to_owned();
    let next = || {
        nc += 1;
        answer(&nonce, nc)
    };
    bencher.with_inputs(next).bench_local_refs(|fields| {
        let verdict = verify(&mut authenticator, black_box(fields), now);
        assert!(matches!(verdict, AuthResult::Accepted(_)));
        verdict
    });
}

#[divan::bench]
fn basic_remembered(bencher: Bencher<'_, '_>) {
    let (mut authenticator, now) = (authenticator(BCRYPT), now());
    let fields = fields("Basic YWxpY2U6c2VjcmV0");
    let AuthResult::NeedsHashing(job) = verify(&mut authenticator, &fields, now) else {
        panic!("the first request needs a verification")
    };
    let _ = authenticator.finish_verification(job.run(), now);
    bencher.bench_local(|| {
        let verdict = verify(&mut authenticator, black_box(&fields), now);
        assert!(matches!(verdict, AuthResult::Accepted(_)));
        verdict
    });
}

const PATHS: &[&str] = &["/articles/2026/11/the-tide", "/a%20b/c;d=e//f", "/x/%2e%2e/%2561dmin"];

fn prefixes() -> Vec<PathPrefix> {
    let prefixes = ["/", "/admin", "/files/private/"];
    prefixes.iter().map(|text| text.parse().expect("a prefix")).collect()
}

#[divan::bench(args = PATHS)]
fn place_of_path(bencher: Bencher<'_, '_>, path: &str) {
    let prefixes = prefixes();
    bencher.bench_local(|| match_path(black_box(path), &prefixes));
}

/// The longest and oddest path that fits into a request line, and matches nothing.
#[divan::bench]
fn place_of_the_worst_path(bencher: Bencher<'_, '_>) {
    let (path, prefixes) = (["/", &"x%2520;y//.%20/%5c%3f".repeat(380)].concat(), prefixes());
    bencher.bench_local(|| match_path(black_box(&path), &prefixes));
}
