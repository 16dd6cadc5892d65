//! Limits of bytes and operations for one drive.

/// Bytes and operations that one drive may still spend.
///
/// An object whose budget is spent wakes itself ([`Wake::wake`](super::Wake::wake)) and returns, so
/// that it continues in the next turn: no peer, however fast, keeps the others waiting.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    bytes_in: usize,
    bytes_out: usize,
    operations: u32,
    received: u64,
    sent: u64,
}

impl Default for Budget {
    /// Allows 64 KiB in, 128 KiB out and 16 operations.
    fn default() -> Self {
        Self::new(64 * 1024, 128 * 1024, 16)
    }
}

impl Budget {
    /// Allows the given numbers of bytes received, bytes sent, and operations.
    #[must_use]
    pub const fn new(bytes_in: usize, bytes_out: usize, operations: u32) -> Self {
        Self { bytes_in, bytes_out, operations, received: 0, sent: 0 }
    }

    /// Counts a read of `bytes` bytes, and one operation.
    pub fn spend_in(&mut self, bytes: usize) {
        self.bytes_in = self.bytes_in.saturating_sub(bytes);
        self.received += bytes as u64;
        self.spend_operation();
    }

    /// Counts a write of `bytes` bytes, and one operation.
    pub fn spend_out(&mut self, bytes: usize) {
        self.bytes_out = self.bytes_out.saturating_sub(bytes);
        self.sent += bytes as u64;
        self.spend_operation();
    }

    /// Counts one operation that moved no bytes.
    pub fn spend_operation(&mut self) {
        self.operations = self.operations.saturating_sub(1);
    }

    /// Returns the bytes that the drive has received so far.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Returns the bytes that the drive has sent so far.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns true if the bytes in, the bytes out or the operations are used up.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.bytes_in == 0 || self.bytes_out == 0 || self.operations == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_spent_when_any_part_is() {
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
        assert_eq!((own.received(), own.sent()), (1, 9));

        let mut operations = Budget::default();
        (0..15).for_each(|_| operations.spend_operation());
        assert!(!operations.is_spent());
        operations.spend_out(0);
        assert!(operations.is_spent());
    }
}
