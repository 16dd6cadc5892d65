//! Figures of the process, as the system has them.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Figures of a process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Time of the processors that the process has used, in its own code and in the system.
    pub cpu: Duration,
    /// Open descriptors.
    pub descriptors: u64,
    /// Most descriptors that may be open.
    pub most_descriptors: u64,
    /// Memory that is present, in bytes.
    pub resident: u64,
    /// Address space, in bytes.
    pub virtual_memory: u64,
    /// Time at which the process was started.
    pub started: SystemTime,
}

/// Source of the figures of the process. It does not block.
pub trait ProcessProbe: fmt::Debug {
    /// Returns the present figures; `None` if the system does not tell.
    fn read(&self) -> Option<ProcessFigures>;
}
