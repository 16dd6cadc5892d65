//! Reasons for refusing a header.

use std::fmt;

macro_rules! header_errors {
    ($($(#[$doc:meta])* $variant:ident $text:literal;)*) => {
        /// A rule of the PROXY protocol that the first bytes of a connection break.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HeaderError { $($(#[$doc])* $variant,)* }

        impl HeaderError {
            /// All rules.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns what is wrong, as a sentence without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

header_errors! {
    /// The connection begins with the signature of neither version.
    Signature "the connection begins with something else; let the sender send the header (HAProxy: send-proxy), or connect to a port that expects none";
    /// The line of version 1 names another protocol than TCP4, TCP6 and UNKNOWN, or is not divided
    /// by single spaces.
    Protocol "the line of version 1 has no TCP4, TCP6 or UNKNOWN after 'PROXY'";
    /// An address of version 1 is not one of the family that the line names.
    Address "an address is not in the canonical form of the family that the line names";
    /// A port of version 1 is not a number from 0 to 65535 without leading zeros.
    Port "a port is not a decimal number from 0 to 65535 without leading zeros";
    /// The line of version 1 contains CR or LF that is not part of CR LF at its end.
    LineEnd "the line of version 1 does not end in CR LF";
    /// The line of version 1 is longer than 107 bytes.
    LineTooLong "the line of version 1 is longer than 107 bytes";
    /// The signature is that of version 2, the version is another.
    Version "the binary header has another version than 2";
    /// The command of version 2 is neither LOCAL nor PROXY.
    Command "the command of the binary header is neither LOCAL nor PROXY";
    /// The address family or the transport protocol of version 2 is not assigned.
    Family "the address family or transport protocol of the binary header is not assigned";
    /// The transport protocol of version 2 is one of datagrams, which no TCP connection forwards.
    Datagrams "the binary header is that of datagrams, and this is a connection";
    /// The length of version 2 is shorter than the addresses, or leaves one or two bytes behind
    /// them, or the header is longer than 4,096 bytes.
    Length "the length of the binary header does not fit its addresses, or the header is longer than 4,096 bytes";
    /// The length of a type-length-value vector is not allowed for its type, or does not fit into
    /// the header.
    Vector "a type-length-value vector of the binary header has a length that does not fit";
    /// A vector of a type that stands in a header once is repeated.
    Repeated "the binary header has two checksums, or two vectors about TLS";
    /// The checksum of version 2 is not that of the header.
    Checksum "the checksum of the binary header is wrong";
}

impl HeaderError {
    /// Returns the word for logs, which is the same for all errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        "proxy-header"
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a PROXY header was expected: {}", self.text())
    }
}

impl std::error::Error for HeaderError {}

/// Reason for which parsing stops before the end of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes received so far are valid.
    Incomplete,
    Invalid(HeaderError),
}

impl From<HeaderError> for Stop {
    fn from(error: HeaderError) -> Self {
        Self::Invalid(error)
    }
}
