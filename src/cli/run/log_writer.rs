//! The access log, as the proxy uses it.

use crate::proxy::{LineForm, LogSink};

use super::outlet::Outlet;

/// Passes lines to the thread that writes the access log.
#[derive(Debug)]
pub(super) struct LogWriter(pub(super) Outlet);

impl LogSink for LogWriter {
    fn form(&self) -> LineForm {
        self.0.form()
    }

    fn write(&mut self, lines: &mut String) {
        self.0.write(lines);
    }

    fn lost(&self) -> u64 {
        self.0.lost()
    }

    fn reopen(&mut self) {
        self.0.reopen();
    }
}
