//! Certificates that are issued, on straight and on crooked ways.

use std::time::Duration;

use serde_json::json;
use tidegate::acme::{ChallengeKind, ExternalAccount, Identifier, Issuance};

use super::ca::{BASE, Ca, Reply};
use super::world::{account, issuance, order, run, run_with};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn issuance_takes_one_request_for_each_step() {
    let mut ca = Ca::new();
    let mut issuance = issuance(&["a.example"]);
    let run = run(&mut issuance, &mut ca);
    let issued = run.result.unwrap();
    assert_eq!(
        run.paths,
        [
            "directory",
            "nonce",
            "account",
            "order",
            "authorization/0",
            "challenge/0",
            "authorization/0",
            "finalize",
            "certificate",
        ]
    );
    assert_eq!(run.waits, [SECOND]);
    assert_eq!(issued.chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(issued.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    let key = rcgen::KeyPair::try_from(key_der(&issued.key_pem).as_slice()).unwrap();
    assert_eq!(rcgen::PublicKeyData::subject_public_key_info(&key), issued.facts.public_key);
    assert_eq!(issued.facts.dns_names, ["a.example"]);
    assert_eq!(issuance.account_url(), Some("https://ca.example/account/1"));
    let registration = json!({
        "termsOfServiceAgreed": true, "contact": ["mailto:admin@a.example"],
    });
    assert_eq!(ca.registrations, [registration]);
    assert_eq!(ca.orders, [json!({ "identifiers": [{ "type": "dns", "value": "a.example" }] })]);
    assert!(!format!("{issued:?}").contains("PRIVATE"));
}

fn key_der(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::prelude::BASE64_STANDARD.decode(lines).unwrap()
}

/// The CA is asked to validate each name before it is polled for the first.
#[test]
fn many_identifiers_are_validated_together() {
    for kind in [ChallengeKind::Http01, ChallengeKind::TlsAlpn01] {
        let mut ca = Ca::new();
        (ca.pending, ca.processing) = (2, 2);
        let names = ["a.example", "b.example", "192.0.2.1", "2001:db8::1"];
        let mut order = order(&names);
        order.challenges = vec![kind];
        let run = run(&mut Issuance::new(account(), order).unwrap(), &mut ca);
        let issued = run.result.unwrap();
        assert!(names.iter().all(|name| issued.facts.covers(name)));
        let asks = (0..4).flat_map(|at| [format!("authorization/{at}"), format!("challenge/{at}")]);
        assert!(run.paths[4..12].iter().eq(asks.collect::<Vec<_>>().iter()));
        assert!(run.took < 60 * SECOND, "{:?}", run.waits);
    }
}

#[test]
fn most_identifiers_are_validated_within_seconds() {
    let mut ca = Ca::new();
    let names: Vec<String> = (0..100).map(|at| format!("{at}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = run(&mut issuance(&names), &mut ca);
    run.result.unwrap();
    assert_eq!((run.took, run.paths.len()), (SECOND, 306));
}

#[test]
fn polls_wait_longer_and_longer() {
    let mut ca = Ca::new();
    (ca.pending, ca.processing) = (5, 3);
    let run = run(&mut issuance(&["a.example"]), &mut ca);
    run.result.unwrap();
    assert_eq!(run.waits, [1, 2, 4, 8, 10, 10, 1, 2, 4].map(|seconds| seconds * SECOND));
}

#[test]
fn polls_honour_retry_after_within_bounds() {
    let mut ca = Ca::new();
    ca.processing = 4;
    ca.wishes = ["0", "7", "100000", "soon", "-1"].into();
    let run = run(&mut issuance(&["a.example"]), &mut ca);
    run.result.unwrap();
    assert_eq!(run.waits, [1, 7, 60, 4, 8].map(|seconds| seconds * SECOND));
}

#[test]
fn known_account_is_not_registered() {
    let mut ca = Ca::new();
    let account = account();
    let mut first = Issuance::new(account.clone(), order(&["a.example"])).unwrap();
    run(&mut first, &mut ca).result.unwrap();
    let url = first.account_url().map(str::to_owned);
    let known = tidegate::acme::Account { url, ..account.clone() };
    let second = run(&mut Issuance::new(known, order(&["a.example"])).unwrap(), &mut ca);
    second.result.unwrap();
    assert!(!second.paths.contains(&"account".to_owned()));
    let third = run(&mut Issuance::new(account, order(&["a.example"])).unwrap(), &mut ca);
    third.result.unwrap();
    assert_eq!(ca.accounts.len(), 1, "the account is found by its key");
}

#[test]
fn vanished_account_is_registered_again_once() {
    let gone = || Reply::problem(400, "accountDoesNotExist", "unknown account");
    for path in ["order", "authorization", "challenge", "finalize", "certificate"] {
        let mut ca = Ca::new();
        ca.fail(path, gone());
        run(&mut issuance(&["a.example"]), &mut ca).result.unwrap();
        assert_eq!(ca.registrations.len(), 2, "{path}");
        ca.fail(path, gone());
        ca.fail(path, gone());
        let error = run(&mut issuance(&["a.example"]), &mut ca).result.unwrap_err().to_string();
        assert!(error.contains("remove the stored account"), "{error}");
    }
}

#[test]
fn rejected_nonces_are_replaced() {
    for path in ["account", "order", "authorization", "challenge", "finalize", "certificate"] {
        let mut ca = Ca::new();
        for _ in 0..5 {
            ca.fail(path, Reply::problem(400, "badNonce", "used"));
        }
        let run = run(&mut issuance(&["a.example"]), &mut ca);
        run.result.unwrap();
        assert!(!run.paths[2..].contains(&"nonce".to_owned()), "the error brings a new nonce");
    }
}

#[test]
fn responses_without_nonce_cost_a_request() {
    let mut ca = Ca::new();
    let run = run_with(&mut issuance(&["a.example"]), |request, answers| {
        let mut reply = ca.handle(request, answers);
        if !request.url.ends_with("nonce") {
            reply.nonce = None;
        }
        Some(reply)
    });
    run.result.unwrap();
    assert_eq!(run.paths.iter().filter(|path| *path == "nonce").count(), 7);
}

#[test]
fn overload_is_waited_for() {
    for path in ["directory", "account", "order", "authorization", "challenge", "finalize"] {
        let mut ca = Ca::new();
        ca.fail(path, Reply { status: 503, ..Reply::default() }.retry_after("90"));
        ca.fail(path, Reply::problem(429, "rateLimited", "slow down").retry_after("45"));
        ca.fail(path, Reply { status: 500, ..Reply::default() });
        let run = run(&mut issuance(&["a.example"]), &mut ca);
        run.result.unwrap();
        assert!(run.took >= 137 * SECOND, "{path}: {:?}", run.waits);
    }
}

/// The request that has no response may have been handled, or not. Without a directory, nothing has
/// begun.
#[test]
fn lost_responses_do_no_harm() {
    for lost in 1..9 {
        for is_handled in [false, true] {
            let (mut ca, mut at) = (Ca::new(), 0);
            let run = run_with(&mut issuance(&["a.example"]), |request, answers| {
                at += 1;
                let is_lost = at == lost + 1;
                (is_handled || !is_lost).then(|| ca.handle(request, answers)).filter(|_| !is_lost)
            });
            assert!(run.result.is_ok(), "{lost}: {:?}", run.result);
        }
    }
}

#[test]
fn order_that_is_not_ready_is_polled() {
    let mut ca = Ca::new();
    ca.fail("finalize", Reply::problem(403, "orderNotReady", "wait"));
    let run = run(&mut issuance(&["a.example"]), &mut ca);
    run.result.unwrap();
    assert_eq!(run.paths[7..], ["finalize", "current", "finalize", "certificate"]);
}

#[test]
fn external_account_is_bound() {
    let mut ca = Ca::new();
    ca.directory["meta"]["externalAccountRequired"] = true.into();
    ca.external = Some(("kid-1", b"secret".to_vec()));
    let mut account = account();
    account.external = Some(ExternalAccount::new("kid-1", "c2VjcmV0").unwrap());
    run(&mut Issuance::new(account, order(&["a.example"])).unwrap(), &mut ca).result.unwrap();
    assert_eq!(ca.registrations.len(), 1);
}

#[test]
fn order_names_profile_and_replaced_certificate() {
    let mut ca = Ca::new();
    let mut order = order(&["a.example"]);
    (order.profile, order.replaces) = (Some("shortlived".into()), Some("AAAA.BBBB".into()));
    run(&mut Issuance::new(account(), order.clone()).unwrap(), &mut ca).result.unwrap();
    assert_eq!(
        (&ca.orders[0]["profile"], &ca.orders[0]["replaces"]),
        (&"shortlived".into(), &"AAAA.BBBB".into())
    );
    for (status, kind) in [(409, "alreadyReplaced"), (400, "malformed"), (403, "unauthorized")] {
        let placed = ca.orders.len();
        ca.fail("order", Reply::problem(status, kind, "not to be replaced"));
        run(&mut Issuance::new(account(), order.clone()).unwrap(), &mut ca).result.unwrap();
        assert_eq!(ca.orders[placed].get("replaces"), None);
    }
}

#[test]
fn preferred_kind_of_challenge_is_answered() {
    let kinds = [ChallengeKind::TlsAlpn01, ChallengeKind::Http01];
    for (offered, answered) in
        [(vec!["http-01", "tls-alpn-01"], kinds[0]), (vec!["http-01"], kinds[1])]
    {
        let mut ca = Ca::new();
        ca.kinds = offered;
        let mut order = order(&["a.example"]);
        order.challenges = kinds.to_vec();
        let mut seen = Vec::new();
        let run = run_with(&mut Issuance::new(account(), order).unwrap(), |request, answers| {
            seen.extend(answers.iter().map(|answer| answer.kind));
            Some(ca.handle(request, answers))
        });
        run.result.unwrap();
        assert!(!seen.is_empty() && seen.iter().all(|kind| *kind == answered));
    }
}

#[test]
fn identifiers_are_ordered_once() {
    let mut ca = Ca::new();
    run(&mut issuance(&["a.example", "A.example.", "b.example"]), &mut ca).result.unwrap();
    assert_eq!(ca.orders[0]["identifiers"].as_array().unwrap().len(), 2);
}

#[test]
fn issuance_needs_settings_that_can_work() {
    let error = |order| Issuance::new(account(), order).unwrap_err().to_string();
    assert_eq!(error(order(&[])), "a certificate needs 1 to 100 names or addresses");
    let mut many = order(&[]);
    many.identifiers =
        (0..101).map(|at| Identifier::parse(&format!("{at}.example")).unwrap()).collect();
    assert_eq!(error(many), "a certificate needs 1 to 100 names or addresses");
    let mut no_kind = order(&["a.example"]);
    no_kind.challenges.clear();
    assert_eq!(error(no_kind), "no kind of challenge is offered");
    let mut account = account();
    account.directory = format!("ftp{}\n", BASE.strip_prefix("https").unwrap());
    let error = Issuance::new(account, order(&["a.example"])).unwrap_err().to_string();
    assert_eq!(error, "the directory 'ftp://ca.example ' is no http or https URL");
}
