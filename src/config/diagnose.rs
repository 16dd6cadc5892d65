//! Errors in a configuration file, shown with the line, a caret and a suggestion.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Error in a configuration file.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// Name of the file.
    pub file: String,
    /// Content of the file, or the part that matters.
    pub text: String,
    /// Number of the first line of `text`, counted from 1.
    pub first_line: usize,
    /// Range of the wrong part, in bytes of `text`.
    pub span: Range<usize>,
    /// Description of the error.
    pub message: String,
    /// Suggestion, if there is one.
    pub help: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let annotation = AnnotationKind::Primary.span(self.span.clone());
        let snippet = Snippet::source(&self.text).line_start(self.first_line);
        let snippet = snippet.path(&self.file).annotation(annotation);
        let mut report = Level::ERROR.primary_title(&self.message).element(snippet);
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help));
        }
        let report: &[Group<'_>] = &[report];
        f.write_str(&Renderer::plain().render(report))
    }
}

impl std::error::Error for ConfigError {}
