//! Problems of TLS with an origin or a client, in words for people and for `Proxy-Status`.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};

use crate::http::date;
use crate::x509::CertificateFacts;

use super::material::MaterialError;
use super::not_tls::NotTls;

/// Kind of a problem, after the error types of RFC 9209 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The peer's certificate is not accepted (`tls_certificate_error`).
    Certificate,
    /// The peer has sent a fatal alert with this number (`tls_alert_received`).
    Alert(u8),
    /// The peer breaks a rule of TLS, or has nothing in common with this side
    /// (`tls_protocol_error`).
    Protocol,
    /// The peer speaks another protocol.
    NotTls,
    /// The connection ended during the handshake.
    Ended,
}

/// A problem: its kind, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub kind: ProblemKind,
    /// A word for logs and metrics, such as `certificate-expired`.
    pub word: &'static str,
    /// What is wrong, as a clause without a final period.
    pub text: String,
    /// Option that would answer the problem, if there is one.
    pub remedy: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Problem {}

/// Option that adds an authority.
const ADD_AUTHORITY: Option<&str> = Some("--origin-ca FILE");
/// Option that skips verification.
const SKIP: Option<&str> = Some("--origin-insecure HOST");
/// Option that sets the name to ask for and to verify.
const OTHER_NAME: Option<&str> = Some("--origin-sni NAME");
/// Options that present a certificate.
const PRESENT: Option<&str> = Some("--origin-cert FILE --origin-key FILE");

impl Problem {
    /// Returns the problem of a handshake or a connection that has failed with `error`.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Self::of_tls(tls);
        }
        if inner.is_some_and(|inner| inner.is::<NotTls>()) {
            return Self::new(ProblemKind::NotTls, "not-tls", "the peer does not speak TLS");
        }
        Self::new(ProblemKind::Ended, "tls-ended", "the connection ended during the handshake")
    }

    /// Returns the problem of a host for which no certificate can be verified.
    #[must_use]
    pub fn of_name(error: &MaterialError) -> Self {
        Self::of_other_name(error.to_string())
    }

    /// Returns the problem of a certificate that is not for the host `expected`.
    pub(super) fn of_names(certificate: &CertificateDer<'_>, expected: &str) -> Self {
        let facts = CertificateFacts::of(certificate);
        let names = facts.map_or_else(
            |_| Vec::new(),
            |facts| {
                let addresses = facts.addresses.iter().map(ToString::to_string);
                facts.dns_names.iter().cloned().chain(addresses).collect()
            },
        );
        Self::of_other_name(format!(
            "the certificate is not for {expected}, but for {}",
            listed(&names)
        ))
    }

    /// Returns the problem of a chain that ends with a certificate whose issuer is unknown. The
    /// certificate is the origin's own if `is_alone`.
    pub(super) fn of_issuer(last: &CertificateDer<'_>, is_alone: bool) -> Self {
        let text = match CertificateFacts::of(last) {
            Ok(facts) if is_alone && facts.is_self_issued => {
                format!("the certificate is self-signed, by {}", facts.issuer)
            }
            Ok(facts) => format!("the certificate's issuer is unknown: {}", facts.issuer),
            Err(_) => "the certificate's issuer is unknown".to_owned(),
        };
        Self::new(ProblemKind::Certificate, "certificate-unknown-issuer", text)
            .answered_by(ADD_AUTHORITY)
    }

    /// Returns the problem of a client that asks for a `name` for which this server has no certificate.
    pub(super) fn of_unknown_name(name: Option<&str>) -> Self {
        let asked = name.map_or("no name".to_owned(), |name| format!("'{name}'"));
        let text =
            format!("the client asks for {asked}, and no certificate of this server is for it");
        Self::new(ProblemKind::Protocol, "tls-unknown-name", text)
    }

    /// Returns the problem of a client whose first message is too large.
    pub(super) fn of_large_message() -> Self {
        Self::new(ProblemKind::Protocol, "tls-protocol", "the client's first message is too large")
    }

    fn of_other_name(text: String) -> Self {
        Self::new(ProblemKind::Certificate, "certificate-other-name", text).answered_by(OTHER_NAME)
    }

    fn new(kind: ProblemKind, word: &'static str, text: impl Into<String>) -> Self {
        Self { kind, word, text: text.into(), remedy: None }
    }

    const fn answered_by(mut self, remedy: Option<&'static str>) -> Self {
        self.remedy = remedy;
        self
    }

    fn of_tls(error: &Error) -> Self {
        let protocol = |word, text: String| Self::new(ProblemKind::Protocol, word, text);
        match error {
            Error::InvalidCertificate(why) => Self::of_certificate(why),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
                Self::new(ProblemKind::NotTls, "not-tls", "the peer does not speak TLS")
            }
            Error::NoCertificatesPresented => Self::new(
                ProblemKind::Certificate,
                "certificate-missing",
                "the peer has presented no certificate",
            ),
            Error::Other(other) => match other.0.downcast_ref::<Self>() {
                Some(problem) => problem.clone(),
                None => protocol("tls-protocol", other.to_string()),
            },
            Error::PeerIncompatible(why) => protocol(
                "tls-incompatible",
                format!("no version or algorithm of TLS is common to both sides ({why:?})"),
            ),
            error => protocol("tls-protocol", format!("the peer breaks a rule of TLS: {error}")),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        let problem =
            |word, text: String| Self::new(ProblemKind::Certificate, word, text).answered_by(SKIP);
        match error {
            CertificateError::ExpiredContext { not_after, .. } => problem(
                "certificate-expired",
                format!("the certificate has expired: it was valid until {}", day(*not_after)),
            ),
            CertificateError::NotValidYetContext { not_before, .. } => problem(
                "certificate-not-yet-valid",
                format!("the certificate is not valid before {}", day(*not_before)),
            ),
            CertificateError::Other(other) => match other.0.downcast_ref::<Self>() {
                Some(problem) => problem.clone(),
                None => problem("certificate-invalid", other.to_string()),
            },
            CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
                problem("certificate-purpose", "the certificate is not for servers (extended key usage)".into())
            }
            CertificateError::BadSignature => {
                problem("certificate-signature", "a signature in the chain is wrong".into())
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => problem(
                "certificate-algorithm",
                "a certificate of the chain is signed by an algorithm that is too weak or not supported".into(),
            ),
            CertificateError::BadEncoding => {
                problem("certificate-malformed", "a certificate of the chain is malformed".into())
            }
            CertificateError::UnhandledCriticalExtension => problem(
                "certificate-extension",
                "a certificate of the chain has a critical extension that is not supported".into(),
            ),
            other => problem("certificate-invalid", format!("the certificate is not valid: {other}")),
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        let text = format!("the peer has ended the handshake by the alert '{alert:?}'");
        let problem = Self::new(ProblemKind::Alert(u8::from(alert)), "tls-alert", text);
        match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA => problem.answered_by(PRESENT),
            AlertDescription::UnrecognisedName => problem.answered_by(OTHER_NAME),
            _ => problem,
        }
    }
}

fn day(time: UnixTime) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(time.as_secs());
    date::format(time).as_str().to_owned()
}

/// Lists the first names of a certificate.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names.len() {
        0 => "no name".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
