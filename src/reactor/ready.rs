//! Readiness of sockets.

use std::fmt;

/// Readiness of a socket, as a set of flags.
///
/// Events set flags. `READABLE` and `WRITABLE` are cleared by an operation that would block, or
/// that moved less than it could have. The other three are hints that stay set; the next operation
/// tells what they mean. [`CLOSED`](Self::CLOSED) and [`URGENT`](Self::URGENT) are therefore always
/// set together with `READABLE`, and [`ERROR`](Self::ERROR) with both.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready(u8);

impl Ready {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Bytes, a connection or the end of the stream may be waiting to be read.
    pub const READABLE: Self = Self(1);
    /// Room to write may be available, or a connect has finished.
    pub const WRITABLE: Self = Self(2);
    /// The peer has closed its side, so the end of the stream may follow a short read.
    pub const CLOSED: Self = Self(4);
    /// The socket has failed.
    pub const ERROR: Self = Self(8);
    /// The peer has sent urgent data (RFC 6093), so a read stops short at its mark.
    pub const URGENT: Self = Self(16);

    /// Returns true if all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags that are set in either of the two.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true if any flag of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the flags that are not set in `other`.
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
