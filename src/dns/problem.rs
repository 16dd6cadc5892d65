//! Reasons why a server gave no answer, with their error messages.

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
            Self::Unreachable(why) => format!("{server} cannot be queried: {why}"),
            Self::Cut(why) => format!("{server} truncates its answer, and over TCP: {why}"),
            Self::Code(code) => format!("{server} says {}", Code(*code)),
            Self::Lame => {
                format!("{server} does not know the name and does not recurse")
            }
            Self::Chain => format!("{server} has CNAME records in a loop, or too many"),
        }
    }
}

/// Response code, displayed by its usual mnemonic.
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
