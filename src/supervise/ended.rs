//! End of a process, for the log and for decisions.

use std::fmt;

/// Exit code of a worker that refuses its arguments or configuration.
pub(crate) const REFUSED: u8 = 2;

/// Way in which a process has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The process exited with this code.
    Exit(u8),
    /// A signal killed the process.
    Killed {
        /// Name of the signal, such as `SIGKILL`.
        signal: String,
        /// True if the system has written a core dump.
        dumped: bool,
    },
}

impl Ended {
    /// Returns the exit code of a supervisor whose last worker has ended so.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Exit(code) => *code,
            Self::Killed { .. } => 1,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "ended with exit code {code}"),
            Self::Killed { signal, dumped } => {
                let core = if *dumped { ", core dumped" } else { "" };
                write!(f, "was killed by {signal}{core}")
            }
        }
    }
}
