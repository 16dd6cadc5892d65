//! The access log. The loop gathers lines and hands them to a sink, which must not block: a slow
//! disk never stops the loop.

use std::fmt;

use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::log_format::LogFormat;
use super::log_line;
use super::log_text::Dates;

/// Destination of access log lines. No method blocks.
pub trait LogSink: fmt::Debug {
    /// Takes whole lines. A sink that keeps the buffer leaves an empty one in `lines`; the caller
    /// drops the remaining content.
    fn write(&mut self, lines: &mut String);

    /// Returns the number of lines lost so far, for any reason.
    fn lost(&self) -> u64;

    /// Reopens the log file, if there is one, after a rotation.
    fn reopen(&mut self);
}

/// A sink that discards all lines.
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

    /// Adds the line of a finished exchange.
    pub(crate) fn record(&mut self, record: &ExchangeRecord, format: &LogFormat, now: Now) {
        log_line::write(record, format, now, &mut self.dates, &mut self.lines);
    }

    /// Hands the gathered lines to the sink.
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

    /// Returns the number of lines lost.
    pub(crate) fn lost(&self) -> u64 {
        self.sink.lost()
    }
}

impl Drop for AccessLog {
    /// Flushes, so that the last lines are not lost.
    fn drop(&mut self) {
        self.flush();
    }
}
