//! Figures of disks that the process writes to.

use std::fmt;
use std::time::Duration;

/// Figures of a disk at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFigures {
    /// Purpose of the disk, such as `log`; the label of its metrics.
    pub name: &'static str,
    /// Bytes that the process may still write.
    pub free_bytes: u64,
    /// Files that the process may still create; `None` if the file system has no fixed number of them.
    pub free_inodes: Option<u64>,
    /// Likely time until bytes or inodes are used up; `None` if the disk is not filling.
    pub full_in: Option<Duration>,
}

/// Source of the figures of disks. It does not block.
pub trait DiskProbe: fmt::Debug {
    /// Returns the figures of the disks that are watched, as they were last read.
    fn read(&self) -> Vec<DiskFigures>;
}
