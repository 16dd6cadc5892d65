//! Outputs of lines: standard output or error, a file, a daemon, or nothing. Every write may wait.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::config::{LogOutput, LogTarget};

use super::datagrams::Datagrams;
use super::log_file::LogFile;
use super::unwritten::Unwritten;

/// An open output.
#[derive(Debug)]
pub(super) struct Output {
    place: LogOutput,
    to: To,
}

#[derive(Debug)]
enum To {
    Nothing,
    File(LogFile),
    Daemon(Datagrams),
}

impl Output {
    /// Opens the output at `place`. A daemon is not waited for.
    ///
    /// # Errors
    /// As [`LogFile::open`].
    pub(super) fn open(place: LogOutput) -> io::Result<Self> {
        let to = match &place.target {
            LogTarget::Stdout => {
                To::File(LogFile::of(io::stdout().as_fd().try_clone_to_owned()?.into()))
            }
            LogTarget::Off => To::Nothing,
            LogTarget::File(path) => To::File(LogFile::open(path, place.rotation)?),
            LogTarget::Syslog(daemon) => {
                To::Daemon(Datagrams::to_syslog(daemon.clone(), place.facility))
            }
            LogTarget::Journal(socket) => To::Daemon(Datagrams::to_journal(socket.clone())),
        };
        Ok(Self { place, to })
    }

    /// Opens standard error. Its `place` is not meaningful.
    ///
    /// # Errors
    /// The errors of `dup(2)`.
    pub(super) fn stderr() -> io::Result<Self> {
        Ok(Self::of_file(io::stderr().as_fd().try_clone_to_owned()?.into()))
    }

    fn of_file(file: File) -> Self {
        Self { place: LogTarget::Off.into(), to: To::File(LogFile::of(file)) }
    }

    #[cfg(test)]
    pub(super) fn of(pipe: io::PipeWriter) -> Self {
        Self::of_file(std::os::fd::OwnedFd::from(pipe).into())
    }

    /// Returns the open file, if any.
    pub(super) const fn file(&self) -> Option<&File> {
        match &self.to {
            To::File(file) => Some(file.file()),
            To::Nothing | To::Daemon(_) => None,
        }
    }

    /// Returns the output that was opened.
    pub(super) const fn place(&self) -> &LogOutput {
        &self.place
    }

    /// Writes `lines`. Waits for files as long as necessary.
    ///
    /// # Errors
    /// Returns the lines that were not written, and whether to write them again.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        match &mut self.to {
            To::Nothing => Ok(()),
            To::File(file) => file.write(lines),
            To::Daemon(daemon) => daemon.write(lines),
        }
    }

    /// Returns what to tell the operator, once.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        match &mut self.to {
            To::Nothing => None,
            To::File(file) => file.take_notice(),
            To::Daemon(daemon) => daemon.take_notice(),
        }
    }

    /// Returns the numbers of lines that were cut and that were dropped since the last call.
    pub(super) fn take_losses(&mut self) -> (u64, u64) {
        match &mut self.to {
            To::Nothing | To::File(_) => (0, 0),
            To::Daemon(daemon) => daemon.take_losses(),
        }
    }
}
