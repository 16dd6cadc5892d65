//! Standard error of the supervisor, which waits for no reader.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::terminal::say;

/// Lines on standard error. A line for which there is no room is lost.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// Lines lost since the last one that was written.
    lost: u64,
}

impl Voice {
    /// Writes a line, or several: at most as many bytes as a pipe takes at once, which is 4 KiB.
    pub(super) fn say(&mut self, line: &str) {
        if !has_room() {
            self.lost += 1;
            return;
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            say(format_args!("supervisor: {lost} lines are lost: standard error was not read"));
        }
        say(format_args!("supervisor: {line}"));
    }
}

/// Returns true if a write to standard error does not wait.
fn has_room() -> bool {
    let stderr = io::stderr();
    let mut output = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut output, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}
