use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{CertificateFacts, KeyAlgorithm};

const P256: &[u8] = include_bytes!("../../fuzz/corpus/x509/p256-addresses.der");
const P384: &[u8] = include_bytes!("../../fuzz/corpus/x509/p384.der");
const RSA: &[u8] = include_bytes!("../../fuzz/corpus/x509/rsa-self-signed.der");
const ED25519: &[u8] = include_bytes!("../../fuzz/corpus/x509/ed25519-nameless.der");

fn facts(der: &[u8]) -> CertificateFacts {
    CertificateFacts::of(der).unwrap()
}

/// First second of the certificate in `P256`.
fn begin() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_796_042_013)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn certificate_states_names_dates_and_key() {
    let facts = facts(P256);
    assert_eq!(facts.subject, "CN=www.example");
    assert_eq!(facts.issuer, "CN=Example CA,O=Example Trust\\, Inc.");
    assert!(!facts.is_self_issued);
    assert_eq!(facts.dns_names, ["www.example", "*.api.example"]);
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.7", "2001:db8::7"]);
    assert_eq!((facts.not_before, facts.not_after), (begin(), begin() + 90 * DAY));
    assert_eq!(facts.serial_number, [0, 0x87, 0x65, 0x43, 0x21]);
}

/// The example of RFC 9773 §4.1.
#[test]
fn renewal_identifier_joins_authority_and_serial_number() {
    assert_eq!(facts(P256).ari_id().as_deref(), Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"));
    assert_eq!(CertificateFacts { authority_key_identifier: None, ..facts(P256) }.ari_id(), None);
}

#[test]
fn key_algorithms_have_names() {
    let algorithms = [P256, P384, RSA, ED25519].map(|der| facts(der).key_algorithm);
    let text = algorithms.each_ref().map(ToString::to_string);
    assert_eq!(text, ["ECDSA P-256", "ECDSA P-384", "RSA 2048", "Ed25519"]);
    assert_eq!(algorithms[2], KeyAlgorithm::Rsa(2048));
}

#[test]
fn control_characters_of_a_name_are_escaped() {
    let facts = facts(RSA);
    assert_eq!(facts.subject, "CN=self.example,O=Two\\0alines\\, \\c2\\85next");
    assert!(facts.is_self_issued);
    assert!(!facts.covers("self.example"), "the common name is no host");
}

#[test]
fn certificate_without_a_subject_has_names() {
    let facts = facts(ED25519);
    assert_eq!(facts.subject, "");
    assert!(facts.covers("ed.example"));
}

#[test]
fn certificate_covers_its_names_and_addresses() {
    let facts = facts(P256);
    let covered = [
        "www.example",
        "WWW.Example",
        "www.example.",
        "a.api.example",
        "A.API.EXAMPLE",
        "192.0.2.7",
        "2001:db8::7",
        "[2001:DB8:0::7]",
    ];
    let others = [
        "",
        ".",
        "example",
        "api.example",
        ".api.example",
        "a.b.api.example",
        "wwww.example",
        "b.example",
        "192.0.2.8",
        "::ffff:192.0.2.7",
        "www.example..",
    ];
    assert_eq!(covered.into_iter().find(|host| !facts.covers(host)), None);
    assert_eq!(others.into_iter().find(|host| facts.covers(host)), None);
}

#[test]
fn life_left_falls_from_one_to_zero() {
    let facts = facts(P256);
    assert_eq!(facts.lifetime(), 90 * DAY);
    let left = |days: u32| facts.life_left(begin() + days * DAY);
    assert_eq!([0, 45, 90, 91].map(left), [1.0, 0.5, 0.0, 0.0]);
    assert_eq!(facts.life_left(UNIX_EPOCH), 1.0);
    let reversed = CertificateFacts { not_after: UNIX_EPOCH, ..facts };
    assert_eq!(reversed.life_left(UNIX_EPOCH), 0.0);
}

#[test]
fn malformed_certificates_are_errors() {
    assert!(CertificateFacts::of(&[]).is_err());
    assert!((0..P256.len()).all(|length| CertificateFacts::of(&P256[..length]).is_err()));
    let trailing = [P256, &[0]].concat();
    assert!(CertificateFacts::of(&trailing).is_err());
    let error = CertificateFacts::of(&vec![0x30; 65 * 1024]).unwrap_err();
    assert_eq!(error.to_string(), "the certificate is larger than 64 KiB");
}

/// Any byte of a certificate may be another: the result is an error or facts, never a panic.
#[test]
fn changed_bytes_never_panic() {
    for at in 0..P256.len() {
        for byte in 0..=u8::MAX {
            let mut changed = P256.to_vec();
            changed[at] = byte;
            if let Ok(facts) = CertificateFacts::of(&changed) {
                assert!(!format!("{}{}", facts.subject, facts.issuer).contains(char::is_control));
            }
        }
    }
}
