//! `tidegate run`: the proxy process with its signals, notices and access log.

mod acme_store;
mod allocator;
mod ban_store;
mod banner;
mod certificate_watch;
mod confine;
mod dumps;
pub(super) mod environment;
mod files;
mod identity;
mod listening;
mod log_writer;
mod notices;
mod operating;
mod outlet;
mod output;
mod plan;
mod program;
mod reload;
mod reloader;
mod rights;
mod start;

use std::process::ExitCode;

use crate::cli::args::options::RunArgs;
use crate::cli::terminal::{fail, refuse};

use environment::Secret;
use identity::Identity;
use program::Program;

/// Runs the proxy until a signal ends it.
pub(super) fn run(args: RunArgs) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(message) => return refuse(&message),
    };
    if let Err(error) = dumps::set(options.core_dumps) {
        return fail(&format!("cannot disable core dumps: {error}; --allow-core-dumps keeps them"));
    }
    let identity = match Identity::of(&options) {
        Ok(identity) => identity,
        Err(message) => return refuse(&message),
    };
    let secret = match Secret::draw() {
        Ok(secret) => secret,
        Err(error) => return fail(&format!("cannot read random numbers: /dev/urandom: {error}")),
    };
    let settings = match options.settings(&secret.pseudonym) {
        Ok(settings) => settings,
        Err(message) => return refuse(&message),
    };
    match Program::start(args, options, settings, identity, secret) {
        Ok((program, reactor)) => program.turn_until_over(reactor),
        Err(error) => fail(&error.to_string()),
    }
}
