//! Use of a resource of a disk.

/// Use of bytes or of inodes at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Units in use.
    pub used: u64,
    /// Units in use and units that may still be used.
    pub capacity: u64,
}

impl Level {
    /// Returns the units that may still be used.
    #[must_use]
    pub const fn free(self) -> u64 {
        self.capacity.saturating_sub(self.used)
    }
}
