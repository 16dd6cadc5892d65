//! Problems of a chain of certificates: which certificate is to blame, and for what.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};

use crate::x509::{CertificateFacts, KeyAlgorithm};

use super::problem::{ADD_AUTHORITY, Problem, ProblemKind, SKIP, day};

/// Fewest bits of an RSA key that is accepted.
const RSA_BITS: usize = 2048;

impl Problem {
    /// Returns the problem of a `chain`, which begins with the origin's own certificate, that was not
    /// accepted for the host `expected`.
    pub(super) fn of_chain(
        error: &CertificateError,
        chain: &[&CertificateDer<'_>],
        expected: &str,
    ) -> Self {
        let facts: Vec<_> = chain.iter().map(|der| CertificateFacts::of(der).ok()).collect();
        let [leaf, issuers @ ..] = facts.as_slice() else { return Self::of_certificate(error) };
        let is_at = |certificate: &SystemTime, time: &UnixTime| {
            *certificate == UNIX_EPOCH + Duration::from_secs(time.as_secs())
        };
        let issuer = |of: &dyn Fn(&CertificateFacts) -> bool| {
            let is_of_leaf = leaf.as_ref().is_some_and(of);
            issuers.iter().flatten().find(|facts| !is_of_leaf && of(facts))
        };
        let problem =
            |word, text| Self::new(ProblemKind::Certificate, word, text).answered_by(SKIP);
        match error {
            CertificateError::UnknownIssuer => Self::of_issuer(leaf.as_ref(), issuers),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::of_names(leaf.as_ref(), expected)
            }
            CertificateError::ExpiredContext { not_after, .. }
                if let Some(of) = issuer(&|facts| is_at(&facts.not_after, not_after)) =>
            {
                let (subject, until) = (&of.subject, day(*not_after));
                let text = format!(
                    "the issuer's certificate, {subject}, has expired: it was valid until {until}"
                );
                problem("certificate-expired", text)
            }
            CertificateError::NotValidYetContext { not_before, .. }
                if let Some(of) = issuer(&|facts| is_at(&facts.not_before, not_before)) =>
            {
                let (subject, from) = (&of.subject, day(*not_before));
                let text =
                    format!("the issuer's certificate, {subject}, is not valid before {from}");
                problem("certificate-not-yet-valid", text)
            }
            CertificateError::BadSignature => match facts.iter().flatten().find_map(weak_key) {
                Some(text) => problem("certificate-algorithm", text),
                None => Self::of_certificate(error),
            },
            error => Self::of_certificate(error),
        }
    }

    /// Returns the problem of an origin whose signature of the handshake cannot be verified. No option
    /// answers it: without that signature, an attacker may be in the place of the origin.
    pub(super) fn of_handshake_signature(
        error: &CertificateError,
        leaf: &CertificateDer<'_>,
    ) -> Self {
        let problem = |word, text| Self::new(ProblemKind::Certificate, word, text);
        if *error != CertificateError::BadSignature {
            return Self::of_certificate(error).answered_by(None);
        }
        match CertificateFacts::of(leaf).ok().as_ref().and_then(weak_key) {
            Some(text) => problem("certificate-algorithm", text),
            None => problem(
                "certificate-signature",
                "the origin has signed the handshake by another key than that of its certificate"
                    .to_owned(),
            ),
        }
    }

    /// Returns the problem of a chain that leads to no known authority. The issuer that is missing is
    /// that of the last certificate on the way from the origin's own.
    fn of_issuer(leaf: Option<&CertificateFacts>, issuers: &[Option<CertificateFacts>]) -> Self {
        let problem = |text: String| {
            Self::new(ProblemKind::Certificate, "certificate-unknown-issuer", text)
                .answered_by(ADD_AUTHORITY)
        };
        let Some(leaf) = leaf else { return problem("the certificate's issuer is unknown".into()) };
        if leaf.is_self_issued {
            return problem(format!("the certificate is self-signed, by {}", leaf.issuer));
        }
        let mut last = leaf;
        for _ in issuers {
            let is_next = |facts: &&CertificateFacts| facts.subject == last.issuer;
            let next = issuers.iter().flatten().find(is_next);
            let Some(next) = next.filter(|next| !next.is_self_issued) else { break };
            last = next;
        }
        problem(format!("the certificate's issuer is unknown: {}", last.issuer))
    }

    /// Returns the problem of a certificate that is not for the host `expected`.
    fn of_names(leaf: Option<&CertificateFacts>, expected: &str) -> Self {
        let names = leaf.map_or_else(Vec::new, |facts| {
            let dns = facts.dns_names.iter().map(|name| match name.parse::<IpAddr>() {
                Ok(_) => format!("the DNS name {name}"),
                Err(_) => name.clone(),
            });
            dns.chain(facts.addresses.iter().map(ToString::to_string)).collect()
        });
        let names = listed(&names);
        Self::of_other_name(format!("the certificate is not for {expected}, but for {names}"))
    }
}

/// Returns what is wrong with a key that is too short.
fn weak_key(facts: &CertificateFacts) -> Option<String> {
    let KeyAlgorithm::Rsa(bits) = facts.key_algorithm else { return None };
    let subject = &facts.subject;
    (bits < RSA_BITS).then(|| format!("the key of {subject} is too weak: RSA with {bits} bits"))
}

/// Lists the first names of a certificate.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names.len() {
        0 => "no host (a common name does not count)".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
