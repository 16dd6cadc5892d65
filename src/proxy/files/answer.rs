//! Results of jobs that open and read files.

use std::io;

use super::find::Found;

/// Result of a job.
#[derive(Debug)]
pub(crate) enum FileAnswer {
    Found(io::Result<Found>),
    /// A buffer, and the number of bytes read into it.
    Read(Vec<u8>, io::Result<usize>),
}
