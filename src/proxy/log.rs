//! Where log lines go: gathered by the loop, written by a thread, so that no disk stops the loop.

use std::fmt;

use super::journal::Journal;
use super::log_line;
use super::log_text::Dates;
use super::settings::Settings;
use crate::time::Now;

/// Takes whole lines; never blocks.
pub trait LogSink: fmt::Debug {
    /// Takes `lines`, perhaps leaving an empty buffer in their place, or says that there is no room
    /// for them. What is left in `lines` is dropped.
    fn write(&mut self, lines: &mut String) -> bool;

    /// Opens its file anew, if it has one, after a rotation.
    fn reopen(&mut self);
}

/// A log that nobody keeps.
#[derive(Clone, Copy, Debug)]
pub struct NoLog;

impl LogSink for NoLog {
    fn write(&mut self, _lines: &mut String) -> bool {
        true
    }

    fn reopen(&mut self) {}
}

/// The access log of one worker.
#[derive(Debug)]
pub(super) struct AccessLog {
    sink: Box<dyn LogSink>,
    lines: String,
    dates: Dates,
    /// Lines in `lines`.
    gathered: u64,
    dropped: u64,
}

impl AccessLog {
    pub(super) fn new(sink: Box<dyn LogSink>) -> Self {
        Self { sink, lines: String::new(), dates: Dates::default(), gathered: 0, dropped: 0 }
    }

    /// Adds the line of an exchange that is over.
    pub(super) fn record(&mut self, journal: &Journal, settings: &Settings, now: Now) {
        if let Some(format) = settings.log {
            log_line::write(journal, format, now, &mut self.dates, &mut self.lines);
            self.gathered += 1;
        }
    }

    /// Hands what was gathered to the sink. What it has no room for is dropped and counted.
    pub(super) fn flush(&mut self) {
        if !self.lines.is_empty() {
            if !self.sink.write(&mut self.lines) {
                self.dropped += self.gathered;
            }
            self.lines.clear();
            self.gathered = 0;
        }
    }

    pub(super) const fn has_lines(&self) -> bool {
        self.gathered > 0
    }

    pub(super) fn reopen(&mut self) {
        self.flush();
        self.sink.reopen();
    }

    /// How many lines there was no room for.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Drop for AccessLog {
    /// What was over after the last flush is written down, too.
    fn drop(&mut self) {
        self.flush();
    }
}
