//! What a socket can do, remembered, and how much one drive may do with it.

use std::fmt;

/// Readiness of a socket. Bits are set by events and cleared by an operation that would block.
///
/// The other three are hints, and stay: what they mean is said by the operation that follows, so
/// [`CLOSED`](Self::CLOSED) and [`URGENT`](Self::URGENT) come with `READABLE`,
/// [`ERROR`](Self::ERROR) with both.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// There may be bytes, a connection or the end of the stream to read.
    pub const READABLE: Self = Self(1);
    /// There may be room to write, or a connect has come to its end.
    pub const WRITABLE: Self = Self(2);
    /// The peer has closed its side: a short read need not mean that nothing follows.
    pub const CLOSED: Self = Self(4);
    /// The socket has failed.
    pub const ERROR: Self = Self(8);
    /// The peer has sent urgent data (RFC 6093): a read stops short at its mark.
    pub const URGENT: Self = Self(16);

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What is here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::READABLE, "READABLE"),
            (Self::WRITABLE, "WRITABLE"),
            (Self::CLOSED, "CLOSED"),
            (Self::ERROR, "ERROR"),
            (Self::URGENT, "URGENT"),
        ];
        f.debug_set().entries(names.iter().filter(|n| self.contains(n.0)).map(|n| n.1)).finish()
    }
}
