//! Errors of exchanges, with their statuses, log words and texts for clients.

mod application;
mod file;
mod not_supported;
mod text;
mod timeout;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access::Denial;
use crate::auth::{ChallengeReason, Side};
use crate::http::{ParseError, Status};
use crate::tls::{Problem, ProblemKind};

pub(crate) use application::ApplicationError;
pub(crate) use file::FileError;
pub(crate) use not_supported::NotSupported;
pub(super) use text::connect_failure;
pub(crate) use timeout::Timeout;

/// The error with which an exchange failed or was refused.
#[derive(Clone, Debug)]
pub(crate) enum ExchangeError {
    /// The client's request breaks a rule of HTTP.
    BadRequest(ParseError),
    /// The request is well-formed, but of a kind that this proxy does not serve.
    NotSupported(NotSupported),
    /// The destination is not allowed.
    Denied(Denial),
    /// The client is not allowed to use the proxy.
    ClientDenied(IpAddr),
    /// The client may not use the route of a site.
    NotForClient(IpAddr),
    /// The client must authenticate, by one of the challenges.
    AuthenticationRequired { side: Side, why: ChallengeReason, challenges: Vec<String> },
    /// The credentials are malformed.
    BadCredentials(&'static str),
    /// The credentials are for another request.
    MisdirectedCredentials,
    /// The user named in a request to explain is unknown.
    NoSuchUser(Side),
    /// The client is banned for this time, after repeated authentication failures.
    TooManyFailures(Duration),
    /// The client has sent too many requests of late, and may send one after this time.
    RateLimited(Duration),
    /// The client is banned for this time.
    Banned(Duration),
    /// The embedder's hook refuses the request.
    Refused { status: Status, reason: String },
    /// The request has passed this proxy before.
    Loop,
    /// The client did not send its head in time.
    HeadTimeout,
    /// The client stopped sending the request's content.
    UploadTimeout,
    /// The client disconnected or ended its stream before its request was complete.
    ClientGone,
    /// The request's content exceeds the limit.
    UploadTooLarge,
    /// The origin accepts no content without a length, and there is too much content to buffer it
    /// for its length.
    LengthRequired,
    /// The host name cannot be resolved, for this reason.
    DnsFailure(String),
    /// The host name was not resolved in time, with the reason if the client may know it.
    DnsTimeout(Option<String>),
    /// No connection was established, to an address or a socket in the file system. `disclosed` is true if
    /// the client may know the address.
    Connect { to: Option<SocketAddr>, disclosed: bool, kind: io::ErrorKind },
    /// No connection was established in time.
    ConnectTimeout,
    /// No TLS connection to the origin was established.
    Tls(Arc<Problem>),
    /// The origin closed or reset the connection before its response was complete.
    OriginGone,
    /// The origin sent or took no bytes for too long.
    OriginTimeout,
    /// The origin's response breaks a rule of HTTP.
    BadResponse(ParseError),
    /// The origin sent more interim responses than the limit.
    TooManyInterims,
    /// The origin switched to a protocol that was not requested.
    UnaskedUpgrade,
    /// A resource of the proxy is exhausted.
    Overloaded,
    /// No member of the group can be used, with the reasons.
    NoMember(Arc<str>),
    /// All members are at their bounds, and the queue for them is full.
    QueueFull,
    /// All members were at their bounds for too long.
    QueueTimeout,
    /// A member has failed, and the budget for further attempts is spent.
    RetriesSpent,
    /// The request accepts only a stored response (`only-if-cached`, RFC 9111 §5.2.1.7), and there
    /// is none.
    OnlyIfCached,
    /// No file of the folder answers the request.
    File(FileError),
    /// The application has no answer.
    Application(ApplicationError),
}

/// The status of an error response, and its type in `Proxy-Status` (RFC 9209 §2.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorStatus {
    pub(super) status: Status,
    /// The error type of RFC 9209.
    pub(super) kind: &'static str,
}

impl ExchangeError {
    pub(super) fn error_status(&self) -> ErrorStatus {
        let (status, kind) = match self {
            Self::BadRequest(refusal) => (refusal.status(), "http_request_error"),
            Self::NotSupported(unserved) => (unserved.status(), "http_request_error"),
            Self::Denied(Denial::Port { .. } | Denial::Rule { .. })
            | Self::ClientDenied(_)
            | Self::NotForClient(_) => (Status::FORBIDDEN, "http_request_denied"),
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
            Self::TooManyFailures(_) | Self::RateLimited(_) | Self::Banned(_) => {
                (Status::TOO_MANY_REQUESTS, "http_request_denied")
            }
            Self::Refused { status, .. } => (*status, "http_request_denied"),
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
            // A socket in the file system that does not exist, or is not permitted.
            Self::Connect { to: None, .. } => (Status::BAD_GATEWAY, "destination_unavailable"),
            Self::Connect { .. } => (Status::BAD_GATEWAY, "destination_ip_unroutable"),
            Self::ConnectTimeout => (Status::GATEWAY_TIMEOUT, "connection_timeout"),
            Self::Tls(problem) => (Status::BAD_GATEWAY, tls_kind(problem)),
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
            Self::NoMember(_) => (Status::SERVICE_UNAVAILABLE, "destination_unavailable"),
            Self::QueueFull | Self::QueueTimeout | Self::RetriesSpent => {
                (Status::SERVICE_UNAVAILABLE, "connection_limit_reached")
            }
            Self::OnlyIfCached => (Status::GATEWAY_TIMEOUT, "proxy_internal_response"),
            Self::File(error) => (error.status(), "proxy_internal_response"),
            Self::Application(error) => error.error_status(),
        };
        ErrorStatus { status, kind }
    }

    /// Returns the word for `details` in `Proxy-Status`. It does not reveal which users exist.
    pub(super) fn details(&self) -> String {
        match self {
            Self::AuthenticationRequired { why: ChallengeReason::NoEntry, .. } => {
                format!("credentials-{}", ChallengeReason::Wrong)
            }
            error => error.reason(),
        }
    }

    /// Returns the word for the log.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::BadRequest(refusal) | Self::BadResponse(refusal) => refusal.name().into(),
            Self::NotSupported(unserved) => unserved.name().into(),
            Self::Denied(denial) => denial.rule(),
            Self::ClientDenied(_) | Self::NotForClient(_) => "client".into(),
            Self::AuthenticationRequired { why, .. } => format!("credentials-{why}"),
            Self::BadCredentials(_) | Self::MisdirectedCredentials => "credentials".into(),
            Self::NoSuchUser(_) => "no-such-user".into(),
            Self::TooManyFailures(_) => "auth-ban".into(),
            Self::RateLimited(_) => "request-rate".into(),
            Self::Banned(_) => "banned".into(),
            Self::Refused { .. } => "hook".into(),
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
            Self::Tls(problem) => problem.word.into(),
            Self::OriginGone => "origin-gone".into(),
            Self::OriginTimeout => Timeout::Origin.word(),
            Self::TooManyInterims => "interims".into(),
            Self::UnaskedUpgrade => "upgrade".into(),
            Self::Overloaded => "overloaded".into(),
            Self::NoMember(_) => "no-member".into(),
            Self::QueueFull => "queue-full".into(),
            Self::QueueTimeout => Timeout::Queue.word(),
            Self::RetriesSpent => "retry-budget".into(),
            Self::OnlyIfCached => "only-if-cached".into(),
            Self::File(error) => error.name().into(),
            Self::Application(error) => error.name().into(),
        }
    }

    /// Returns the timeout that the error reports, if it does.
    pub(super) const fn timeout(&self) -> Option<Timeout> {
        match self {
            Self::HeadTimeout => Some(Timeout::Header),
            Self::UploadTimeout => Some(Timeout::Upload),
            Self::DnsTimeout(_) => Some(Timeout::Name),
            Self::ConnectTimeout => Some(Timeout::Connect),
            Self::OriginTimeout => Some(Timeout::Origin),
            Self::QueueTimeout => Some(Timeout::Queue),
            _ => None,
        }
    }

    /// Returns the label under which a denial with this error is counted. All rules of the operator
    /// share one label, since they may be many.
    pub(super) fn rule_label(&self) -> Cow<'static, str> {
        match self {
            Self::Denied(Denial::Rule { rule, .. }) if rule.place.is_some() => "rule".into(),
            error => error.reason().into(),
        }
    }

    /// Returns the number of the alert by which the origin has refused TLS.
    pub(super) fn alert(&self) -> Option<u8> {
        match self {
            Self::Tls(problem) => problem.alert(),
            _ => None,
        }
    }

    /// Returns the request that rules deny, as arguments of `tidegate explain`.
    pub(super) fn question(&self) -> Option<String> {
        match self {
            Self::Denied(denial) => denial.question(),
            _ => None,
        }
    }

    /// Returns true if the proxy itself refuses the request: by a rule, for authentication or for a
    /// loop (`DENIED` in the log).
    pub(super) const fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Denied(_)
                | Self::ClientDenied(_)
                | Self::NotForClient(_)
                | Self::AuthenticationRequired { .. }
                | Self::NoSuchUser(_)
                | Self::TooManyFailures(_)
                | Self::RateLimited(_)
                | Self::Banned(_)
                | Self::Refused { .. }
                | Self::Loop
        )
    }

    /// Returns true if a rule of the operator or of the embedder denies the request or the client,
    /// whatever it has sent before.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Denied(_) | Self::ClientDenied(_) | Self::NotForClient(_) | Self::Refused { .. }
        )
    }

    /// Returns true if the origin failed or could not be reached.
    pub(super) const fn is_origin_failure(&self) -> bool {
        matches!(
            self,
            Self::DnsFailure(_)
                | Self::DnsTimeout(_)
                | Self::Connect { .. }
                | Self::ConnectTimeout
                | Self::Tls(_)
                | Self::OriginGone
                | Self::OriginTimeout
                | Self::BadResponse(_)
                | Self::TooManyInterims
                | Self::NoMember(_)
                | Self::RetriesSpent
                | Self::Application(
                    ApplicationError::Failed
                        | ApplicationError::Panicked
                        | ApplicationError::Reply(_)
                        | ApplicationError::Timeout
                )
        )
    }

    /// Returns true if the origin's response is larger than this proxy reads: what the client has sent may
    /// stand in it.
    pub(super) const fn depends_on_request(&self) -> bool {
        matches!(
            self,
            Self::BadResponse(
                ParseError::HeadTooLarge
                    | ParseError::TooManyFields
                    | ParseError::FieldTooLong
                    | ParseError::StatusLineTooLong
            )
        )
    }

    /// Returns true if the proxy did not ask the origin, for lack of resources or of places there.
    pub(super) const fn is_overload(&self) -> bool {
        matches!(
            self,
            Self::Overloaded
                | Self::QueueFull
                | Self::QueueTimeout
                | Self::Application(ApplicationError::Busy)
        )
    }

    /// Returns true if no connection to the origin was established.
    pub(super) const fn is_connect_failure(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::ConnectTimeout | Self::Tls(_))
    }

    /// Returns the time after which the client may try again, if the error passes by itself.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyFailures(left) | Self::RateLimited(left) | Self::Banned(left) => {
                Some(*left)
            }
            Self::NoMember(_)
            | Self::QueueFull
            | Self::QueueTimeout
            | Self::RetriesSpent
            | Self::Application(ApplicationError::Busy) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Returns true if the origin was asked, and failed to respond or sent an invalid response.
    pub(super) const fn is_response_failure(&self) -> bool {
        matches!(
            self,
            Self::OriginGone | Self::OriginTimeout | Self::BadResponse(_) | Self::TooManyInterims
        )
    }

    /// Returns true if a client that had joined the fetch may succeed with a fetch of its own.
    pub(super) const fn is_retryable(&self) -> bool {
        matches!(self, Self::OriginGone | Self::ClientGone | Self::UploadTimeout)
    }
}

/// Returns the error type of RFC 9209 §2.3.
const fn tls_kind(problem: &Problem) -> &'static str {
    match problem.kind {
        ProblemKind::Certificate => "tls_certificate_error",
        ProblemKind::Alert(_) => "tls_alert_received",
        ProblemKind::Protocol | ProblemKind::NotTls => "tls_protocol_error",
        ProblemKind::Ended => "connection_terminated",
    }
}

impl From<FileError> for ExchangeError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<ApplicationError> for ExchangeError {
    fn from(error: ApplicationError) -> Self {
        Self::Application(error)
    }
}
