//! Notices of a running proxy on standard error, which the proxy never waits for.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use crate::cli::terminal::marked;

use super::outlet::Outlet;
use super::output::Output;

/// Bytes that wait for a reader of standard error; beyond, lines are lost and counted.
const CAPACITY: usize = 64 * 1024;

/// Standard error of a running proxy; never waits for its reader. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Notices(Outlet);

impl Notices {
    /// Notices that wait until [`start`](Self::start).
    pub(super) fn new() -> Self {
        Self(Outlet::new("standard error", CAPACITY, None))
    }

    /// Returns the outlet of these notices, for those of another outlet.
    pub(super) fn outlet(&self) -> Outlet {
        self.0.clone()
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// If standard error is closed, or no thread can be started.
    pub(super) fn start(&self) -> io::Result<()> {
        self.0.start(Output::stderr()?)
    }

    /// Says `text`, one or more whole lines without the end of the last.
    pub(super) fn say(&self, text: impl Display) {
        self.0.say(text);
    }

    /// Says what is wrong; a rendered error says that it is one.
    pub(super) fn complain(&self, message: &str) {
        self.say(marked(message));
    }

    /// Waits until all is written, `patience` at the longest.
    pub(super) fn finish(&self, patience: Duration) {
        self.0.finish(patience);
    }
}
