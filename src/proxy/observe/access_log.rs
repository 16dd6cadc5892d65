//! The access log. The loop gathers lines and hands them to a sink, which must not block: a slow
//! disk never stops the loop.

use std::fmt;

use crate::shipping::{Severity, push_mark};
use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::log_format::LogFormat;
use super::log_line;
use super::log_text::Dates;

/// Form in which a sink takes lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineForm {
    /// Lines in the configured format.
    Plain,
    /// Lines in the configured format behind a mark ([`push_mark`]), which tells severity and time.
    Marked,
    /// Lines in the format `json`.
    Json,
}

/// Destination of access log lines. No method blocks.
pub trait LogSink: fmt::Debug {
    /// Returns the form of the lines for [`write`](Self::write).
    fn form(&self) -> LineForm {
        LineForm::Plain
    }

    /// Returns true if the sink also takes each line in JSON ([`write_json`](Self::write_json)).
    fn takes_json(&self) -> bool {
        false
    }

    /// Takes whole lines in JSON, as [`write`](Self::write) takes lines.
    fn write_json(&mut self, _lines: &mut String) {}

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
    /// The same lines in JSON, if the sink takes them.
    json: String,
    dates: Dates,
}

impl AccessLog {
    pub(crate) fn new(sink: Box<dyn LogSink>) -> Self {
        Self { sink, lines: String::new(), json: String::new(), dates: Dates::default() }
    }

    /// Adds the line of a finished exchange. Without a format, only JSON is written, if the sink takes it.
    pub(crate) fn record(&mut self, record: &ExchangeRecord, format: Option<&LogFormat>, now: Now) {
        if self.sink.takes_json() {
            log_line::write(record, &LogFormat::Json, now, &mut self.dates, &mut self.json);
        }
        let Some(format) = format else { return };
        let format = match self.sink.form() {
            LineForm::Plain => format,
            LineForm::Json => &LogFormat::Json,
            LineForm::Marked => {
                let severity = Severity::of_status(record.status.map(|status| status.code()));
                push_mark(&mut self.lines, severity, now.since_epoch());
                format
            }
        };
        log_line::write(record, format, now, &mut self.dates, &mut self.lines);
    }

    /// Hands the gathered lines to the sink.
    pub(crate) fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.sink.write(&mut self.lines);
            self.lines.clear();
        }
        if !self.json.is_empty() {
            self.sink.write_json(&mut self.json);
            self.json.clear();
        }
    }

    pub(crate) const fn has_lines(&self) -> bool {
        !self.lines.is_empty() || !self.json.is_empty()
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
