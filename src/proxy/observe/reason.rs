//! Reasons for which exchanges are refused, fail or are cut off.

use std::borrow::Cow;

use crate::http::ParseError;
use crate::proxy::error::{ExchangeError, Timeout};
use crate::proxy_protocol::HeaderError;

/// The reason for which an exchange was refused, failed or was cut off.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// An error, which the client is told unless its response has begun.
    Error(ExchangeError),
    /// A timeout that the client cannot be told of.
    Timeout(Timeout),
    /// The TLS handshake of the client has failed, for the cause with this word.
    Handshake(&'static str),
    /// The connection does not begin with a valid PROXY header.
    ProxyHeader(HeaderError),
    /// The connection is to begin with a PROXY header, and its peer is no trusted proxy.
    UntrustedProxyHeader,
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
            Self::ProxyHeader(error) => error.name().into(),
            Self::UntrustedProxyHeader => "proxy-header-untrusted".into(),
            Self::Outpaced => "outpaced".into(),
        }
    }

    /// Returns true if the connection is refused because of its PROXY header, or for the lack of one.
    pub(crate) const fn is_of_proxy_header(&self) -> bool {
        matches!(self, Self::ProxyHeader(_) | Self::UntrustedProxyHeader)
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
            Self::Handshake(_)
            | Self::ProxyHeader(_)
            | Self::UntrustedProxyHeader
            | Self::Outpaced => None,
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
