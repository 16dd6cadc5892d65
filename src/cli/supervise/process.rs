//! The process of a worker, and the socket to it.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal as Named;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use socket2::SockRef;

use crate::cli::handed::{OF_MANAGER, OF_SUPERVISOR, OF_WORKER};
use crate::cli::service_manager::VARIABLES;
use crate::reactor::take_inherited;
use crate::supervise::ended::Ended;
use crate::supervise::event::Number;
use crate::supervise::link::{Lines, Order, Report};
use crate::supervise::state::{Handed, RunningWorker};

use super::inheritance::with_inherited;
use super::sockets::Sockets;

/// Bit of a wait status that says that there is a core dump (wait(2)).
const DUMPED: i32 = 0x80;

/// The process of a worker.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    link: UnixStream,
    lines: Lines,
    /// Version of the state of a supervisor that the binary of the worker reads.
    pub(super) version: Option<u32>,
}

impl Process {
    /// Starts the worker with this number, which gives a sign of life after each `beat` and inherits the
    /// sockets.
    ///
    /// # Errors
    /// The errors of `socketpair(2)`, `fork(2)` and `execve(2)`.
    pub(super) fn start(
        executable: &Path,
        (number, beat): (Number, Duration),
        sockets: &Sockets,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let handed = Handed {
            worker: Some((number, theirs.as_raw_fd(), beat)),
            sockets: sockets.of_worker(),
            ..Handed::default()
        };
        let mut command = Command::new(executable);
        command.args(std::env::args_os().skip(1)).stdin(Stdio::null());
        for foreign in OF_MANAGER.iter().chain(VARIABLES).chain([&OF_SUPERVISOR]) {
            command.env_remove(foreign);
        }
        command.env(OF_WORKER, handed.to_string());
        let inherited: Vec<BorrowedFd<'_>> =
            sockets.descriptors().chain([theirs.as_fd()]).collect();
        let child = with_inherited(&inherited, || command.spawn())?;
        Self::new(child.id().cast_signed(), ours)
    }

    /// Returns the process of a worker that was started before this process became another binary.
    ///
    /// # Errors
    /// As [`take_inherited`].
    pub(super) fn resumed(worker: &RunningWorker) -> io::Result<Self> {
        Self::new(worker.pid, UnixStream::from(take_inherited(worker.link)?))
    }

    fn new(pid: i32, link: UnixStream) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { pid, link, lines: Lines::default(), version: None })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    pub(super) const fn link(&self) -> &UnixStream {
        &self.link
    }

    /// Sends an order without waiting. A worker that reads no orders gives no signs of life either.
    pub(super) fn send(&self, order: &Order) {
        let line = format!("{order}\n");
        let _ = SockRef::from(&self.link).send_with_flags(line.as_bytes(), libc::MSG_NOSIGNAL);
    }

    /// Returns the reports that have arrived.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        let (mut reports, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(n) = self.link.read(&mut buffer)
            && n > 0
        {
            reports.extend(self.lines.add(&buffer[..n]));
        }
        reports
    }

    /// Returns how the process has ended, if it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        let status = match waitpid(Some(self.pid), WaitOptions::NOHANG) {
            Ok(None) => return None,
            Ok(Some((_, status))) => status,
            Err(_) => return Some(Ended::Exit(1)), // no process of this one: it has ended, however
        };
        if let Some(code) = status.exit_status() {
            return Some(Ended::Exit(u8::try_from(code).unwrap_or(u8::MAX)));
        }
        let signal = status.terminating_signal()?;
        let name = Named::try_from(signal).map(|signal| signal.as_str().to_owned());
        let signal = name.unwrap_or_else(|_| format!("signal {signal}"));
        Some(Ended::Killed { signal, dumped: status.as_raw() & DUMPED != 0 })
    }

    pub(super) fn kill(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal); // fails if the process has ended
    }
}
