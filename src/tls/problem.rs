//! Problems of TLS with an origin or a client, in words for people and for `Proxy-Status`.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

use crate::http::date;

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
pub(super) const ADD_AUTHORITY: Option<&str> = Some("--origin-ca FILE");
/// Option that skips verification.
pub(super) const SKIP: Option<&str> = Some("--origin-insecure HOST");
/// Option that sets the name to ask for and to verify.
const OTHER_NAME: Option<&str> = Some("--origin-sni NAME");
/// Options that present a certificate.
const PRESENT: Option<&str> = Some(CERTIFICATE);
const CERTIFICATE: &str = "--origin-cert FILE --origin-key FILE";

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

    /// Returns the number of the alert that the peer has sent.
    #[must_use]
    pub const fn alert(&self) -> Option<u8> {
        match self.kind {
            ProblemKind::Alert(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the problem of a connection that has failed with `error` after its handshake; `None` if
    /// TLS is not the reason.
    #[must_use]
    pub fn of_session(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).map(Self::of_tls)
    }

    /// Returns the problem of a host for which no certificate can be verified.
    #[must_use]
    pub fn of_name(error: &MaterialError) -> Self {
        Self::of_other_name(error.to_string())
    }

    pub(super) fn of_other_name(text: String) -> Self {
        Self::new(ProblemKind::Certificate, "certificate-other-name", text).answered_by(OTHER_NAME)
    }

    /// Returns the problem of a client that asks for a name for which this server has no certificate.
    pub(super) fn of_unknown_name(name: Option<&str>) -> Self {
        let text = match name {
            Some(name) => format!("no certificate of this server is for {name}"),
            None => "the client asks for no name".to_owned(),
        };
        Self::new(ProblemKind::Protocol, "tls-unknown-name", text)
    }

    pub(super) fn new(kind: ProblemKind, word: &'static str, text: impl Into<String>) -> Self {
        Self { kind, word, text: text.into(), remedy: None }
    }

    pub(super) const fn answered_by(mut self, remedy: Option<&'static str>) -> Self {
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
            Error::Other(other) if let Some(problem) = other.0.downcast_ref::<Self>() => {
                problem.clone()
            }
            Error::NoApplicationProtocol => protocol(
                "tls-incompatible",
                "the application protocol, http/1.1, is not common to both sides".to_owned(),
            ),
            Error::PeerIncompatible(why) => protocol(
                "tls-incompatible",
                format!("no version or algorithm of TLS is common to both sides ({why:?})"),
            ),
            error => protocol("tls-protocol", format!("the peer breaks a rule of TLS: {error}")),
        }
    }

    /// Returns the problem of a certificate that was not accepted for `error`.
    pub(super) fn of_certificate(error: &CertificateError) -> Self {
        let problem = |word, text: String| Self::new(ProblemKind::Certificate, word, text);
        let algorithm = "a certificate of the chain is signed by an algorithm that is too weak or not \
                         supported";
        match error {
            CertificateError::Other(other) => match other.0.downcast_ref::<Self>() {
                Some(problem) => problem.clone(),
                None => Self::of_rule(&other.to_string()),
            },
            // The issuer is named where the chain is known.
            CertificateError::UnknownIssuer => problem(
                "certificate-unknown-issuer",
                "the certificate's issuer is unknown".to_owned(),
            )
            .answered_by(ADD_AUTHORITY),
            CertificateError::BadEncoding => {
                problem("certificate-malformed", "a certificate of the chain is malformed".into())
            }
            CertificateError::ExpiredContext { not_after, .. } => problem(
                "certificate-expired",
                format!("the certificate has expired: it was valid until {}", day(*not_after)),
            )
            .answered_by(SKIP),
            // The only case without a time.
            CertificateError::Expired => problem(
                "certificate-expired",
                "a certificate of the chain is never valid: it ends before it begins".into(),
            )
            .answered_by(SKIP),
            CertificateError::NotValidYetContext { not_before, .. } => problem(
                "certificate-not-yet-valid",
                format!("the certificate is not valid before {}", day(*not_before)),
            )
            .answered_by(SKIP),
            CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
                problem(
                    "certificate-purpose",
                    "the certificate is not for this side of TLS (extended key usage)".into(),
                )
                .answered_by(SKIP)
            }
            CertificateError::BadSignature => {
                problem("certificate-signature", "a signature in the chain is wrong".into())
                    .answered_by(SKIP)
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                problem("certificate-algorithm", algorithm.into()).answered_by(SKIP)
            }
            other => {
                problem("certificate-invalid", format!("the certificate is not valid: {other}"))
                    .answered_by(SKIP)
            }
        }
    }

    /// Returns the problem of a chain that breaks a rule of RFC 5280, by the name that the verifier has
    /// for the rule. A certificate that the verifier cannot read is not accepted unverified, either.
    fn of_rule(name: &str) -> Self {
        let problem = |word, text: &str| Self::new(ProblemKind::Certificate, word, text);
        let constraint = |text| problem("certificate-constraint", text).answered_by(SKIP);
        match name {
            "CaUsedAsEndEntity" => constraint(
                "the certificate is that of an authority (basic constraints), and not of a server",
            ),
            "EndEntityUsedAsCa" => constraint(
                "a certificate of the chain has issued another, but is not that of an authority (basic \
                 constraints)",
            ),
            "PathLenConstraintViolated" => constraint(
                "the chain is longer than one of its authorities permits (path length constraint)",
            ),
            "NameConstraintViolation" => constraint(
                "an authority of the chain may not issue certificates for these names (name \
                 constraints)",
            ),
            "UnsupportedCriticalExtension" => problem(
                "certificate-extension",
                "a certificate of the chain has a critical extension that is not supported",
            ),
            "UnsupportedCertVersion" => problem(
                "certificate-malformed",
                "a certificate of the chain is not of version 3 of X.509",
            ),
            name => {
                let text = format!("a certificate of the chain is not valid: {name}");
                Self::new(ProblemKind::Certificate, "certificate-invalid", text).answered_by(SKIP)
            }
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        let name = alert_name(alert);
        let text = format!("the peer has ended the connection by the alert '{name}'");
        let problem = Self::new(ProblemKind::Alert(u8::from(alert)), "tls-alert", text);
        match alert {
            // In TLS 1.2, the alert also refuses a client without a certificate.
            AlertDescription::HandshakeFailure => Self {
                text: format!(
                    "{}: it supports no algorithm of this side, or asks for a certificate \
                     ({CERTIFICATE})",
                    problem.text
                ),
                ..problem
            },
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA => problem.answered_by(PRESENT),
            AlertDescription::UnrecognisedName => problem.answered_by(OTHER_NAME),
            _ => problem,
        }
    }
}

/// Returns the name of an alert in RFC 8446 §6.
fn alert_name(alert: AlertDescription) -> String {
    if alert == AlertDescription::UnrecognisedName {
        return "unrecognized_name".to_owned();
    }
    let camel = format!("{alert:?}");
    let mut name = String::with_capacity(camel.len() + 4);
    let mut is_capital = true; // no underscore stands before the first word, or within UnknownCA
    for character in camel.chars() {
        if character.is_ascii_uppercase() && !is_capital {
            name.push('_');
        }
        is_capital = character.is_ascii_uppercase();
        name.push(character.to_ascii_lowercase());
    }
    name
}

pub(super) fn day(time: UnixTime) -> String {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(time.as_secs());
    date::format(time).as_str().to_owned()
}
