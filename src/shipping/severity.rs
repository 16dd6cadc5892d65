//! Severities of lines.

/// Severity of a message (RFC 5424 §6.2.1), as far as access logs use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Response of a server that failed.
    Error,
    /// Response to a request that was refused or invalid.
    Notice,
    /// Any other exchange.
    Info,
}

impl Severity {
    /// Returns the severity of an exchange whose response has this status code, if there is one: 5xx is an
    /// error, 4xx a notice.
    #[must_use]
    pub const fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(500..=599) => Self::Error,
            Some(400..=499) => Self::Notice,
            _ => Self::Info,
        }
    }

    /// Returns the number by RFC 5424 §6.2.1, from 0 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Notice => 5,
            Self::Info => 6,
        }
    }

    /// Returns the severity with this number.
    #[must_use]
    pub const fn numbered(number: u8) -> Option<Self> {
        match number {
            3 => Some(Self::Error),
            5 => Some(Self::Notice),
            6 => Some(Self::Info),
            _ => None,
        }
    }
}
