//! Input and result of an authentication.

use std::fmt;
use std::sync::Arc;

use super::verification::VerifyJob;
use crate::http::{Fields, Name, RequestHead};

/// Side that authenticates: a proxy, or an origin (a reverse proxy is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// 401, `WWW-Authenticate`, `Authorization`, `Authentication-Info`.
    Origin,
    /// 407, `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Authentication-Info`.
    Proxy,
}

impl Side {
    /// Returns the name of the field that carries credentials (RFC 9110 §11.6.2, §11.7.2).
    #[must_use]
    pub const fn credentials(self) -> Name {
        match self {
            Self::Origin => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }

    /// Returns the name of the field that carries challenges (§11.6.1, §11.7.1).
    #[must_use]
    pub const fn challenge(self) -> &'static str {
        match self {
            Self::Origin => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    /// Returns the name of the field that carries [`Accepted::info`] (§11.6.3, §11.7.3).
    #[must_use]
    pub const fn info(self) -> &'static str {
        match self {
            Self::Origin => "Authentication-Info",
            Self::Proxy => "Proxy-Authentication-Info",
        }
    }
}

/// Parts of a request that authentication depends on.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Target of the request, as received.
    pub target: &'a str,
    /// Fields of the request.
    pub fields: &'a Fields,
}

impl<'a> From<&'a RequestHead> for Request<'a> {
    fn from(head: &'a RequestHead) -> Self {
        Self { method: head.method_name(), target: head.target(), fields: head.fields() }
    }
}

/// Result of verifying a request's credentials.
#[derive(Debug)]
pub enum AuthResult {
    /// The credentials are valid.
    Accepted(Accepted),
    /// The response is 401 or 407, with challenges that state the reason.
    Challenge(ChallengeReason),
    /// The response is 400: the credentials are malformed. The text is a sentence without its full
    /// stop.
    Malformed(&'static str),
    /// The response is 400: the credentials are for another request.
    Misdirected,
    /// The password has to be verified against a slow hash, on another thread.
    NeedsHashing(Box<VerifyJob>),
}

/// Authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Name of the user.
    pub user: Arc<str>,
    /// Value of the response's field [`Side::info`].
    pub info: Option<String>,
}

/// Reason for a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeReason {
    /// The request has no credentials.
    Missing,
    /// The credentials use a scheme, an algorithm, a quality of protection or a realm that was not
    /// offered.
    NotOffered,
    /// The user is unknown, or the password is wrong.
    Wrong,
    /// The user has no entry for Digest, so no credentials can be right. Clients are told the same
    /// as for [`ChallengeReason::Wrong`].
    NoEntry,
    /// The credentials are right, but their nonce has expired; the client can retry with a new one.
    Stale,
    /// The credentials are right, but their nonce was not made here, or not by this process.
    Unknown,
    /// The credentials are right, but were used before.
    Replayed,
}

impl ChallengeReason {
    /// Returns true if the client may answer the new challenge without asking its user again (RFC
    /// 7616 §3.3).
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Unknown | Self::Replayed)
    }

    /// Returns true if the client may be guessing, so that [`Failures`](super::Failures) must count
    /// it.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Wrong)
    }
}

/// Writes the short name that logs use.
impl fmt::Display for ChallengeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::NotOffered => "not-offered",
            Self::Wrong => "wrong",
            Self::NoEntry => "no-line",
            Self::Stale => "stale",
            Self::Unknown => "unknown-nonce",
            Self::Replayed => "replayed",
        })
    }
}
