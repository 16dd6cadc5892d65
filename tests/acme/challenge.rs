//! Responses to challenges, as a CA checks them.

use ring::rand::SystemRandom;
use sha2::{Digest, Sha256};
use tidegate::acme::{Challenge, ChallengeKind, Identifier, http_answer, http_token};
use tidegate::x509::CertificateFacts;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::OctetString;

const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// Asserts that a CA accepts the answer to a challenge with this token.
pub(crate) fn check_answer(challenge: &Challenge, token: &str, key_authorization: &str) {
    match challenge.kind {
        ChallengeKind::Http01 => {
            let path = format!("/.well-known/acme-challenge/{token}");
            assert_eq!(http_answer(&path, [challenge].into_iter()), Some(key_authorization));
        }
        ChallengeKind::TlsAlpn01 => check_certificate(challenge, key_authorization),
    }
}

/// Asserts the rules of RFC 8737 §3 for a certificate.
fn check_certificate(challenge: &Challenge, key_authorization: &str) {
    let answer = challenge.certificate(&SystemRandom::new()).unwrap();
    let facts = CertificateFacts::of(&answer.certificate).unwrap();
    assert_eq!(facts.dns_names.len() + facts.addresses.len(), 1, "one name");
    assert!(facts.covers(&challenge.identifier.to_string()));
    assert!(facts.is_self_issued);
    let certificate = Certificate::from_der(&answer.certificate).unwrap();
    let extensions = certificate.tbs_certificate().extensions().unwrap();
    let found = extensions.iter().find(|it| it.extn_id.to_string() == ACME_IDENTIFIER).unwrap();
    assert!(found.critical);
    let digest = OctetString::from_der(found.extn_value.as_bytes()).unwrap();
    assert_eq!(digest.as_bytes(), &*Sha256::digest(key_authorization));
    let key = rcgen::KeyPair::try_from(answer.key.as_slice()).unwrap();
    assert_eq!(rcgen::PublicKeyData::subject_public_key_info(&key), facts.public_key);
}

fn challenge(kind: ChallengeKind, identifier: &str) -> Challenge {
    Challenge {
        identifier: Identifier::parse(identifier).unwrap(),
        kind,
        token: "a_token-1".to_owned(),
        key_authorization: "a_token-1.thumbprint".to_owned(),
    }
}

#[test]
fn http_answers_are_found_by_token() {
    let challenges = [
        challenge(ChallengeKind::TlsAlpn01, "a.example"),
        challenge(ChallengeKind::Http01, "a.example"),
    ];
    let answer = |path| http_answer(path, challenges.iter());
    assert_eq!(answer("/.well-known/acme-challenge/a_token-1"), Some("a_token-1.thumbprint"));
    assert_eq!(answer("/.well-known/acme-challenge/a_token"), None);
    assert_eq!(http_answer("/.well-known/acme-challenge/a_token-1", challenges[..1].iter()), None);
    let others =
        ["/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/a/b", "a_token-1"];
    assert_eq!(others.map(http_token), [None; 4]);
}

#[test]
fn certificates_answer_for_names_and_addresses() {
    for identifier in ["a.example", "192.0.2.1", "2001:db8::1"] {
        check_certificate(&challenge(ChallengeKind::TlsAlpn01, identifier), "a_token-1.thumbprint");
    }
}

/// The examples of RFC 8738 §6, with addresses for documentation.
#[test]
fn addresses_have_names_of_the_reverse_mapping() {
    let name = |text| Identifier::parse(text).unwrap().server_name();
    assert_eq!(name("A.example."), "a.example");
    assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
    let zeros = "0.".repeat(20);
    assert_eq!(name("2001:db8::1"), format!("1.0.0.0.{zeros}8.b.d.0.1.0.0.2.ip6.arpa"));
}

#[test]
fn identifiers_are_hosts() {
    let parse = |text: &str| Identifier::parse(text).map(|it| it.to_string());
    assert_eq!(parse("WWW.Example"), Ok("www.example".to_owned()));
    assert_eq!(parse("2001:DB8:0::1"), Ok("2001:db8::1".to_owned()));
    let wildcard = parse("*.example").unwrap_err().to_string();
    assert!(wildcard.contains("'*.example'") && wildcard.contains("DNS-01"), "{wildcard}");
    let long = format!("{}.example", "a".repeat(64));
    for wrong in ["", ".", "a..b", "a b", "-a.example", "a.*.example", "ä.example", "a\n", &long] {
        let error = parse(wrong).unwrap_err().to_string();
        assert!(error.contains("neither") && !error.contains(char::is_control), "{error}");
    }
}
