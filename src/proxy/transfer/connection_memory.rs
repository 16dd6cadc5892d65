//! Memory held for connections, all together: what was received and not passed on yet.
//!
//! Each connection is bounded by its window and buffers; their sum is bounded here. While little is
//! left, content is read in smaller portions; while nothing is left, only for readers that have read
//! all there was. Connections whose client holds memory and does not go on are closed then.

/// Portions of content while a quarter of the memory is left or less, and while nothing is.
const SCARCE: u64 = 16 * 1024;
const EXHAUSTED: u64 = 4 * 1024;

/// Bytes held for connections, and how many may be.
#[derive(Debug)]
pub(crate) struct ConnectionMemory {
    held: usize,
    bound: usize,
}

impl ConnectionMemory {
    pub(crate) const fn new(bound: usize) -> Self {
        Self { held: 0, bound }
    }

    pub(crate) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Counts `held` bytes of something of which `counted` were counted so far.
    pub(crate) fn count(&mut self, counted: &mut usize, held: usize) {
        self.held = self.held - std::mem::replace(counted, held) + held;
    }

    /// How far a writer of content may be ahead of its readers.
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

    /// Returns the bytes held beyond those that may be.
    pub(crate) const fn excess(&self) -> usize {
        self.held.saturating_sub(self.bound)
    }

    /// Bytes held.
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
