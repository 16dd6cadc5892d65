//! Where log lines go: gathered by the loop, written by a thread, so that no disk stops the loop.

use std::fmt;

use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::log_format::LogFormat;
use super::log_line;
use super::log_text::Dates;

/// Takes whole lines; never blocks.
pub trait LogSink: fmt::Debug {
    /// Takes `lines`, perhaps leaving an empty buffer in their place. What is left in `lines` is
    /// dropped.
    fn write(&mut self, lines: &mut String);

    /// Returns how many of the lines it was given are lost, whatever the cause.
    fn lost(&self) -> u64;

    /// Opens its file anew, if it has one, after a rotation.
    fn reopen(&mut self);
}

/// A log that nobody keeps.
#[derive(Clone, Copy, Debug)]
pub struct NoLog;

impl LogSink for NoLog {
    fn write(&mut self, _lines: &mut String) {}

    fn lost(&self) -> u64 {
        0
    }

    fn reopen(&mut self) {}
}

/// The access log of one worker.
#[derive(Debug)]
pub(crate) struct AccessLog {
    sink: Box<dyn LogSink>,
    lines: String,
    dates: Dates,
}

impl AccessLog {
    pub(crate) fn new(sink: Box<dyn LogSink>) -> Self {
        Self { sink, lines: String::new(), dates: Dates::default() }
    }

    /// Adds the line of an exchange that is over.
    pub(crate) fn record(&mut self, record: &ExchangeRecord, format: LogFormat, now: Now) {
        log_line::write(record, format, now, &mut self.dates, &mut self.lines);
    }

    /// Hands what was gathered to the sink.
    pub(crate) fn flush(&mut self) {
        if self.has_lines() {
            self.sink.write(&mut self.lines);
            self.lines.clear();
        }
    }

    pub(crate) const fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    pub(crate) fn reopen(&mut self) {
        self.flush();
        self.sink.reopen();
    }

    /// Returns how many lines are lost.
    pub(crate) fn lost(&self) -> u64 {
        self.sink.lost()
    }
}

impl Drop for AccessLog {
    /// What was over after the last flush is written down, too.
    fn drop(&mut self) {
        self.flush();
    }
}
