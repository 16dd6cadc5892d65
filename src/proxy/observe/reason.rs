//! Reasons for which exchanges are refused, fail or are cut off.

use std::borrow::Cow;

use crate::http::ParseError;
use crate::proxy::error::{ExchangeError, Timeout};

/// The reason for which an exchange was refused, failed or was cut off.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// An error, which the client is told unless its response has begun.
    Error(ExchangeError),
    /// A timeout that the client cannot be told of.
    Timeout(Timeout),
    /// The TLS handshake of the client has failed, for the cause with this word.
    Handshake(&'static str),
    /// The client fell behind the other readers of its response, and content that it had not read
    /// was dropped.
    Outpaced,
}

impl Reason {
    /// Returns the word for the log.
    pub(crate) fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Error(error) => error.reason().into(),
            Self::Timeout(timeout) => timeout.word().into(),
            Self::Handshake(cause) => (*cause).into(),
            Self::Outpaced => "outpaced".into(),
        }
    }

    /// Returns true if the client has begun TLS on a listener for plain HTTP.
    pub(super) const fn is_tls_in_clear(&self) -> bool {
        matches!(self, Self::Error(ExchangeError::BadRequest(ParseError::Tls)))
    }

    /// Returns the timeout that ended the exchange, if one did.
    pub(super) const fn timeout(&self) -> Option<Timeout> {
        match self {
            Self::Error(error) => error.timeout(),
            Self::Timeout(timeout) => Some(*timeout),
            Self::Handshake(_) | Self::Outpaced => None,
        }
    }

    /// Returns the label under which denials for this reason are counted.
    pub(super) fn rule_label(&self) -> Cow<'static, str> {
        match self {
            Self::Error(error) => error.rule_label(),
            reason => reason.word(),
        }
    }
}

impl From<ExchangeError> for Reason {
    fn from(error: ExchangeError) -> Self {
        Self::Error(error)
    }
}

impl From<Timeout> for Reason {
    fn from(timeout: Timeout) -> Self {
        Self::Timeout(timeout)
    }
}
