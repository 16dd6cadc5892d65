//! The `tidegate` command: arguments in, an exit code out.

mod args;
mod control_client;
mod control_socket;
mod explain;
mod folders;
mod password;
mod run;
mod say;
mod users;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::{Options, read, read_file};

use args::Invocation;
use say::{complain, say};

/// For bad usage and bad configuration.
const USAGE: u8 = 2;
/// For a request that would be denied or refused.
const DENIED: u8 = 3;

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    match args::parse() {
        Invocation::Run { args, print_config: false } => run::run(args),
        Invocation::Run { args, print_config: true } => match args.options() {
            Ok(options) => print(&options.to_file()),
            Err(message) => refuse(&message),
        },
        Invocation::Operate { socket, request } => control_client::ask(socket, &request),
        Invocation::AskWhy { socket, question, json } => {
            control_client::ask_why(socket, question, json)
        }
        Invocation::Explain { args, question, json } => match args.options() {
            Ok(options) => explain::run(&options, question, json),
            Err(message) => refuse(&message),
        },
        Invocation::Users { file, request } => users::run(&file, &request),
        Invocation::Check { file } => match check(&file) {
            Ok(()) => print(&format!("{file}: ok\n")),
            Err(message) => refuse(&message),
        },
    }
}

/// Reads a file and everything that follows from it, users too, and opens nothing else.
fn check(file: &str) -> Result<(), String> {
    let options = load(file)?;
    let settings = options.settings("tidegate")?;
    options.auth.warnings(settings.auth.as_ref(), &options.listeners()).iter().for_each(say);
    Ok(())
}

fn load(file: &str) -> Result<Options, String> {
    let text = read(file).map_err(|error| format!("{file}: {error}"))?;
    let text = String::from_utf8(text).map_err(|_| format!("{file}: this is no UTF-8"))?;
    let mut options = Options::default();
    read_file(&mut options, file, &text).map_err(|error| error.to_string())?;
    Ok(options)
}

/// Prints what was asked for.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}")),
    }
}

fn refuse(message: &str) -> ExitCode {
    complain(message);
    ExitCode::from(USAGE)
}

fn fail(message: &str) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}
