//! Messages of a command on standard error. A running proxy uses [`notices`](crate::cli::run::notices) instead,
//! which wait for no reader.

use std::fmt::Display;
use std::io::{self, Write};

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
