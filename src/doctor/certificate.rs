//! Checks of certificates.

use std::time::Duration;

use super::finding::{Finding, Fix, Word};
use super::observations::{Observations, SeenCertificate};

/// Part of a certificate's life after which it should have been renewed.
const LITTLE_LIFE: f64 = 0.2;
/// Time before the end of a certificate within which it should have been renewed.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Returns what is wrong with the certificates of the site.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    seen.certificates.iter().filter_map(problem).collect()
}

fn problem(certificate: &SeenCertificate) -> Option<Finding> {
    let host = &certificate.host;
    if let Some((word, text)) = &certificate.problem {
        let seen = format!("{host}: {text} ({word}); all else was asked without verification");
        return Some(Finding::new(Word::CertificateInvalid, seen, fixes(host, word)));
    }
    let facts = certificate.facts.as_ref()?;
    let now = certificate.now.wall;
    let left = facts.not_after.duration_since(now).unwrap_or_default();
    if left >= SOON || facts.life_left(now) >= LITTLE_LIFE {
        return None;
    }
    let days = left.as_secs() / (24 * 60 * 60);
    let seen = format!("{host}: the certificate, issued by {}, ends in {days} days", facts.issuer);
    Some(Finding::new(Word::CertificateEnds, seen, renewal(host)))
}

fn fixes(host: &str, word: &str) -> Vec<Fix> {
    match word {
        "certificate-unknown-issuer" => vec![
            Fix::tidegate(
                "tls-cert = 'FILE'",
                "with the certificates of all issuers but the last behind its own",
            ),
            Fix::new(
                super::finding::Place::Shell,
                "tidegate doctor --origin-ca FILE",
                "if browsers of your clients know this authority",
            ),
        ],
        _ => renewal(host),
    }
}

/// Returns what gives the host a new certificate.
fn renewal(host: &str) -> Vec<Fix> {
    vec![
        Fix::tidegate(
            "tls-cert = 'FILE'",
            "with a new certificate for the host, and its key in tls-key; new files are used at once",
        ),
        Fix::tidegate(
            format!("acme = '{host}'"),
            "in place of files, with acme-directory and acme-dir: renews by itself",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{certificate, exchange, observations};

    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn certificates_end_soon_by_their_life_and_by_days() {
        for (life, left, expected) in [
            (90, 10, true),
            (90, 25, false),
            (365, 40, false),
            (365, 29, true),
            (6, 2, false),
            (6, 1, true),
        ] {
            let mut seen =
                observations(exchange("https://shop.example/", "HTTP/1.1 200 OK\r\n\r\n"));
            seen.certificates.push(certificate(life * DAY, left * DAY));
            let words: Vec<_> = check(&seen).into_iter().map(|finding| finding.word).collect();
            assert_eq!(words == [Word::CertificateEnds], expected, "{left} of {life} days");
        }
    }

    #[test]
    fn problems_are_findings() {
        let mut bad = certificate(90 * DAY, 60 * DAY);
        bad.problem =
            Some(("certificate-other-name", "the certificate is for other.example".into()));
        let mut seen = observations(exchange("https://shop.example/", "HTTP/1.1 200 OK\r\n\r\n"));
        seen.certificates.push(bad);
        let found = check(&seen);
        assert_eq!(found[0].word, Word::CertificateInvalid);
        assert!(found[0].fixes.iter().any(|fix| fix.text == "acme = 'shop.example'"));
    }
}
