//! Signals as events. Nothing of the process changes until a program watches signals.
//!
//! The signals are blocked in the calling thread and read from a `signalfd`: no handler is
//! installed, and no other code of the process is interrupted. Threads started *before* keep their
//! own mask and may still take the signal in the usual way, so watch signals first and start
//! threads afterwards.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use super::os::SignalMask;

/// Signals that a reactor watches, unblocked on drop.
pub(super) struct Signals {
    file: File,
    _mask: SignalMask,
}

impl Signals {
    pub(super) fn new(signals: &[i32]) -> io::Result<Self> {
        let (mask, fd) = SignalMask::block(signals)?;
        Ok(Self { file: File::from(fd), _mask: mask })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Returns the next signal that was delivered, if any.
    pub(super) fn next(&mut self) -> Option<i32> {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        self.file.read_exact(&mut info).ok()?;
        let (number, _) = info.split_first_chunk()?; // ssi_signo is the first field
        Some(u32::from_ne_bytes(*number).cast_signed())
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.file).finish()
    }
}
