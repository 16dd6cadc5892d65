//! Polls of the proxy, on a thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::Event;

use crate::cli::control_client::ask_line;
use crate::reactor::{Clock, SystemClock};

use super::INTERVAL;
use super::reading::Reading;

/// Timeout of each read and write of a poll.
const PATIENCE: Duration = Duration::from_secs(5);

/// Event for the view.
#[derive(Debug)]
pub(super) enum Happening {
    /// The proxy has answered, or has not.
    Answer(Result<Reading, String>),
    /// The user has pressed a key, or the terminal has another size.
    Terminal(Event),
    /// The process got the signal of this number.
    Signal(i32),
    /// A thread has ended: it sends no more events.
    Ended,
}

/// Sends that a thread has ended, even if it has panicked.
pub(super) struct EndNotice(pub(super) Sender<Happening>);

impl Drop for EndNotice {
    fn drop(&mut self) {
        let _ = self.0.send(Happening::Ended); // fails once the view has ended
    }
}

/// Starts a thread that polls the proxy at `path` after each interval.
///
/// # Errors
/// Fails if no thread can be started.
pub(super) fn start(path: PathBuf, sender: Sender<Happening>) -> io::Result<()> {
    thread::Builder::new().name("poll".into()).spawn(move || {
        let notice = EndNotice(sender);
        let (_never_sent, pause) = channel::<()>();
        loop {
            let _ = pause.recv_timeout(INTERVAL); // times out: nothing is sent
            if notice.0.send(Happening::Answer(poll(&path))).is_err() {
                return; // the view has ended
            }
        }
    })?;
    Ok(())
}

/// Asks the proxy at `path` for everything that is shown.
///
/// # Errors
/// A message if the proxy does not answer, or not with metrics.
pub(super) fn poll(path: &Path) -> Result<Reading, String> {
    let at = SystemClock.now().since_epoch();
    let ask = |line: &str| ask_line(path, line, PATIENCE);
    let stats = ask("stats json")?;
    let stats = text_of(&stats).ok_or_else(|| {
        let reason = stats.strip_prefix("error ").unwrap_or("the answer is incomplete");
        format!("the proxy gives no metrics: {}", reason.trim_end())
    })?;
    let [tops, origins] = ["tops json", "origin list"].map(|line| ask(line).ok());
    let [tops, origins] = [&tops, &origins].map(|answer| answer.as_deref().and_then(text_of));
    Reading::parse(at, stats, tops, origins)
}

/// Returns the text of an answer that is no error.
fn text_of(answer: &str) -> Option<&str> {
    answer.strip_prefix("ok\n")
}
