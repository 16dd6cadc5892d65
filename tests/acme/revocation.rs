//! Revocation by the account.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use serde_json::{Value, json};
use tidegate::acme::{AcmeErrorKind, Revocation, RevocationReason};

use super::ca::{Ca, Reply};
use super::world::{account, run};

const CERTIFICATE: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x05];

fn revocation() -> Revocation {
    Revocation::new(account(), CERTIFICATE, RevocationReason::KeyCompromise).unwrap()
}

#[test]
fn certificate_is_revoked_with_a_reason() {
    let mut ca = Ca::new();
    let run = run(&mut revocation(), &mut ca);
    run.result.unwrap();
    assert_eq!(run.paths, ["directory", "nonce", "account", "revoke"]);
    assert_eq!(ca.revoked, [json!({ "certificate": BASE64_URL.encode(CERTIFICATE), "reason": 1 })]);
}

#[test]
fn revocation_is_tried_again() {
    let mut ca = Ca::new();
    ca.fail("revoke", Reply::problem(400, "badNonce", "used"));
    ca.fail("revoke", Reply { status: 503, ..Reply::default() }.retry_after("5"));
    ca.fail("revoke", Reply::problem(400, "accountDoesNotExist", "gone"));
    ca.fail("revoke", Reply::problem(400, "alreadyRevoked", "done"));
    run(&mut revocation(), &mut ca).result.unwrap();
    assert_eq!(ca.registrations.len(), 2);
}

#[test]
fn revocation_tells_why_it_failed() {
    let mut ca = Ca::new();
    ca.fail("revoke", Reply::problem(403, "unauthorized", "not yours"));
    let error = run(&mut revocation(), &mut ca).result.unwrap_err();
    assert!(error.to_string().starts_with("revocation: the CA says unauthorized: not yours"));
    ca.directory["revokeCert"] = Value::Null;
    let error = run(&mut revocation(), &mut ca).result.unwrap_err();
    assert_eq!(error.kind, AcmeErrorKind::Protocol);
    assert_eq!(error.to_string(), "revocation: the CA's directory has no revokeCert");
}
