//! Access log lines for other programs: syslog and the journal.
//!
//! The module is sans-IO: lines and times in, messages out.

mod journal;
mod mark;
mod members;
mod severity;
mod syslog;

pub use journal::entry;
pub use mark::{Marked, push_mark};
pub use members::Members;
pub use severity::Severity;
pub use syslog::{Facility, Syslog};

#[cfg(test)]
mod tests;
