//! Reasons why a server gave no answer, as an error tells them.

use std::fmt;
use std::net::SocketAddr;

/// Response codes (RFC 1035 §4.1.1; RFC 6891 §6.1.3).
pub(super) const FORMAT_ERROR: u16 = 1;
pub(super) const SERVER_FAILURE: u16 = 2;
pub(super) const NOT_IMPLEMENTED: u16 = 4;
pub(super) const BAD_VERSION: u16 = 16;

/// Reasons why a server has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Silent,
    Unreachable(String),
    Cut(String),
    Code(u16),
    Lame,
    Chain,
}

impl Problem {
    pub(super) fn of(&self, server: SocketAddr) -> String {
        match self {
            Self::Silent => format!("no answer from {server}"),
            Self::Unreachable(why) => format!("{server} cannot be asked: {why}"),
            Self::Cut(why) => format!("{server} cuts its answer short, and over TCP: {why}"),
            Self::Code(code) => format!("{server} says {}", Code(*code)),
            Self::Lame => format!("{server} knows nothing of the name and asks nobody"),
            Self::Chain => format!("{server} has CNAME records in a loop, or too many"),
        }
    }
}

/// A response code, as people know it.
struct Code(u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FORMAT_ERROR => f.write_str("FORMERR"),
            SERVER_FAILURE => f.write_str("SERVFAIL"),
            NOT_IMPLEMENTED => f.write_str("NOTIMP"),
            5 => f.write_str("REFUSED"),
            other => write!(f, "RCODE {other}"),
        }
    }
}
