//! Certificates: any bytes give an error, or facts that keep their rules.

use std::time::{Duration, UNIX_EPOCH};

use tidegate::x509::CertificateFacts;

/// Checks any bytes as a certificate.
pub fn rules(der: &[u8]) {
    let Ok(facts) = CertificateFacts::of(der) else { return };
    assert_eq!(CertificateFacts::of(der).as_ref(), Ok(&facts));
    for text in [&facts.subject, &facts.issuer] {
        assert!(!text.contains(char::is_control) && text.len() < 300);
    }
    for name in &facts.dns_names {
        assert!(!name.contains(|char: char| char.is_ascii_uppercase() || char.is_control()));
        let is_address = name.parse::<std::net::IpAddr>().is_ok();
        assert!(is_address || facts.covers(&name.replace('*', "a").to_ascii_uppercase()));
    }
    assert!(facts.addresses.iter().all(|address| facts.covers(&address.to_string())));
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    assert!(facts.ari_id().is_none_or(|id| id.chars().all(plain) && id.contains('.')));
    for seconds in [0, 1 << 30, 1 << 31, 1 << 37] {
        let left = facts.life_left(UNIX_EPOCH + Duration::from_secs(seconds));
        assert!((0.0..=1.0).contains(&left));
    }
}
