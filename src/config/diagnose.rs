//! Errors in a configuration file, shown with the line, a caret and what might have been meant.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Something wrong in a configuration file.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// The file's name.
    pub file: String,
    /// Its content, or the part of it that matters.
    pub text: String,
    /// The number of the first line of that, from 1.
    pub first_line: usize,
    /// Where in it.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What might help.
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
