//! What is asked, and what comes of it.

use std::fmt;
use std::sync::Arc;

use super::verification::VerifyJob;
use crate::http::{Fields, Name, RequestHead};

/// Whose door it is: of a proxy, or of an origin (a reverse proxy is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// 401, `WWW-Authenticate`, `Authorization`, `Authentication-Info`.
    Origin,
    /// 407, `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Authentication-Info`.
    Proxy,
}

impl Side {
    /// The field with credentials (RFC 9110 §11.6.2, §11.7.2).
    #[must_use]
    pub const fn credentials(self) -> Name {
        match self {
            Self::Origin => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }

    /// The field with challenges (§11.6.1, §11.7.1).
    #[must_use]
    pub const fn challenge(self) -> &'static str {
        match self {
            Self::Origin => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    /// The field with [`Accepted::info`] (§11.6.3, §11.7.3).
    #[must_use]
    pub const fn info(self) -> &'static str {
        match self {
            Self::Origin => "Authentication-Info",
            Self::Proxy => "Proxy-Authentication-Info",
        }
    }
}

/// What credentials are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The target, as it came.
    pub target: &'a str,
    /// The fields.
    pub fields: &'a Fields,
}

impl<'a> From<&'a RequestHead> for Request<'a> {
    fn from(head: &'a RequestHead) -> Self {
        Self { method: head.method_name(), target: head.target(), fields: head.fields() }
    }
}

/// What comes of a request's credentials.
#[derive(Debug)]
pub enum AuthResult {
    /// They are good.
    Accepted(Accepted),
    /// 401 or 407, with challenges that say why.
    Challenge(ChallengeReason),
    /// 400: they cannot be read. Says what is wrong, as a sentence without a full stop.
    Malformed(&'static str),
    /// 400: they are for another request.
    Misdirected,
    /// It takes a while to find out, and is to be done elsewhere.
    NeedsHashing(Box<VerifyJob>),
}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The user's name.
    pub user: Arc<str>,
    /// The value for the response's field [`Side::info`].
    pub info: Option<String>,
}

/// Why credentials are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeReason {
    /// There are none.
    Missing,
    /// They are of a scheme, an algorithm, a quality of protection or a realm that was not offered.
    NotOffered,
    /// There is no such user, or the password is another one.
    Wrong,
    /// The user has no line that Digest needs, and could not be right. Clients are told what they are
    /// told of [`ChallengeReason::Wrong`].
    NoEntry,
    /// They are good, but their nonce is not, any more: asking again will do.
    Stale,
    /// They are good, but their nonce was not made here, or not by this process.
    Unknown,
    /// They are good, and were used before.
    Replayed,
}

impl ChallengeReason {
    /// Whether a client may answer the new challenge without asking its user again (RFC 7616 §3.3).
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Unknown | Self::Replayed)
    }

    /// Whether somebody may be guessing: what [`Failures`](super::Failures) should know of.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Wrong)
    }
}

/// A short name, for logs.
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
