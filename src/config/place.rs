//! Places of sections in a configuration file, for errors that show once all options are known.

use std::ops::Range;
use std::sync::Arc;

use super::diagnose::ConfigError;

/// Place of a section in a configuration file.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<str>,
    /// First line of the section, and its number, counted from 1.
    text: Arc<str>,
    line: usize,
}

impl Place {
    /// Returns the place of `span` in `text`, the content of `file`.
    pub(super) fn of(file: &str, text: &str, span: &Range<usize>) -> Self {
        let before = &text[..span.start];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            file: file.into(),
            text: text[start..].lines().next().unwrap_or_default().into(),
            line: 1 + before.matches('\n').count(),
        }
    }
}

/// Returns an error message with the place that it is about, if a file has one.
pub(super) fn placed(place: Option<&Place>, message: String) -> String {
    let Some(Place { file, text, line }) = place else { return message };
    let (file, text, first_line) = (file.to_string(), text.to_string(), *line);
    let span = 0..text.len();
    ConfigError { file, text, first_line, span, message, help: None }.to_string()
}
