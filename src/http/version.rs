//! The two versions of HTTP/1 (RFC 9112 §2.3).

/// A version of HTTP/1. A higher minor version counts as 1.1, the highest known one (RFC 9110
/// §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: one request per connection, no chunks, no interim responses.
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// Returns the version as written in `Via` and logs: `1.0` or `1.1`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        }
    }
}
