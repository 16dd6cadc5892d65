//! Failures: each tells what failed, what the CA said and what the operator can do.

use std::time::Duration;

use serde_json::json;
use tidegate::acme::{Account, AcmeError, AcmeErrorKind, Issuance};

use super::ca::{Ca, Leaf, Reply};
use super::world::{account, begin, issuance, order, run, run_with};

fn failure(ca: &mut Ca) -> AcmeError {
    run(&mut issuance(&["a.example", "b.example"]), ca).result.unwrap_err()
}

#[track_caller]
fn assert_says(error: &AcmeError, kind: AcmeErrorKind, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind, kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

#[test]
fn invalid_challenge_names_identifier_and_remedy() {
    let remedies = [
        ("connection", "port 80"),
        ("unauthorized", "port 80"),
        ("incorrectResponse", "port 80"),
        ("tls", "port 443"),
        ("dns", "A and AAAA records"),
        ("caa", "CAA records"),
        ("serverInternal", "serverInternal: it"),
    ];
    for (kind, remedy) in remedies {
        let mut ca = Ca::new();
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        ca.invalid = Some(json!({ "type": kind, "detail": "it\nfailed" }));
        let error = failure(&mut ca);
        let start = "authorization of a.example by http-01: invalid: the CA says";
        assert_says(&error, AcmeErrorKind::Refused, &[start, "it failed", remedy]);
    }
}

#[test]
fn refused_steps_tell_what_to_do() {
    let table = [
        ("account", "userActionRequired", "registration of the account"),
        ("account", "externalAccountRequired", "MAC key"),
        ("account", "invalidContact", "contact addresses"),
        ("order", "rejectedIdentifier", "remove the identifier"),
        ("order", "invalidProfile", "directory lists"),
        ("order", "rateLimited", "order fewer"),
        ("authorization", "malformed", "authorization: the CA says malformed: no"),
        ("challenge", "malformed", "challenge, authorization of a.example by http-01"),
        ("finalize", "badCSR", "finalization of the order"),
        ("certificate", "unauthorized", "remove the stored account"),
    ];
    for (path, kind, part) in table {
        let mut ca = Ca::new();
        ca.fail(path, Reply::problem(403, kind, "no"));
        assert_says(&failure(&mut ca), AcmeErrorKind::Refused, &[part, kind, "no"]);
    }
}

#[test]
fn problems_of_single_identifiers_are_repeated() {
    let mut ca = Ca::new();
    let part = |name: &str| {
        json!({
            "type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "forbidden",
            "identifier": { "type": "dns", "value": name },
        })
    };
    let parts: Vec<_> = (0..50).map(|at| part(&format!("\u{7}{at}.example"))).collect();
    let problem =
        json!({ "type": "about:blank", "detail": "x".repeat(9000), "subproblems": parts });
    ca.fail("order", Reply::json(400, &problem));
    let error = failure(&mut ca);
    let shown =
        ["of  0.example: rejectedIdentifier: forbidden; of  1.example", "xxx...", "remove the"];
    assert_says(&error, AcmeErrorKind::Refused, &shown);
    assert!(!error.to_string().contains("5.example") && error.to_string().len() < 1000);
}

#[test]
fn page_for_the_operator_is_named() {
    let mut ca = Ca::new();
    let problem = json!({
        "type": "urn:ietf:params:acme:error:userActionRequired", "detail": "new terms",
        "instance": "https://ca.example/agree",
    });
    ca.fail("order", Reply::json(403, &problem));
    let shown = ["new order", "act on the page of the CA: https://ca.example/agree"];
    assert_says(&failure(&mut ca), AcmeErrorKind::Refused, &shown);
}

#[test]
fn long_rate_limit_ends_the_operation() {
    let mut ca = Ca::new();
    ca.fail("order", Reply::problem(429, "rateLimited", "too many").retry_after("3600"));
    let run = run(&mut issuance(&["a.example"]), &mut ca);
    let error = run.result.unwrap_err();
    assert_eq!(error.retry_after, Some(begin() + Duration::from_secs(3600)));
    assert_eq!(run.took, Duration::ZERO);
    let mut ca = Ca::new();
    ca.fail("order", Reply::problem(429, "rateLimited", "no").retry_after("99999999999999"));
    assert_eq!(failure(&mut ca).retry_after, Some(begin() + Duration::from_secs(7 * 24 * 3600)));
    let mut ca = Ca::new();
    let date = "Wed, 20 Jan 2038 03:14:08 GMT";
    ca.fail("order", Reply::problem(429, "rateLimited", "no").retry_after(date));
    assert_eq!(failure(&mut ca).retry_after, Some(begin() + Duration::from_secs(24 * 3600)));
}

#[test]
fn failures_are_bounded() {
    let steps = [
        ("directory", "directory of the CA: "),
        ("account", "registration of the account: "),
        ("order", "new order: "),
        ("challenge", "challenge, authorization of a.example by http-01: "),
        ("certificate", "certificate: "),
    ];
    for (path, step) in steps {
        let mut ca = Ca::new();
        for _ in 0..20 {
            ca.fail(path, Reply { status: 503, ..Reply::default() }.retry_after("1"));
        }
        let error = failure(&mut ca);
        assert_says(&error, AcmeErrorKind::Refused, &["HTTP status 503", step]);
        assert_eq!(ca.faults[path].len(), 11, "{path}");
        let mut ca = Ca::new();
        for _ in 0..20 {
            ca.fail(path, Reply::problem(400, "badNonce", "used"));
        }
        assert_says(&failure(&mut ca), AcmeErrorKind::Refused, &["badNonce"]);
    }
    let run = run_with(&mut issuance(&["a.example"]), |_, _| None);
    let error = run.result.unwrap_err();
    assert_says(
        &error,
        AcmeErrorKind::Transport,
        &["directory of the CA: no response: connection refused"],
    );
    assert_eq!(run.paths.len(), 1, "another CA may be asked at once");
}

#[test]
fn slow_ca_meets_the_deadline() {
    for stage in 0..2 {
        let mut ca = Ca::new();
        if stage == 0 {
            ca.pending = u32::MAX - 1;
        } else {
            ca.processing = u32::MAX - 1;
        }
        let run = run(&mut issuance(&["a.example"]), &mut ca);
        let error = run.result.unwrap_err();
        let step =
            ["authorization of a.example by http-01: the CA did", "order: the CA did"][stage];
        assert_says(&error, AcmeErrorKind::Deadline, &[step, "not finish within 10 minutes"]);
        assert_eq!(run.took, Duration::from_secs(600));
        assert!(run.paths.len() < 80);
    }
}

#[test]
fn terms_and_external_account_are_settings() {
    let mut ca = Ca::new();
    let disagreed = Account { terms_agreed: false, ..account() };
    let error = run(&mut Issuance::new(disagreed, order(&["a.example"])).unwrap(), &mut ca);
    let shown = ["agree to its terms of service: https://ca.example/terms"];
    assert_says(&error.result.unwrap_err(), AcmeErrorKind::Settings, &shown);
    ca.directory["meta"]["externalAccountRequired"] = true.into();
    assert_says(&failure(&mut ca), AcmeErrorKind::Settings, &["requires an external account"]);
}

#[test]
fn challenges_that_are_not_offered_are_an_error() {
    let mut ca = Ca::new();
    ca.kinds = vec!["dns-01", "device-attest"];
    let shown = ["the CA does not offer http-01 or tls-alpn-01 for a.example"];
    assert_says(&failure(&mut ca), AcmeErrorKind::Settings, &shown);
}

#[test]
fn invalid_order_is_an_error() {
    let mut ca = Ca::new();
    let url = "https://ca.example/finalize";
    let order = json!({
        "status": "invalid", "authorizations": [], "finalize": url,
        "error": { "type": "urn:ietf:params:acme:error:caa", "detail": "forbids" },
    });
    ca.fail("finalize", Reply::json(200, &order));
    let shown = ["order is invalid: the CA says caa: forbids; permit the CA"];
    assert_says(&failure(&mut ca), AcmeErrorKind::Refused, &shown);
    let order = json!({ "status": "ready", "authorizations": [], "finalize": url });
    for _ in 0..1000 {
        ca.fail("finalize", Reply::json(200, &order));
        ca.fail("current", Reply::json(200, &order));
    }
    assert_says(&failure(&mut ca), AcmeErrorKind::Deadline, &["within 10 minutes"]);
    assert!(ca.faults["finalize"].len() > 900, "polls wait");
    let mut ca = Ca::new();
    let order = json!({ "status": "lost", "authorizations": [], "finalize": url });
    ca.fail("finalize", Reply::json(200, &order));
    assert_says(&failure(&mut ca), AcmeErrorKind::Protocol, &["the order has the status 'lost'"]);
}

#[test]
fn wrong_certificates_are_errors() {
    for (leaf, part) in [(Leaf::OtherKey, "another key"), (Leaf::LacksName, "name a.example")] {
        let mut ca = Ca::new();
        ca.leaf = leaf;
        assert_says(&failure(&mut ca), AcmeErrorKind::Certificate, &["certificate: ", part]);
    }
}
