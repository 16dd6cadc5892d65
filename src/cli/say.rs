//! What is said to whoever runs the command, who may have stopped listening: a proxy does not end
//! because nobody reads its standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// A line on standard error, if anybody takes it.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says what is wrong; a rendered error says that it is one.
pub(super) fn complain(message: &str) {
    let mark = if message.starts_with("error") { "" } else { "error: " };
    say(format_args!("{mark}{message}"));
}
