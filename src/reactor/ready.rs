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

/// What one drive may spend. Whoever has spent it queues itself for the next turn and returns, so
/// that no peer, however fast, keeps the others waiting.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    bytes_in: usize,
    bytes_out: usize,
    operations: u32,
}

impl Default for Budget {
    /// 64 KiB in, 128 KiB out, 16 operations.
    fn default() -> Self {
        Self::new(64 * 1024, 128 * 1024, 16)
    }
}

impl Budget {
    /// So many bytes in and out, and so many operations.
    #[must_use]
    pub const fn new(bytes_in: usize, bytes_out: usize, operations: u32) -> Self {
        Self { bytes_in, bytes_out, operations }
    }

    /// Counts a read of `bytes` bytes.
    pub fn spend_in(&mut self, bytes: usize) {
        self.bytes_in = self.bytes_in.saturating_sub(bytes);
        self.spend_operation();
    }

    /// Counts a write of `bytes` bytes.
    pub fn spend_out(&mut self, bytes: usize) {
        self.bytes_out = self.bytes_out.saturating_sub(bytes);
        self.spend_operation();
    }

    /// Counts work that moved no bytes.
    pub fn spend_operation(&mut self) {
        self.operations = self.operations.saturating_sub(1);
    }

    /// Whether any of it is used up: yield.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.bytes_in == 0 || self.bytes_out == 0 || self.operations == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_when_any_part_of_it_is() {
        let mut bytes = Budget::default();
        bytes.spend_in(64 * 1024 - 1);
        assert!(!bytes.is_spent());
        bytes.spend_in(100);
        assert!(bytes.is_spent());

        let mut own = Budget::new(usize::MAX, 10, 2);
        own.spend_out(9);
        assert!(!own.is_spent());
        own.spend_in(1);
        assert!(own.is_spent());

        let mut operations = Budget::default();
        (0..15).for_each(|_| operations.spend_operation());
        assert!(!operations.is_spent());
        operations.spend_out(0);
        assert!(operations.is_spent());
    }
}
