//! Core dumps and tracing of the process, whose memory holds passwords and keys.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Disables core dumps, and tracing or reading the process's memory by any user but root. If
/// `allowed`, enables both again, which a change of users has disabled.
///
/// # Errors
/// The errors of `prctl(2)` and `setrlimit(2)`.
pub(in crate::cli) fn set(allowed: bool) -> io::Result<()> {
    if allowed {
        return Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?);
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}
