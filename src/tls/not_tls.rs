//! The error of a peer that speaks another protocol.

use std::fmt;

/// Error of a client that has begun with another protocol than TLS, such as plain HTTP.
#[derive(Debug)]
pub struct NotTls {
    /// The first bytes that were received.
    pub received: Vec<u8>,
}

impl NotTls {
    /// Returns true if the bytes may be the begin of a request in plain HTTP.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.received.first().is_some_and(u8::is_ascii_alphabetic)
    }
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client does not speak TLS")
    }
}

impl std::error::Error for NotTls {}
