//! The access log, as the proxy uses it.

use crate::proxy::{LineForm, LogSink};

use super::outlet::Outlet;
use super::shipping::Shipping;

/// Passes lines to the thread that writes the access log, and to the one that ships them.
#[derive(Debug)]
pub(super) struct LogWriter {
    pub(super) outlet: Outlet,
    pub(super) ship: Option<Shipping>,
}

impl LogSink for LogWriter {
    fn form(&self) -> LineForm {
        self.outlet.form()
    }

    fn takes_json(&self) -> bool {
        self.ship.is_some()
    }

    fn write_json(&mut self, lines: &mut String) {
        self.ship.iter().for_each(|ship| ship.write(lines));
    }

    fn write(&mut self, lines: &mut String) {
        self.outlet.write(lines);
    }

    fn lost(&self) -> u64 {
        self.outlet.lost() + self.ship.as_ref().map_or(0, Shipping::lost)
    }

    fn reopen(&mut self) {
        self.outlet.reopen();
    }
}
