//! Forecast of a disk: of its bytes and its inodes, whichever are used up first.

use std::fmt::{self, Display};
use std::time::Duration;

use super::level::Level;
use super::outlook::Outlook;
use super::trend::Forecast;

/// Use of a disk at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes.
    pub bytes: Level,
    /// Inodes; `None` if the file system has no fixed number of them.
    pub inodes: Option<Level>,
}

/// Resource of a disk that may be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Room for content.
    Bytes,
    /// Room for files.
    Inodes,
}

impl Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Bytes { "bytes" } else { "inodes" })
    }
}

/// Forecast of a disk.
#[derive(Clone, Debug, Default)]
pub struct DiskForecast {
    bytes: Forecast,
    inodes: Forecast,
}

impl DiskForecast {
    /// Adds the use of the disk at a time `at`, counted from any fixed moment.
    pub fn add(&mut self, at: Duration, disk: DiskUse) {
        self.bytes.add(at, disk.bytes);
        disk.inodes.into_iter().for_each(|level| self.inodes.add(at, level));
    }

    /// Returns the resource that is used up first, and its outlook.
    #[must_use]
    pub fn outlook(&self) -> (Resource, Outlook) {
        let (bytes, inodes) = (self.bytes.outlook(), self.inodes.outlook());
        match (bytes.full_in(), inodes.full_in()) {
            (Some(of_bytes), Some(of_inodes)) if of_inodes < of_bytes => (Resource::Inodes, inodes),
            (None, Some(_)) => (Resource::Inodes, inodes),
            _ => (Resource::Bytes, bytes),
        }
    }
}
