//! Responses that break the protocol, at every step.

use serde_json::{Value, json};
use tidegate::acme::{AcmeErrorKind, MOST_CHAIN, MOST_JSON};

use super::ca::{Ca, Reply, pem};
use super::world::{issuance, run, run_with};

/// Steps whose responses have content, and that content's members.
const STEPS: [(&str, &[&str]); 5] = [
    ("directory", &["newNonce", "newAccount", "newOrder"]),
    ("order", &["status", "authorizations", "finalize"]),
    ("authorization/0", &["status", "identifier", "challenges"]),
    ("finalize", &["status", "authorizations", "finalize", "certificate"]),
    ("certificate", &[]),
];

/// Runs an issuance in which the first response to one step is changed.
fn changed(step: &str, change: impl Fn(&mut Reply)) -> (AcmeErrorKind, String) {
    let mut ca = Ca::new();
    let run = run_with(&mut issuance(&["a.example"]), |request, answers| {
        let mut reply = ca.handle(request, answers);
        if request.url.ends_with(step) {
            change(&mut reply);
        }
        Some(reply)
    });
    let error = run.result.expect_err(step);
    (error.kind, error.to_string())
}

#[test]
fn content_that_is_no_json_is_an_error() {
    for (step, _) in STEPS {
        let deep = "[".repeat(10_000);
        for body in ["", "{", "[]", "null", "\"\\u0000\"", &deep] {
            let (kind, text) = changed(step, |reply| reply.body = body.into());
            let expected = match step {
                "certificate" => AcmeErrorKind::Certificate,
                _ => AcmeErrorKind::Protocol,
            };
            assert_eq!(kind, expected, "{step}: {text}");
        }
    }
}

#[test]
fn content_beyond_its_bound_is_an_error() {
    for (step, _) in STEPS {
        let (kind, text) = changed(step, |reply| {
            let most = if step == "certificate" { MOST_CHAIN } else { MOST_JSON };
            reply.body.resize(most + 1, b' ');
        });
        assert_eq!(kind, AcmeErrorKind::Protocol, "{text}");
        assert!(text.contains("KiB"), "{text}");
    }
}

#[test]
fn members_are_required_and_have_a_type() {
    for (step, members) in STEPS {
        for member in members {
            for value in [Value::Null, json!(7), json!([7]), json!({}), json!("http://ca.example/")]
            {
                let (_, text) = changed(step, |reply| {
                    let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
                    body[member] = value.clone();
                    reply.body = body.to_string().into();
                });
                assert!(!text.is_empty(), "{step}: {member}: {value}");
            }
        }
    }
}

#[test]
fn urls_without_tls_are_refused() {
    for url in ["http://ca.example/x", "ftp://ca.example", "/x", "https://ca.example/\r\nX: y", ""]
    {
        for (step, member) in [("directory", "newNonce"), ("order", "finalize")] {
            let (kind, text) = changed(step, |reply| {
                let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
                body[member] = url.into();
                reply.body = body.to_string().into();
            });
            assert_eq!(kind, AcmeErrorKind::Protocol);
            assert!(text.contains("no https URL"), "{text}");
        }
        for step in ["account", "order"] {
            let (kind, text) = changed(step, |reply| reply.location = Some(url.to_owned()));
            assert_eq!(kind, AcmeErrorKind::Protocol);
            assert!(text.contains("no https URL"), "{text}");
        }
    }
}

#[test]
fn location_and_nonce_are_required() {
    for step in ["account", "order"] {
        let (_, text) = changed(step, |reply| reply.location = None);
        assert!(text.contains("has no Location"), "{text}");
    }
    for nonce in [None, Some(""), Some("a b"), Some("n\u{f6}nce"), Some(&*"a".repeat(2000))] {
        let (_, text) = changed("nonce", |reply| reply.nonce = nonce.map(str::to_owned));
        assert_eq!(text, "nonce of the CA: the response has no valid Replay-Nonce");
    }
}

#[test]
fn authorizations_are_for_the_identifiers_ordered() {
    let edits: [(&str, Value, &str); 4] = [
        ("identifier", json!({ "type": "dns", "value": "b.example" }), "was not ordered"),
        ("identifier", json!({ "type": "ip", "value": "a.example" }), "'identifier'"),
        (
            "status",
            json!("revoked"),
            "authorization of a.example: the CA has set the status 'revoked'",
        ),
        (
            "challenges",
            json!([{ "type": "http-01", "token": "../x", "status": "pending",
            "url": "https://ca.example/challenge/0" }]),
            "'token'",
        ),
    ];
    for (member, value, part) in edits {
        let (_, text) = changed("authorization/0", |reply| {
            let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
            body[member] = value.clone();
            reply.body = body.to_string().into();
        });
        assert!(text.contains(part), "{text}");
    }
    let (_, text) = changed("order", |reply| {
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body["authorizations"] = vec!["https://ca.example/authorization/0"; 101].into();
        reply.body = body.to_string().into();
    });
    assert!(text.contains("too many authorizations"), "{text}");
}

#[test]
fn chains_are_certificates_in_pem() {
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let many = pem(&[0]).repeat(11);
    for chain in [key, &pem(b"no certificate"), &many, "-----BEGIN CERTIFICATE-----\nAAAA"] {
        let (kind, text) = changed("certificate", |reply| reply.body = chain.into());
        assert_eq!(kind, AcmeErrorKind::Certificate, "{text}");
    }
    let (_, text) = changed("certificate", |reply| {
        reply.body = [reply.body.as_slice(), key.as_bytes()].concat();
    });
    assert!(text.contains("1 to 10 certificates"), "{text}");
}

/// Text around the certificates is removed.
#[test]
fn chain_is_written_anew() {
    let mut ca = Ca::new();
    let run = run_with(&mut issuance(&["a.example"]), |request, answers| {
        let mut reply = ca.handle(request, answers);
        if request.url.ends_with("certificate") {
            reply.body = [b"s:/CN=a.example\r\n", reply.body.as_slice(), b"\nend\n"].concat();
        }
        Some(reply)
    });
    let chain = run.result.unwrap().chain_pem;
    assert!(chain.starts_with("-----BEGIN CERTIFICATE-----\n") && !chain.contains("CN="));
}

#[test]
fn redirects_are_refused() {
    let (kind, text) = changed("directory", |reply| reply.status = 301);
    assert_eq!(kind, AcmeErrorKind::Refused);
    assert!(text.contains("HTTP status 301"), "{text}");
}

/// An operation that is over, or awaits nothing, ignores responses.
#[test]
fn responses_out_of_turn_are_ignored() {
    let mut ca = Ca::new();
    let mut issuance = issuance(&["a.example"]);
    let stray = tidegate::acme::Response { status: 500, ..Default::default() };
    issuance.receive(&stray, super::world::begin());
    issuance.failed("late", super::world::begin());
    run(&mut issuance, &mut ca).result.unwrap();
    issuance.receive(&stray, super::world::begin());
    issuance.failed("late", super::world::begin());
    run(&mut issuance, &mut ca).result.unwrap();
}
