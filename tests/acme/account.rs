//! Keys of accounts.

use ring::rand::SystemRandom;
use serde_json::Value;
use tidegate::acme::{AccountKey, ExternalAccount};

use super::jws::thumbprint;

#[test]
fn account_key_survives_its_file() {
    let random = SystemRandom::new();
    let key = AccountKey::generate(&random).unwrap();
    let pem = key.to_pem();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(pem.lines().all(|line| line.len() <= 64));
    let again =
        AccountKey::from_pem(&format!("a comment\n{}\n", pem.replace('\n', "\r\n")), &random);
    assert_eq!(again.unwrap().jwk(), key.jwk());
    assert!(!format!("{key:?}").contains("pkcs8"));
}

#[test]
fn account_key_is_one_p256_key() {
    let random = SystemRandom::new();
    let pem = AccountKey::generate(&random).unwrap().to_pem();
    let public = pem.replace("PRIVATE", "PUBLIC");
    let twice = format!("{}{}", *pem, *pem);
    let cut = pem.replace("-----END PRIVATE KEY-----\n", "");
    let no_base64 = pem.replacen("\nM", "\n!", 1);
    let empty = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    for text in ["", "key", &public, &twice, &cut, &no_base64, empty] {
        assert!(AccountKey::from_pem(text, &random).is_err(), "{text}");
    }
}

#[test]
fn thumbprint_is_that_of_rfc_7638() {
    let key = AccountKey::generate(&SystemRandom::new()).unwrap();
    let jwk: Value = serde_json::from_str(&key.jwk()).unwrap();
    assert_eq!(key.thumbprint(), thumbprint(&jwk));
    assert_eq!(key.key_authorization("t"), format!("t.{}", thumbprint(&jwk)));
}

#[test]
fn external_account_needs_a_key() {
    assert!(ExternalAccount::new("id", "").is_err());
    assert!(ExternalAccount::new("id", "a+/b").is_err());
    let account = ExternalAccount::new("id", "c2VjcmV0\n").unwrap();
    assert!(!format!("{account:?}").contains("secret"));
}
