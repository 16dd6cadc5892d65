//! `tidegate run`: the proxy process with its signals, notices and access log.

pub(super) mod acme_store;
mod allocator;
mod ban_store;
mod banner;
mod certificate_watch;
mod confine;
mod datagrams;
mod disk_watch;
pub(super) mod dumps;
pub(super) mod environment;
mod file_watch;
mod files;
mod geoip_watch;
pub(super) mod identity;
pub(super) mod launch;
pub(super) mod listening;
mod log_file;
mod log_writer;
mod notices;
pub(super) mod operating;
mod outlet;
mod output;
mod overseer;
mod own_figures;
mod plan;
mod program;
mod pulse;
mod reload;
mod reloader;
mod rights;
mod shipping;
mod start;
mod succession;
mod supervisor_link;
mod unwritten;

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::args::options::RunArgs;
use crate::cli::terminal::{fail, refuse};
use crate::config::Options;
use crate::proxy::Mail;
use crate::reactor::Reactor;
use crate::supervise::state::Handed;

use environment::Secret;
use identity::Identity;
use launch::Launch;
use program::Program;

/// Runs the proxy until a signal ends it.
pub(super) fn run(args: RunArgs, options: Options) -> ExitCode {
    match Launch::alone(&options) {
        Ok(launch) => serve(args, Ok(options), launch),
        Err(message) => refuse(&message),
    }
}

/// Runs a worker until its supervisor ends it.
pub(super) fn run_worker(args: RunArgs, handed: &Handed) -> ExitCode {
    match Launch::of_worker(handed) {
        Ok(launch) => {
            let options = args.options();
            serve(args, options, launch)
        }
        Err(message) => refuse(&message),
    }
}

fn serve(args: RunArgs, options: Result<Options, String>, launch: Launch) -> ExitCode {
    let overseer = Arc::clone(&launch.overseer);
    match start(args, options, launch) {
        Ok((program, reactor)) => program.turn_until_over(reactor),
        Err(NotStarted::Refused(message)) => {
            overseer.failed(&message);
            refuse(&message)
        }
        Err(NotStarted::Failed(message)) => {
            overseer.failed(&message);
            fail(&message)
        }
    }
}

/// Reason why the proxy does not start.
enum NotStarted {
    /// The options are refused.
    Refused(String),
    /// The system has denied something.
    Failed(String),
}

fn start(
    args: RunArgs,
    options: Result<Options, String>,
    launch: Launch,
) -> Result<(Program, Reactor<Mail>), NotStarted> {
    let options = options.map_err(NotStarted::Refused)?;
    dumps::set(options.core_dumps).map_err(|error| {
        let kept = "--allow-core-dumps keeps them";
        NotStarted::Failed(format!("cannot disable core dumps: {error}; {kept}"))
    })?;
    let identity = Identity::of(&options).map_err(NotStarted::Refused)?;
    let secret = Secret::draw().map_err(|error| {
        NotStarted::Failed(format!("cannot read random numbers: /dev/urandom: {error}"))
    })?;
    let settings = options.settings(&secret.pseudonym).map_err(NotStarted::Refused)?;
    Program::start((args, options), settings, identity, secret, launch)
        .map_err(|error| NotStarted::Failed(error.to_string()))
}
