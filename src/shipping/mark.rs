//! Marks at the beginning of lines, which tell a sink the severity and the time of each.

use std::fmt::Write;
use std::time::Duration;

use super::severity::Severity;

/// A line with its mark: `3 1764558000123456 TEXT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked<'a> {
    /// Severity of the line.
    pub severity: Severity,
    /// Time of the line since 1970, in whole microseconds; `None` if the line has no mark.
    pub time: Option<Duration>,
    /// Text of the line.
    pub text: &'a str,
}

impl<'a> Marked<'a> {
    /// Reads a line. A line without a mark is information, whose text is all of it.
    #[must_use]
    pub fn read(line: &'a str) -> Self {
        Self::with_mark(line).unwrap_or(Self { severity: Severity::Info, time: None, text: line })
    }

    fn with_mark(line: &'a str) -> Option<Self> {
        let (number, rest) = line.split_once(' ')?;
        let (micros, text) = rest.split_once(' ')?;
        Some(Self {
            severity: Severity::numbered(number.parse().ok()?)?,
            time: Some(Duration::from_micros(micros.parse().ok()?)),
            text,
        })
    }
}

/// Adds the mark of a line of `severity` at `time` since 1970, with the space behind it.
pub fn push_mark(out: &mut String, severity: Severity, time: Duration) {
    // Writing to a string does not fail.
    let _ = write!(out, "{} {} ", severity.number(), time.as_micros());
}
