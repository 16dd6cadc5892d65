//! Length of a message's content, in any version of HTTP.

/// Length of the content, as far as the head tells (RFC 9110 §6.4, §8.6). How the end of the content is
/// found on a connection is the framing of the version, such as [`Framing`](super::Framing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// No content, whatever the fields say.
    None,
    /// Content of this many bytes.
    Known(u64),
    /// Content whose length is known only once all of it was received.
    Unknown,
}

impl BodyLength {
    /// Returns the length in bytes, if it is known in advance.
    #[must_use]
    pub const fn known(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Known(length) => Some(length),
            Self::Unknown => None,
        }
    }

    /// Returns true unless the content is known to be empty.
    #[must_use]
    pub const fn has_content(self) -> bool {
        !matches!(self, Self::None | Self::Known(0))
    }
}
