//! Notices of a running proxy on standard error, without waiting for a reader.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::terminal::marked;

use super::outlet::Outlet;
use super::output::Output;

/// Limit of the bytes that wait for a reader of standard error. Further lines are dropped and
/// counted.
const CAPACITY: usize = 64 * 1024;

/// Standard error of a running proxy. Writing never waits. Clones share the outlet.
#[derive(Clone, Debug)]
pub(super) struct Notices {
    outlet: Outlet,
    /// Beginning of each notice, which tells several processes apart.
    mark: Arc<str>,
}

impl Notices {
    /// Creates notices that begin with `mark`, and wait until [`start`](Self::start).
    pub(super) fn new(mark: String) -> Self {
        let outlet = Outlet::new("standard error", CAPACITY, None);
        Self { outlet, mark: mark.into() }
    }

    /// Returns the outlet of these notices, for notices about another outlet.
    pub(super) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// Fails if standard error is closed, or if no thread can be started.
    pub(super) fn start(&self) -> io::Result<()> {
        self.outlet.start(Output::stderr()?)
    }

    /// Writes `text`: one or more lines, the last without its end.
    pub(super) fn say(&self, text: impl Display) {
        self.outlet.say(format_args!("{}{text}", self.mark));
    }

    /// Writes lines of the banner, which have no mark.
    pub(super) fn announce(&self, text: impl Display) {
        self.outlet.say(text);
    }

    /// Writes an error message, with a leading `error: ` unless a rendered error has one already.
    pub(super) fn complain(&self, message: &str) {
        self.say(marked(message));
    }

    /// Waits until everything is written, at most for `patience`.
    pub(super) fn finish(&self, patience: Duration) {
        self.outlet.finish(patience);
    }
}
