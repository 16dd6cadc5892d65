//! Failures to write lines.

use std::io;
use std::time::Duration;

/// Lines that an output has not taken.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// Bytes of the lines that were not written as a whole.
    pub(super) rest: usize,
    pub(super) error: io::Error,
    /// Time after which to write them again; `None` if they are lost.
    pub(super) retry: Option<Duration>,
}

impl Unwritten {
    /// Returns the failure to write the last `rest` bytes, which are lost.
    pub(super) const fn lost(rest: usize, error: io::Error) -> Self {
        Self { rest, error, retry: None }
    }
}
