//! The `tidegate` command: parses arguments, runs a subcommand, returns an exit code.

mod args;
mod connection;
mod control_client;
mod control_socket;
mod doctor;
mod explain;
mod folders;
mod handed;
mod password;
mod run;
mod service_manager;
mod supervise;
mod takeover;
mod terminal;
mod top;
mod users;

use std::process::ExitCode;

use args::Invocation;
use args::options::{RunArgs, load};
use handed::{Part, part};

use crate::config::auth_warnings;

use terminal::{print, refuse, say};

/// Runs the command with the arguments of the process, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    match args::parse() {
        Invocation::Run { args, print_config: false } => serve(args),
        Invocation::Run { args, print_config: true } => match args.options() {
            Ok(options) => print(&options.to_file()),
            Err(message) => refuse(&message),
        },
        Invocation::Operate { socket, request } => control_client::ask(socket, &request),
        Invocation::Follow { socket, request } => control_client::follow(socket, &request),
        Invocation::ExplainLive { socket, question, json } => {
            control_client::ask_why(socket, question, json)
        }
        Invocation::Explain { args, question, json } => match args.options() {
            Ok(options) => explain::run(&options, question, json),
            Err(message) => refuse(&message),
        },
        Invocation::Top(request) => top::run(request),
        Invocation::Doctor(request) => doctor::run(&request),
        Invocation::Users { file, request } => users::run(&file, &request),
        Invocation::Check { file } => match check(&file) {
            Ok(()) => print(&format!("{file}: ok\n")),
            Err(message) => refuse(&message),
        },
    }
}

/// Serves: alone, or as a part of a supervised proxy.
fn serve(args: RunArgs) -> ExitCode {
    match part() {
        Err(message) => refuse(&message),
        Ok(Part::Worker(handed)) => run::run_worker(args, &handed),
        Ok(Part::Successor(handed)) => supervise::resume(args, &handed),
        Ok(Part::First) => match args.options() {
            Err(message) => refuse(&message),
            Ok(options) if options.supervise => supervise::run(args, &options),
            Ok(options) => run::run(args, options),
        },
    }
}

/// Checks a configuration file and every file that it names, such as those of users. Opens no
/// sockets.
fn check(file: &str) -> Result<(), String> {
    let options = load(file)?;
    let settings = options.settings("tidegate")?;
    auth_warnings(&settings, &options.in_clear()).iter().for_each(say);
    options.tls.warnings(settings.server_tls.as_deref()).iter().for_each(say);
    Ok(())
}
