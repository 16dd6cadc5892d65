//! What can go wrong in an exchange, and what the client is told: one table.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::access::Denial;
use crate::auth::{ChallengeReason, Side};
use crate::http::{ParseError, Status};

/// Why an exchange failed.
#[derive(Clone, Debug)]
pub(crate) enum ExchangeError {
    /// The client's request breaks a rule of HTTP.
    BadRequest(ParseError),
    /// The request is well-formed but not for this proxy.
    NotSupported(NotSupported),
    /// The destination is not allowed.
    Denied(Denial),
    /// The client itself is not allowed.
    ClientDenied(IpAddr),
    /// The client has to say who it is, in one of the ways that the challenges offer.
    AuthenticationRequired { side: Side, why: ChallengeReason, challenges: Vec<String> },
    /// The client's credentials cannot be read.
    BadCredentials(&'static str),
    /// The client's credentials are for another request.
    MisdirectedCredentials,
    /// Somebody is named, in an explanation, who is not there.
    NoSuchUser(Side),
    /// The client was wrong so often that it is not heard for a while.
    TooManyFailures(Duration),
    /// The request has been here before.
    Loop,
    /// The client did not send its head in time.
    HeadTimeout,
    /// The client did not go on sending content.
    UploadTimeout,
    /// The client left, or its stream ended, before its request was whole.
    ClientGone,
    /// The request's content is larger than it may be.
    UploadTooLarge,
    /// The origin takes no content without a length, and there is too much to find its length out.
    LengthRequired,
    /// The name has no address.
    DnsFailure(String),
    /// No address was found in time; why, if that is the client's business.
    DnsTimeout(Option<String>),
    /// No connection came about; the client is told where to if that is its business.
    Connect { to: SocketAddr, told: bool, kind: io::ErrorKind },
    /// No connection came about in time.
    ConnectTimeout,
    /// The origin closed or reset the connection before its response was whole.
    OriginGone,
    /// The origin was silent for too long.
    OriginTimeout,
    /// The origin's response breaks a rule of HTTP.
    BadResponse(ParseError),
    /// The origin sent more interim responses than are passed on.
    TooManyInterims,
    /// The origin switched to a protocol it was not asked for.
    UnaskedUpgrade,
    /// Too much is going on.
    Overloaded,
    /// Only a stored response was wanted (RFC 9111 §5.2.1.7), and there is none.
    OnlyIfCached,
}

/// Timeouts that end exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Header,
    Upload,
    Send,
    Name,
    Connect,
    Origin,
    Tunnel,
    Drain,
}

/// What this proxy does not serve.
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
    /// An absolute target on a reverse listener, of a scheme other than the client has used.
    Misdirected,
    /// A path with `..` where a prefix of the origin's paths is served.
    DotSegments,
    /// A path that is protected in different ways, depending on how it is read.
    AmbiguousPath,
}

/// What the client, the log and `Proxy-Status` (RFC 9209 §2.3) say of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorStatus {
    pub(super) status: Status,
    /// The error type of RFC 9209.
    pub(super) kind: &'static str,
}

impl ExchangeError {
    pub(super) const fn error_status(&self) -> ErrorStatus {
        let (status, kind) = match self {
            Self::BadRequest(refusal) => (refusal.status(), "http_request_error"),
            Self::NotSupported(unserved) => (unserved.status(), "http_request_error"),
            Self::Denied(Denial::Port { .. } | Denial::Rule { .. }) | Self::ClientDenied(_) => {
                (Status::FORBIDDEN, "http_request_denied")
            }
            Self::Denied(Denial::Address { .. } | Denial::Listener { .. }) => {
                (Status::FORBIDDEN, "destination_ip_prohibited")
            }
            Self::AuthenticationRequired { side: Side::Origin, .. }
            | Self::NoSuchUser(Side::Origin) => (Status::UNAUTHORIZED, "http_request_denied"),
            Self::AuthenticationRequired { side: Side::Proxy, .. }
            | Self::NoSuchUser(Side::Proxy) => {
                (Status::PROXY_AUTHENTICATION_REQUIRED, "http_request_denied")
            }
            Self::BadCredentials(_) | Self::MisdirectedCredentials => {
                (Status::BAD_REQUEST, "http_request_error")
            }
            Self::TooManyFailures(_) => (Status::TOO_MANY_REQUESTS, "http_request_denied"),
            Self::Loop => (Status::BAD_GATEWAY, "proxy_loop_detected"),
            Self::HeadTimeout | Self::UploadTimeout => {
                (Status::REQUEST_TIMEOUT, "connection_read_timeout")
            }
            Self::ClientGone => (Status::BAD_REQUEST, "http_request_error"),
            Self::UploadTooLarge => (Status::CONTENT_TOO_LARGE, "http_request_error"),
            Self::LengthRequired => (Status::LENGTH_REQUIRED, "http_request_error"),
            Self::DnsFailure(_) => (Status::BAD_GATEWAY, "dns_error"),
            Self::DnsTimeout(_) => (Status::GATEWAY_TIMEOUT, "dns_timeout"),
            Self::Connect { kind: io::ErrorKind::ConnectionRefused, .. } => {
                (Status::BAD_GATEWAY, "connection_refused")
            }
            Self::Connect { .. } => (Status::BAD_GATEWAY, "destination_ip_unroutable"),
            Self::ConnectTimeout => (Status::GATEWAY_TIMEOUT, "connection_timeout"),
            Self::OriginGone => (Status::BAD_GATEWAY, "connection_terminated"),
            Self::OriginTimeout => (Status::GATEWAY_TIMEOUT, "http_response_timeout"),
            Self::BadResponse(ParseError::UnknownTransferEncoding) => {
                (Status::BAD_GATEWAY, "http_response_transfer_coding")
            }
            Self::BadResponse(ParseError::HeadTooLarge | ParseError::TooManyFields) => {
                (Status::BAD_GATEWAY, "http_response_header_section_size")
            }
            Self::BadResponse(ParseError::FieldTooLong) => {
                (Status::BAD_GATEWAY, "http_response_header_size")
            }
            Self::BadResponse(ParseError::Truncated) => {
                (Status::BAD_GATEWAY, "http_response_incomplete")
            }
            Self::BadResponse(_) | Self::TooManyInterims => {
                (Status::BAD_GATEWAY, "http_protocol_error")
            }
            Self::UnaskedUpgrade => (Status::BAD_GATEWAY, "http_upgrade_failed"),
            Self::Overloaded => (Status::SERVICE_UNAVAILABLE, "proxy_internal_error"),
            Self::OnlyIfCached => (Status::GATEWAY_TIMEOUT, "proxy_internal_response"),
        };
        ErrorStatus { status, kind }
    }

    /// A short word for `details` in `Proxy-Status`. It does not tell which users there are.
    pub(super) fn details(&self) -> String {
        match self {
            Self::AuthenticationRequired { why: ChallengeReason::NoEntry, .. } => {
                format!("credentials-{}", ChallengeReason::Wrong)
            }
            error => error.reason(),
        }
    }

    /// A short word for the log.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::BadRequest(refusal) | Self::BadResponse(refusal) => refusal.name().into(),
            Self::NotSupported(unserved) => unserved.name().into(),
            Self::Denied(denial) => denial.rule(),
            Self::ClientDenied(_) => "client".into(),
            Self::AuthenticationRequired { why, .. } => format!("credentials-{why}"),
            Self::BadCredentials(_) | Self::MisdirectedCredentials => "credentials".into(),
            Self::NoSuchUser(_) => "no-such-user".into(),
            Self::TooManyFailures(_) => "auth-ban".into(),
            Self::Loop => "loop".into(),
            Self::HeadTimeout => Timeout::Header.word(),
            Self::UploadTimeout => Timeout::Upload.word(),
            Self::ClientGone => "client-gone".into(),
            Self::UploadTooLarge => "upload".into(),
            Self::LengthRequired => "length-required".into(),
            Self::DnsFailure(_) => "name".into(),
            Self::DnsTimeout(_) => Timeout::Name.word(),
            Self::Connect { .. } => "connect".into(),
            Self::ConnectTimeout => Timeout::Connect.word(),
            Self::OriginGone => "origin-gone".into(),
            Self::OriginTimeout => Timeout::Origin.word(),
            Self::TooManyInterims => "interims".into(),
            Self::UnaskedUpgrade => "upgrade".into(),
            Self::Overloaded => "overloaded".into(),
            Self::OnlyIfCached => "only-if-cached".into(),
        }
    }

    /// Returns the timeout that is exceeded, if the error is one.
    pub(super) const fn timeout(&self) -> Option<Timeout> {
        match self {
            Self::HeadTimeout => Some(Timeout::Header),
            Self::UploadTimeout => Some(Timeout::Upload),
            Self::DnsTimeout(_) => Some(Timeout::Name),
            Self::ConnectTimeout => Some(Timeout::Connect),
            Self::OriginTimeout => Some(Timeout::Origin),
            _ => None,
        }
    }

    /// Returns the label under which denials by this error are counted. The rules of an operator are
    /// many, and counted together.
    pub(super) fn rule_label(&self) -> Cow<'static, str> {
        match self {
            Self::Denied(Denial::Rule { rule, .. }) if rule.place.is_some() => "rule".into(),
            error => error.reason().into(),
        }
    }

    /// The request that rules deny, as `tidegate explain` takes it.
    pub(super) fn question(&self) -> Option<String> {
        match self {
            Self::Denied(denial) => denial.question(),
            _ => None,
        }
    }

    /// Whether the answer is a refusal of this proxy's rules, which operators look for.
    pub(super) const fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Denied(_)
                | Self::ClientDenied(_)
                | Self::AuthenticationRequired { .. }
                | Self::NoSuchUser(_)
                | Self::TooManyFailures(_)
                | Self::Loop
        )
    }

    /// Whether the origin has failed, or could not be reached.
    pub(super) const fn is_origin_failure(&self) -> bool {
        matches!(
            self,
            Self::DnsFailure(_)
                | Self::DnsTimeout(_)
                | Self::Connect { .. }
                | Self::ConnectTimeout
                | Self::OriginGone
                | Self::OriginTimeout
                | Self::BadResponse(_)
                | Self::TooManyInterims
        )
    }

    /// Returns true if an origin that was asked has not answered, or not as it should.
    pub(super) const fn is_response_failure(&self) -> bool {
        matches!(
            self,
            Self::OriginGone | Self::OriginTimeout | Self::BadResponse(_) | Self::TooManyInterims
        )
    }

    /// Whether another fetch, by somebody who waited for this one, may do better.
    pub(super) const fn is_retryable(&self) -> bool {
        matches!(self, Self::OriginGone | Self::ClientGone | Self::UploadTimeout)
    }
}

impl Timeout {
    /// Returns the name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Upload => "upload",
            Self::Send => "send",
            Self::Name => "name",
            Self::Connect => "connect",
            Self::Origin => "origin",
            Self::Tunnel => "tunnel",
            Self::Drain => "drain",
        }
    }

    /// Returns the word for the log: the name of the limit.
    pub(super) fn word(self) -> String {
        format!("{}-timeout", self.name())
    }
}

impl NotSupported {
    const fn status(self) -> Status {
        match self {
            Self::OriginForm | Self::Host | Self::DotSegments | Self::AmbiguousPath => {
                Status::BAD_REQUEST
            }
            Self::Https | Self::Scheme => Status::NOT_IMPLEMENTED,
            Self::Connect => Status::METHOD_NOT_ALLOWED,
            Self::Misdirected => Status::MISDIRECTED_REQUEST,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::OriginForm => "origin-form",
            Self::Https => "https",
            Self::Scheme => "scheme",
            Self::Connect => "connect",
            Self::Host => "host",
            Self::Misdirected => "misdirected",
            Self::DotSegments => "dot-segments",
            Self::AmbiguousPath => "ambiguous-path",
        }
    }
}

/// What happened and what to do about it, as sentences for the body of the answer.
impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(refusal) => write!(f, "{}.", refusal.text()),
            Self::NotSupported(unserved) => f.write_str(match unserved {
                NotSupported::OriginForm => {
                    "this is a forward proxy, and the request names no host in its first line. \
                     Configure it as a proxy (curl -x), or start tidegate with --to URL to have it \
                     serve one origin."
                }
                NotSupported::Https => {
                    "https:// is not fetched on a client's behalf. Ask for a tunnel with CONNECT, \
                     as clients do when this proxy is set for https too."
                }
                NotSupported::Scheme => "only http:// URLs are fetched.",
                NotSupported::Connect => "a reverse proxy makes no tunnels.",
                NotSupported::Host => "the host is neither a name nor an address.",
                NotSupported::Misdirected => {
                    "URLs of this scheme are not served on this connection (RFC 9110 §7.4)."
                }
                NotSupported::DotSegments => {
                    "the path climbs with '..', which could leave what is served here."
                }
                NotSupported::AmbiguousPath => {
                    "the path can be read in several ways, which are protected differently; write \
                     it without escapes, '..', '//' and ';' that it does not need."
                }
            }),
            Self::Denied(denial @ Denial::Rule { .. }) => write!(f, "{denial}."),
            Self::Denied(denial) => {
                write!(f, "{denial}; rule '{}'.", denial.rule())?;
                denial.remedy().map_or(Ok(()), |remedy| write!(f, " To allow it: {remedy}"))
            }
            Self::ClientDenied(client) => write!(
                f,
                "{client} may not use this proxy; rule 'client'. To allow it: --allow-client {client}"
            ),
            Self::AuthenticationRequired { why: ChallengeReason::Missing, .. } => {
                f.write_str("a user's name and password are needed.")
            }
            Self::AuthenticationRequired { why: ChallengeReason::NotOffered, .. } => {
                f.write_str("the credentials are of a kind that was not offered.")
            }
            Self::AuthenticationRequired { why: ChallengeReason::Wrong | ChallengeReason::NoEntry, .. } => {
                f.write_str("there is no such user, or the password is another one.")
            }
            Self::AuthenticationRequired { why: ChallengeReason::Unknown, .. } => f.write_str(
                "the challenge is not known here any more; make new credentials from this one.",
            ),
            Self::AuthenticationRequired { why: ChallengeReason::Stale | ChallengeReason::Replayed, .. } => {
                f.write_str("the credentials were good once; make new ones from this challenge.")
            }
            Self::BadCredentials(what) => write!(f, "the credentials cannot be read: {what}."),
            Self::MisdirectedCredentials => {
                f.write_str("the credentials are for another request: uri is not the target.")
            }
            Self::NoSuchUser(_) => {
                f.write_str("there is no such user; 'tidegate users list' shows who there is.")
            }
            Self::TooManyFailures(_) => {
                f.write_str("too many credentials were wrong; try again later (--auth-ban).")
            }
            Self::Loop => f.write_str("the request has passed this proxy before (see Via)."),
            Self::HeadTimeout => f.write_str("the request head did not come in time."),
            Self::UploadTimeout => f.write_str("the request's content stopped coming."),
            Self::ClientGone => f.write_str("the request ended before it was whole."),
            Self::UploadTooLarge => {
                f.write_str("the request's content is larger than is accepted (limits.upload).")
            }
            Self::LengthRequired => f.write_str(
                "the origin speaks HTTP/1.0, which has no chunks, and the request's content is larger \
                 than is gathered for it (limits.window); send it with Content-Length.",
            ),
            Self::DnsFailure(error) => write!(f, "the host's name cannot be resolved: {error}."),
            Self::DnsTimeout(None) => f.write_str("the host's name was not resolved in time."),
            Self::DnsTimeout(Some(why)) => {
                write!(f, "the host's name was not resolved in time: {why}.")
            }
            Self::Connect { to, told: true, kind } => write!(f, "no connection to {to}: {kind}."),
            Self::Connect { told: false, kind, .. } => {
                write!(f, "no connection to the origin: {kind}.")
            }
            Self::ConnectTimeout => f.write_str("no connection to the origin came about in time."),
            Self::OriginGone => {
                f.write_str("the origin closed the connection before its response was whole.")
            }
            Self::OriginTimeout => f.write_str("the origin did not answer in time."),
            Self::BadResponse(refusal) => {
                write!(f, "the origin's response is not well-formed: {}.", refusal.text())
            }
            Self::TooManyInterims => f.write_str("the origin sent too many interim responses."),
            Self::UnaskedUpgrade => {
                f.write_str("the origin switched to a protocol it was not asked for.")
            }
            Self::Overloaded => f.write_str("the proxy has too much to do; try again later."),
            Self::OnlyIfCached => {
                f.write_str("only a stored response was asked for, and none can be used.")
            }
        }
    }
}
