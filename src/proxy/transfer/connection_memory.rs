//! Memory held for all connections together: data received and not yet passed on.
//!
//! Each connection is bounded by its window and buffers; their sum is bounded here. While memory is
//! scarce, content is read in smaller portions; once it is exhausted, only for readers that have
//! read nearly all of it. The worker then closes connections whose client holds memory and makes no
//! progress.

/// Window while a quarter of the memory or less is left, and while none is.
const SCARCE: u64 = 16 * 1024;
const EXHAUSTED: u64 = 4 * 1024;

/// Bytes held for connections, and their bound.
#[derive(Debug)]
pub(crate) struct ConnectionMemory {
    held: usize,
    bound: usize,
}

impl ConnectionMemory {
    pub(crate) const fn new(bound: usize) -> Self {
        Self { held: 0, bound }
    }

    /// Returns the most bytes that may be held.
    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }

    pub(crate) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Charges `held` bytes for an object that was charged `counted` before, and updates `counted`.
    pub(crate) fn count(&mut self, counted: &mut usize, held: usize) {
        self.held = self.held - std::mem::replace(counted, held) + held;
    }

    /// Returns how many bytes a writer of content may be ahead of its readers.
    pub(crate) const fn window(&self) -> u64 {
        if self.is_exhausted() {
            EXHAUSTED
        } else if self.held > self.bound / 4 * 3 {
            SCARCE
        } else {
            u64::MAX
        }
    }

    pub(crate) const fn is_exhausted(&self) -> bool {
        self.held > self.bound
    }

    /// Returns the bytes held beyond the bound.
    pub(crate) const fn excess(&self) -> usize {
        self.held.saturating_sub(self.bound)
    }

    /// Returns the bytes held.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_as_memory_becomes_scarce() {
        let mut memory = ConnectionMemory::new(1000);
        let mut counted = 0;
        for (held, window) in [(0, u64::MAX), (750, u64::MAX), (751, SCARCE), (1001, EXHAUSTED)] {
            memory.count(&mut counted, held);
            assert_eq!((memory.held(), memory.window()), (held, window));
        }
        memory.count(&mut counted, 0);
        assert_eq!(memory.held(), 0);
    }
}
