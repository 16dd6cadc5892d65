//! The memory of the process, which holds passwords and keys, and who may look at it.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps, and to trace the process or look into its memory to all but root; or allows
/// both again where a change of users has forbidden them.
///
/// # Errors
/// As `prctl(2)` and `setrlimit(2)`.
pub(super) fn set(allowed: bool) -> io::Result<()> {
    if allowed {
        return Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?);
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}
