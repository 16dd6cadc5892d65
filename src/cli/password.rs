//! A password, from whoever types it or from standard input; never from the command line, which
//! others can see.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::auth::Password;

/// Reads a password: from a terminal without showing it, and `twice` so that it is the one meant;
/// else the first line of standard input.
///
/// # Errors
/// What is wrong.
pub(super) fn read(twice: bool) -> Result<Password, String> {
    let typed = io::stdin().is_terminal();
    let text = if typed { ask("Password: ")? } else { line()? };
    if typed && twice && ask("Once more: ")? != text {
        return Err("they are not the same".into());
    }
    Password::new(&text).map_err(str::to_owned)
}

fn ask(prompt: &str) -> Result<String, String> {
    let mut terminal = io::stderr();
    let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let hidden = Hidden::begin()?;
    let text = line();
    drop(hidden);
    let _ = writeln!(terminal);
    text
}

fn line() -> Result<String, String> {
    let mut text = String::new();
    let read = io::stdin().lock().read_line(&mut text);
    match read.map_err(|error| format!("standard input: {error}"))? {
        0 => Err("no password came".into()),
        _ => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// While it lives, the terminal does not show what is typed.
struct Hidden;

impl Hidden {
    fn begin() -> Result<Self, String> {
        match stty("-echo") {
            Ok(true) => Ok(Self),
            _ => Err("the terminal would show the password; pipe it to standard input".into()),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = stty("echo");
    }
}

fn stty(setting: &str) -> io::Result<bool> {
    let status = Command::new("stty").arg(setting).stdin(Stdio::inherit()).status()?;
    Ok(status.success())
}
