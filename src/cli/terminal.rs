//! Output of a command on standard output and standard error. A running proxy uses
//! [`notices`](crate::cli::run::notices) instead, which never wait for a reader.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a line on standard error, by one write: other processes may write there, too. Errors are ignored,
/// because there is nowhere to report them.
pub(super) fn say(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Prints an error message on standard error.
pub(super) fn complain(message: &str) {
    say(marked(message));
}

/// Returns `message` with a leading `error: `, which a rendered error has already.
pub(super) fn marked(message: &str) -> String {
    let mark = if message.starts_with("error") { "" } else { "error: " };
    format!("{mark}{message}")
}

/// Exit code for invalid arguments or configuration.
const USAGE: u8 = 2;

/// Exit code for a request that would be denied or rejected.
pub(super) const DENIED: u8 = 3;

/// Prints `text` on standard output.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}")),
    }
}

pub(super) fn refuse(message: &str) -> ExitCode {
    complain(message);
    ExitCode::from(USAGE)
}

pub(super) fn fail(message: &str) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}

/// Prints an explanation. The exit code tells if the request is allowed.
pub(super) fn answer(allowed: bool, text: &str) -> ExitCode {
    let printed = print(text);
    if allowed || printed != ExitCode::SUCCESS { printed } else { ExitCode::from(DENIED) }
}
