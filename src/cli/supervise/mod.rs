//! `tidegate run --supervise`: the process that opens the listening sockets and looks after workers.

mod executable;
mod inheritance;
mod master;
mod process;
mod sockets;
mod successor;
mod voice;

use std::io;
use std::process::ExitCode;

use crate::cli::args::options::RunArgs;
use crate::cli::handed::Inherited;
use crate::cli::run::dumps;
use crate::cli::service_manager::ServiceManager;
use crate::cli::takeover::make_room;
use crate::cli::terminal::{fail, refuse, say};
use crate::config::Options;
use crate::supervise::event::Event;
use crate::supervise::state::Handed;
use crate::supervise::supervisor::Supervisor;

use executable::executable;
use master::Master;
use sockets::Sockets;

/// Supervises workers until a signal ends them, or no worker can be started.
pub(super) fn run(args: RunArgs, options: &Options) -> ExitCode {
    // A configuration that is refused takes nothing from a process that drains.
    if let Err(message) = options.settings("tidegate") {
        return refuse(&message);
    }
    let of_manager = Inherited::from_service_manager(options)
        .and_then(|inherited| Ok((inherited, ServiceManager::connect()?)));
    let (inherited, manager) = match of_manager {
        Ok(of_manager) => of_manager,
        Err(message) => return refuse(&message),
    };
    make_room(options).iter().for_each(say);
    let begin = || -> io::Result<Master> {
        dumps::set(options.core_dumps)?;
        let heartbeat = options.heartbeat_timeout;
        let supervisor = (Supervisor::new(heartbeat), heartbeat);
        Master::new(args, executable()?, supervisor, (Sockets::of(inherited), manager))
    };
    match begin() {
        Ok(master) => master.run(Event::Begin),
        Err(error) => fail(&format!("the supervisor cannot start: {error}")),
    }
}

/// Continues to supervise the workers of the binary that this process was before.
pub(super) fn resume(args: RunArgs, handed: &Handed) -> ExitCode {
    let options = args.options().unwrap_or_default(); // those of the workers have been read before
    let resume = || -> io::Result<Master> {
        dumps::set(options.core_dumps)?;
        let manager = ServiceManager::connect().unwrap_or_default();
        Master::resumed(args, executable()?, options.heartbeat_timeout, handed, manager)
    };
    match resume() {
        Ok(master) => master.run(Event::Tick),
        Err(error) => fail(&format!("the supervisor cannot continue: {error}")),
    }
}
