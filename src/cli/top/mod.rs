//! `tidegate top`: a running proxy on the terminal, by its control socket.
//!
//! Everything but [`poller`] and [`screen`] is values in, values out: readings and keys change the
//! [`Model`], which is drawn into a buffer.

mod clean;
mod draw;
mod figures;
mod latency;
mod metrics;
mod model;
mod overview;
mod poller;
mod reading;
mod screen;
mod sheets;
#[cfg(test)]
mod tests;
mod tops;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::terminal::size;

use super::control_socket::Socket;
use super::terminal::{fail, print, refuse};
use draw::Look;
use model::Model;
pub(super) use model::Pane;
use poller::{Happening, poll};

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(1);
/// Size of the frame that is printed where there is no terminal: columns and rows.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Arguments of the command.
pub(super) struct TopRequest {
    /// Control socket of the proxy.
    pub(super) socket: Socket,
    /// Pane that is shown first.
    pub(super) pane: Pane,
    /// True to print one frame as text.
    pub(super) once: bool,
}

/// Shows the proxy until the user quits, or prints one frame.
pub(super) fn run(request: TopRequest) -> ExitCode {
    let TopRequest { socket, pane, once } = request;
    let environment = screen::Environment::read();
    if !once && !environment.is_terminal {
        return refuse(
            "'tidegate top' needs a terminal for its input and output; 'tidegate top --once' prints one frame as \
             text, 'tidegate stats' the metrics",
        );
    }
    if !once && environment.is_dumb {
        return refuse("the terminal (TERM) cannot move its cursor; use 'tidegate top --once'");
    }
    let path = match socket.path() {
        Ok(path) => path,
        Err(error) => return fail(&error.to_string()),
    };
    let first = match poll(&path) {
        Ok(reading) => reading,
        Err(message) => return fail(&message),
    };
    let mut model = Model::new(&path.display().to_string(), pane);
    model.take(Ok(first));
    if once {
        return print_frame(&path, model);
    }
    let look = Look { is_coloured: environment.has_colours };
    screen::show(&path, model, look)
}

/// Prints a frame after the next reading: the first one has no rates.
fn print_frame(path: &std::path::Path, mut model: Model) -> ExitCode {
    let (sender, happenings) = channel();
    if let Err(error) = poller::start(path.to_owned(), sender) {
        return fail(&format!("cannot start a thread: {error}"));
    }
    while let Ok(happening) = happenings.recv() {
        if let Happening::Answer(answer) = happening {
            model.take(answer);
            break;
        }
    }
    let terminal_size = io::stdout().is_terminal().then(|| size().ok()).flatten();
    print(&frame(&model, terminal_size.unwrap_or(USUAL_SIZE)))
}

/// Returns a frame of so many columns and rows as text.
fn frame(model: &Model, (columns, rows): (u16, u16)) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(_) = terminal.draw(|frame| draw::draw(frame, model, Look { is_coloured: false }));
    let buffer = terminal.backend().buffer();
    let line = |row: u16| {
        let cells = (0..columns).filter_map(|column| buffer.cell((column, row)));
        let text: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", text.trim_end())
    };
    (0..rows).map(line).collect()
}
