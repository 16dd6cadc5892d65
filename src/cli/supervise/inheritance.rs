//! Inheritance of descriptors by a program that this process starts or becomes.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::{FdFlags, fcntl_setfd};

/// Runs `start` while the `descriptors` stay open in programs that are started. No other thread of the
/// supervisor can start one meanwhile, because there is none.
///
/// # Errors
/// The errors of `fcntl(2)` and of `start`.
pub(super) fn with_inherited<T>(
    descriptors: &[BorrowedFd<'_>],
    start: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let set = |flags| descriptors.iter().try_for_each(|descriptor| fcntl_setfd(descriptor, flags));
    set(FdFlags::empty())?;
    let started = start();
    set(FdFlags::CLOEXEC)?;
    started
}
