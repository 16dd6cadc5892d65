//! Reading a password from a terminal or standard input. A command line is no place for one,
//! because other users can see it.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::process;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use zeroize::Zeroizing;

use crate::auth::Password;

/// Limit of a line. A terminal delivers no longer one, and no password has so many bytes.
const LONGEST: usize = 4096;

/// Reads a password. At a terminal, reads it without echo, and `twice` to detect typing errors;
/// otherwise reads the first line of standard input.
///
/// # Errors
/// Returns a message that says what is wrong.
pub(super) fn read(twice: bool) -> Result<Password, String> {
    let typed = io::stdin().is_terminal();
    let text = if typed { ask("Password: ")? } else { line()? };
    if text.is_empty() {
        return Err("the password is empty".into());
    }
    if typed && twice && ask("Repeat password: ")? != text {
        return Err("the two passwords differ".into());
    }
    Password::new(&text).map_err(str::to_owned)
}

fn line() -> Result<Zeroizing<String>, String> {
    let failed = |error: io::Error| format!("standard input: {error}");
    let line = first_line(false).map_err(failed)?;
    if line.is_empty() {
        return Err("standard input has no password".into());
    }
    let text = std::str::from_utf8(&line).map_err(|_| "the password is not UTF-8")?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads the first line of standard input with its end, up to the limit. Bypasses the buffer of the
/// standard library, which is never wiped. At a terminal, one read returns one line.
fn first_line(is_terminal: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = Zeroizing::new(vec![0; LONGEST]);
    let mut filled = 0;
    while filled < LONGEST {
        let read = match input.read(&mut line[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let came = &line[filled..filled + read];
        let end = came.iter().position(|&byte| byte == b'\n').map(|at| filled + at + 1);
        filled = end.unwrap_or(filled + read);
        if read == 0 || end.is_some() || is_terminal {
            break;
        }
    }
    line.truncate(filled);
    Ok(line)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, String> {
    let failed = |error: io::Error| format!("the terminal: {error}");
    let mut terminal = io::stderr();
    let hidden = Hidden::begin().map_err(failed)?;
    let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let typed = hidden.line();
    drop(hidden);
    let _ = writeln!(terminal);
    match typed.map_err(failed)? {
        Typed::Line(text) => Ok(text),
        Typed::End => Err("no password was entered".into()),
        Typed::Interrupt => process::exit(INTERRUPTED),
    }
}

/// Exit code of shells for SIGINT: 128 plus the number of the signal.
const INTERRUPTED: i32 = 130;

enum Typed {
    Line(Zeroizing<String>),
    End,
    Interrupt,
}

/// A terminal without echo, restored on drop. Keys that send signals end the line instead, so that
/// the terminal is restored before the process exits.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut during = before.clone();
        during.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
        during.local_modes.insert(LocalModes::ICANON);
        let codes = &mut during.special_codes;
        codes[SpecialCodeIndex::VEOL] = codes[SpecialCodeIndex::VINTR];
        codes[SpecialCodeIndex::VEOL2] = codes[SpecialCodeIndex::VQUIT];
        tcsetattr(io::stdin(), OptionalActions::Flush, &during)?;
        Ok(Self(before))
    }

    /// Reads one line without its end.
    fn line(&self) -> io::Result<Typed> {
        let typed = first_line(true)?;
        let codes =
            [SpecialCodeIndex::VINTR, SpecialCodeIndex::VQUIT].map(|i| self.0.special_codes[i]);
        match typed.split_last() {
            None => Ok(Typed::End),
            Some((last, _)) if codes.contains(last) => Ok(Typed::Interrupt),
            Some((last, line)) => {
                let line = if *last == b'\n' { line } else { &typed };
                let text = std::str::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
                Ok(Typed::Line(Zeroizing::new(text.to_owned())))
            }
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
