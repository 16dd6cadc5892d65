//! The terminal: keys and frames, and its state before, which is restored on every way out.

use std::io::{self, IsTerminal, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{env, thread};

use nix::sys::signal::{SigSet, Signal};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{Event, read};

use crate::cli::terminal::fail;

use super::draw::{Look, draw};
use super::model::Model;
use super::poller::{EndNotice, Happening, start};

/// Added to the number of a signal in the exit code, as shells do.
const BY_SIGNAL: u8 = 128;
/// Ends of names of terminals without colours (terminfo).
const MONOCHROME: &[&str] = &["-m", "-mono", "-nocolor"];

/// What the environment says of the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Environment {
    /// True if input and output are a terminal.
    pub(super) is_terminal: bool,
    /// True if the terminal cannot move its cursor.
    pub(super) is_dumb: bool,
    /// True if the terminal has colours, and the user wants them (`NO_COLOR`).
    pub(super) has_colours: bool,
}

impl Environment {
    pub(super) fn read() -> Self {
        let name = env::var("TERM").unwrap_or_default();
        let is_plain = name.starts_with("vt") || MONOCHROME.iter().any(|end| name.ends_with(end));
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            is_terminal: stdin().is_terminal() && stdout().is_terminal(),
            is_dumb: name.is_empty() || name == "dumb",
            has_colours: !is_plain && !is_unwanted,
        }
    }
}

/// Why the view has ended.
enum End {
    Quit,
    Signal(i32),
}

/// Shows the view until the user quits or a signal arrives. The terminal is restored then, and if the program
/// panics.
pub(super) fn show(path: &Path, mut model: Model, look: Look) -> ExitCode {
    let (sender, happenings) = channel();
    // Before all threads, so that the one that waits for signals takes them.
    if let Err(error) = take_signals(sender.clone()) {
        return fail(&format!("cannot wait for signals: {error}"));
    }
    let mut terminal = match ratatui::try_init() {
        Ok(terminal) => terminal,
        Err(error) => return fail(&format!("the terminal cannot be prepared: {error}")),
    };
    let started = start(path.to_owned(), sender.clone()).and_then(|()| read_keys(sender));
    let ended = started.and_then(|()| turn(&mut terminal, &mut model, look, &happenings));
    ratatui::restore();
    match ended {
        Ok(End::Quit) => ExitCode::SUCCESS,
        Ok(End::Signal(number)) => {
            ExitCode::from(BY_SIGNAL.saturating_add(u8::try_from(number).unwrap_or_default()))
        }
        Err(error) => fail(&format!("the terminal: {error}")),
    }
}

/// Draws after each event until the view ends.
fn turn(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    look: Look,
    happenings: &Receiver<Happening>,
) -> io::Result<End> {
    loop {
        terminal.draw(|frame| draw(frame, model, look))?;
        match happenings.recv() {
            Ok(Happening::Answer(answer)) => model.take(answer),
            Ok(Happening::Terminal(Event::Key(key))) if model.press(key) => return Ok(End::Quit),
            Ok(Happening::Terminal(_)) => {} // a frame is drawn in the present size
            Ok(Happening::Signal(number)) => return Ok(End::Signal(number)),
            Ok(Happening::Ended) | Err(_) => {
                return Err(io::Error::other("a thread of this program has ended"));
            }
        }
    }
}

/// Starts a thread that waits for the signals that end the process.
fn take_signals(sender: Sender<Happening>) -> io::Result<()> {
    let ending =
        SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT]);
    ending.thread_block()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let notice = EndNotice(sender);
        if let Ok(signal) = ending.wait() {
            let _ = notice.0.send(Happening::Signal(signal as i32)); // the view may have ended
        }
    })?;
    Ok(())
}

/// Starts a thread that reads keys and changes of size.
fn read_keys(sender: Sender<Happening>) -> io::Result<()> {
    thread::Builder::new().name("keys".into()).spawn(move || {
        let notice = EndNotice(sender);
        while let Ok(event) = read() {
            if notice.0.send(Happening::Terminal(event)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
