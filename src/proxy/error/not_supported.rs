//! Requests of kinds that are not served.

use crate::http::Status;

/// Kinds of requests that this proxy does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSupported {
    /// An origin-form target on a forward listener.
    OriginForm,
    /// `https://` in an absolute-form target.
    Https,
    /// Another scheme.
    Scheme,
    /// CONNECT on a reverse listener.
    Connect,
    /// A host that is neither address nor name.
    Host,
    /// Plain HTTP on a listener for TLS.
    PlainOnTls,
    /// An absolute target on a reverse listener, whose scheme is not that of the connection.
    Misdirected,
    /// A path with `..` segments on a reverse listener that serves only a prefix of the origin.
    DotSegments,
    /// A path whose possible readings are protected differently.
    AmbiguousPath,
    /// A host that no site serves.
    UnknownSite,
    /// A request for which the site has no route.
    NoRoute,
}

impl NotSupported {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::PlainOnTls => Status::BAD_REQUEST,
            Self::OriginForm | Self::Host | Self::DotSegments | Self::AmbiguousPath => {
                Status::BAD_REQUEST
            }
            Self::Https | Self::Scheme => Status::NOT_IMPLEMENTED,
            Self::Connect => Status::METHOD_NOT_ALLOWED,
            Self::Misdirected | Self::UnknownSite => Status::MISDIRECTED_REQUEST,
            Self::NoRoute => Status::NOT_FOUND,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OriginForm => "origin-form",
            Self::Https => "https",
            Self::Scheme => "scheme",
            Self::Connect => "connect",
            Self::Host => "host",
            Self::PlainOnTls => "http-on-tls-port",
            Self::Misdirected => "misdirected",
            Self::DotSegments => "dot-segments",
            Self::AmbiguousPath => "ambiguous-path",
            Self::UnknownSite => "unknown-site",
            Self::NoRoute => "no-route",
        }
    }
}
