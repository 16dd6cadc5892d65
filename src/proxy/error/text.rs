//! Texts of errors for clients: the error and its remedy.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::access::Denial;
use crate::auth::ChallengeReason;
use crate::files::PathError;
use crate::tls::Problem;

use super::{ApplicationError, ExchangeError, FileError, NotSupported};

/// The error and its remedy, as sentences for the content of the response.
impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequest(refusal) => return write!(f, "{}.", refusal.text()),
            Self::NotSupported(unserved) => not_supported(*unserved),
            Self::Denied(denial) => return write_denial(f, denial),
            Self::ClientDenied(client) => return write_client_denied(f, *client),
            Self::NotForClient(client) => {
                return write!(f, "{client} may not request this; rule 'client' of the route.");
            }
            Self::AuthenticationRequired { why, .. } => authentication_required(*why),
            Self::BadCredentials(what) => {
                return write!(f, "the credentials are malformed: {what}.");
            }
            Self::DnsFailure(error) => {
                return write!(f, "the host name cannot be resolved: {error}.");
            }
            Self::DnsTimeout(why) => return write_dns_timeout(f, why.as_deref()),
            Self::Connect { to, disclosed, kind } => {
                return write_connect_failure(f, to.filter(|_| *disclosed), *kind);
            }
            Self::Tls(problem) => return write_tls_problem(f, problem),
            Self::BadResponse(refusal) => {
                return write!(f, "the origin's response is malformed: {}.", refusal.text());
            }
            Self::MisdirectedCredentials => {
                "the credentials are for another request: uri is not the request target."
            }
            Self::NoSuchUser(_) => "there is no such user; 'tidegate users list' lists the users.",
            Self::TooManyFailures(_) => {
                "the client is banned for wrong credentials; try again later (--auth-ban)."
            }
            Self::RateLimited(_) => {
                "the client has sent too many requests; try again later (request-rate)."
            }
            Self::Banned(_) => "the client is banned; try again later.",
            Self::Refused { reason, .. } => reason,
            Self::Loop => "the request has passed this proxy before (see Via or CDN-Loop).",
            Self::HeadTimeout => {
                "the request head was not received in time (limits.header-timeout)."
            }
            Self::UploadTimeout => {
                "the request's content stopped arriving (limits.upload-timeout)."
            }
            Self::ClientGone => "the request ended before it was complete.",
            Self::UploadTooLarge => {
                "the request's content is larger than the proxy accepts (limits.upload)."
            }
            Self::LengthRequired => {
                "the origin speaks HTTP/1.0, without chunked coding, and the request's content is \
                 larger than this proxy buffers (limits.window); send it with Content-Length."
            }
            Self::ConnectTimeout => {
                "connecting to the origin took too long (limits.connect-timeout)."
            }
            Self::OriginGone => {
                "the origin closed the connection before its response was complete."
            }
            Self::OriginTimeout => "the origin did not respond in time (limits.origin-timeout).",
            Self::TooManyInterims => {
                "the origin sent too many interim responses (limits.interims)."
            }
            Self::UnaskedUpgrade => "the origin switched to a protocol that was not requested.",
            Self::Overloaded => "the proxy is overloaded; try again later.",
            Self::NoMember(why) => {
                return write!(
                    f,
                    "no origin can be used{}{why}.",
                    if why.is_empty() { "" } else { ": " }
                );
            }
            Self::QueueFull => {
                "all origins are busy, and the queue for them is full; try again later."
            }
            Self::QueueTimeout => "all origins were busy for too long; try again later.",
            Self::RetriesSpent => {
                "an origin has failed, and others were tried too often of late (retry-budget)."
            }
            Self::OnlyIfCached => {
                "the request accepts only a stored response, and none can be used."
            }
            Self::File(error) => return write_file_error(f, error),
            Self::Application(error) => application_error(*error),
        })
    }
}

fn write_file_error(f: &mut fmt::Formatter<'_>, error: &FileError) -> fmt::Result {
    f.write_str(match error {
        FileError::Missing => "there is no such file.",
        FileError::Denied => "the file may not be read.",
        FileError::Path(PathError::Hidden) => "there is no such file.", // whether or not there is one
        FileError::Path(error) => return write!(f, "{error}."),
        FileError::Method => "files are requested by GET and HEAD.",
        FileError::Precondition => "the file is not the one that the request is for.",
        FileError::Shrunk => "the file became shorter while it was sent.",
        FileError::Unreadable(why) => return write!(f, "the file cannot be read: {why}."),
    })
}

/// Returns the text about an application. Its reasons are for the operator.
const fn application_error(error: ApplicationError) -> &'static str {
    match error {
        ApplicationError::Failed | ApplicationError::Panicked => "the application has failed.",
        ApplicationError::Reply(_) => "the reply of the application breaks a rule of HTTP.",
        ApplicationError::Timeout => "the application did not answer in time.",
        ApplicationError::Busy => "the application is busy; try again later.",
        ApplicationError::ContentTooLarge => "the content is larger than the application takes.",
        ApplicationError::Short | ApplicationError::Long => {
            "the content of the application has not the length that was promised."
        }
    }
}

fn write_client_denied(f: &mut fmt::Formatter<'_>, client: IpAddr) -> fmt::Result {
    let allow = format_args!("--allow-client {client}");
    write!(f, "{client} may not use this proxy; rule 'client'. To allow it: {allow}")
}

fn write_dns_timeout(f: &mut fmt::Formatter<'_>, why: Option<&str>) -> fmt::Result {
    match why {
        None => f.write_str("the host name was not resolved in time."),
        Some(why) => write!(f, "the host name was not resolved in time: {why}."),
    }
}

/// Writes that connecting failed, with the address if the client may know it.
fn write_connect_failure(
    f: &mut fmt::Formatter<'_>,
    to: Option<SocketAddr>,
    kind: io::ErrorKind,
) -> fmt::Result {
    let why = connect_failure(kind);
    match to {
        Some(to) => write!(f, "no connection to {to}: {why}."),
        None => write!(f, "no connection to the origin: {why}."),
    }
}

/// Returns what `connect(2)` has failed for, in words.
pub(crate) fn connect_failure(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "there is no socket at the path".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission to connect".to_owned(),
        kind => kind.to_string(),
    }
}

fn write_tls_problem(f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
    write!(f, "no TLS connection to the origin: {}.", problem.text)?;
    problem.remedy.map_or(Ok(()), |remedy| write!(f, " To answer it: {remedy}"))
}

fn write_denial(f: &mut fmt::Formatter<'_>, denial: &Denial) -> fmt::Result {
    if let Denial::Rule { .. } = denial {
        return write!(f, "{denial}.");
    }
    write!(f, "{denial}; rule '{}'.", denial.rule())?;
    denial.remedy().map_or(Ok(()), |remedy| write!(f, " To allow it: {remedy}"))
}

const fn authentication_required(why: ChallengeReason) -> &'static str {
    match why {
        ChallengeReason::Missing => "a user name and a password are required.",
        ChallengeReason::NotOffered => {
            "the credentials are of a scheme, algorithm or realm that was not offered; use one \
             that the challenge offers."
        }
        ChallengeReason::Wrong | ChallengeReason::NoEntry => "unknown user or wrong password.",
        ChallengeReason::Unknown => {
            "the nonce of the credentials is unknown; retry with the new challenge."
        }
        ChallengeReason::Stale | ChallengeReason::Replayed => {
            "the nonce of the credentials has expired or was used before; retry with the new \
             challenge."
        }
    }
}

const fn not_supported(unserved: NotSupported) -> &'static str {
    match unserved {
        NotSupported::OriginForm => {
            "this is a forward proxy, and the request line names no host. Configure it as a \
             proxy (curl -x), or start tidegate with --to URL to serve one origin."
        }
        NotSupported::Https => {
            "this proxy was started without TLS towards origins. Request a tunnel with CONNECT, as \
             clients do when this proxy is set for https, too."
        }
        NotSupported::Scheme => {
            "URLs of this scheme are not supported; only http:// and https:// URLs are fetched."
        }
        NotSupported::Connect => "CONNECT is not supported by a reverse proxy.",
        NotSupported::Host => "the host is neither a valid name nor an address.",
        NotSupported::PlainOnTls => {
            "this is plain HTTP, and this port speaks TLS; use an https:// URL for it."
        }
        NotSupported::Misdirected => {
            "URLs of this scheme are not served on this connection (RFC 9110 §7.4)."
        }
        NotSupported::DotSegments => {
            "the path has '..' segments, which could lead out of the prefix that is served; \
             send it without them."
        }
        NotSupported::UnknownSite => "this server serves no site of that host (RFC 9110 §15.5.20).",
        NotSupported::NoRoute => "the site has no route for this path and method.",
        NotSupported::AmbiguousPath => {
            "the path can be read in several ways that are protected differently; send it \
             without unnecessary escapes, '..', '//' and ';'."
        }
    }
}
