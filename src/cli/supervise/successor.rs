//! Change of the supervisor to another binary, in the same process and with the same workers.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::cli::handed::{OF_MANAGER, OF_SUPERVISOR, OF_WORKER};
use crate::supervise::event::Number;
use crate::supervise::state::{Handed, RunningWorker};
use crate::supervise::supervisor::Supervisor;

use super::inheritance::with_inherited;
use super::process::Process;
use super::sockets::Sockets;

/// Replaces the program of this process by the one at `executable`, with the arguments of this one. Returns
/// the error if that fails; otherwise does not return.
pub(super) fn become_binary(
    executable: &Path,
    supervisor: &Supervisor,
    (workers, sockets): (&BTreeMap<Number, Process>, &Sockets),
) -> io::Error {
    let running = workers.iter().map(|(&number, process)| RunningWorker {
        number,
        pid: process.pid(),
        link: process.link().as_raw_fd(),
        is_active: supervisor.active() == Some(number),
    });
    let handed = Handed {
        worker: None,
        last: supervisor.last(),
        running: running.collect(),
        sockets: sockets.of_successor(),
    };
    let mut command = Command::new(executable);
    command.args(std::env::args_os().skip(1)).env(OF_SUPERVISOR, handed.to_string());
    for used in OF_MANAGER.iter().chain([&OF_WORKER]) {
        command.env_remove(used);
    }
    let links = workers.values().map(|process| process.link().as_fd());
    let inherited: Vec<BorrowedFd<'_>> = sockets.descriptors().chain(links).collect();
    let replaced = with_inherited(&inherited, || Err::<(), _>(command.exec()));
    replaced.err().unwrap_or_else(|| io::ErrorKind::Other.into())
}
