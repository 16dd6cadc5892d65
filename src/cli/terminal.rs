//! Messages of a command on standard error. A running proxy uses [`notices`](crate::cli::run::notices) instead,
//! which wait for no reader.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// A line on standard error, if anybody takes it.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says what is wrong.
pub(super) fn complain(message: &str) {
    say(marked(message));
}

/// `message`, marked as an error; a rendered error is so already.
pub(super) fn marked(message: &str) -> String {
    let mark = if message.starts_with("error") { "" } else { "error: " };
    format!("{mark}{message}")
}

/// For bad usage and bad configuration.
const USAGE: u8 = 2;

/// For a request that would be denied or refused.
pub(super) const DENIED: u8 = 3;

/// Prints what was asked for.
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

/// Prints an explanation; the exit code says whether the request is allowed.
pub(super) fn answer(allowed: bool, text: &str) -> ExitCode {
    let printed = print(text);
    if allowed || printed != ExitCode::SUCCESS { printed } else { ExitCode::from(DENIED) }
}
