//! Failures to ask, with what to do.

use std::fmt;
use std::io;

use crate::http::ParseError;
use crate::tls::Problem;

/// Reason why a URL could not be asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The host has no address.
    Unknown(String),
    /// No connection, or none that lasts.
    Connection { address: String, error: io::Error },
    /// No answer in time.
    Late(String),
    /// TLS cannot be established.
    Tls(Problem),
    /// The response is malformed.
    Malformed(ParseError),
    /// The connection ended before the response head.
    Ended,
    /// The connection ended after so many bytes of content, before the end of the content.
    CutOff(usize),
}

impl Failure {
    /// Returns the failure of an operation on a connection to `address`.
    pub(super) fn of(error: io::Error, address: &str) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Unknown(address.to_owned()),
            io::ErrorKind::TimedOut => Self::Late(address.to_owned()),
            _ => match Problem::of_session(&error) {
                Some(problem) => Self::Tls(problem),
                None => Self::Connection { address: address.to_owned(), error },
            },
        }
    }

    /// Returns what the operator can do.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "correct the name, or say where to connect by --connect HOST:PORT",
            Self::Connection { .. } | Self::Ended => {
                "start the server there, or correct scheme and port"
            }
            Self::Late(_) => "look for a firewall on the way; or give more time by --max-time",
            Self::Tls(_) => "correct scheme and port, or what TLS refuses (docs/tls.md)",
            Self::CutOff(_) => {
                "look into the log of the server; Content-Length has to be that of the content"
            }
            Self::Malformed(_) => {
                "correct the server: browsers and proxies may read this in different ways"
            }
        }
    }

    /// Returns the option of tidegate that would help it to ask the same server.
    pub(super) const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Tls(problem) => problem.remedy,
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(host) => write!(f, "no address is known for {host}"),
            Self::Connection { address, error } => match error.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "{address} refuses connections"),
                io::ErrorKind::ConnectionReset => write!(f, "{address} resets the connection"),
                _ => write!(f, "{address}: {error}"),
            },
            Self::Late(address) => write!(f, "{address} does not answer in time"),
            Self::Tls(problem) => write!(f, "{problem} ({})", problem.word),
            Self::Malformed(ParseError::Truncated) => {
                f.write_str("the connection ends within the response head (truncated)")
            }
            Self::Malformed(rule) => {
                write!(f, "the response is malformed: {} ({})", rule.text(), rule.name())
            }
            Self::Ended => f.write_str("the connection ends without a response"),
            Self::CutOff(received) => {
                write!(
                    f,
                    "the connection ends after {received} bytes of content, which is incomplete"
                )
            }
        }
    }
}
