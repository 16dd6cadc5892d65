//! Rules of options and files, read into a set. The caller opens the files.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use super::condition::Conditions;
use super::rule::{Action, Destination, Destinations, Rule, RuleError, words};
use super::rules::{RuleSet, RuleSource};

/// Value of an option that takes a rule, or `@FILE` for a file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOption {
    /// Single rule.
    Rule(Box<Rule>),
    /// Name of a file with one rule a line.
    File(String),
}

impl FromStr for RuleOption {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.strip_prefix('@') {
            Some(file) if !file.is_empty() => Ok(Self::File(file.to_owned())),
            _ => text.parse().map(|rule| Self::Rule(Box::new(rule))),
        }
    }
}

impl fmt::Display for RuleOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::File(file) => write!(f, "@{file}"),
        }
    }
}

/// Option with the place where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenRule {
    /// Value of the option.
    pub option: RuleOption,
    /// File and line of the option; `None` if it was given on the command line.
    pub place: Option<(RuleSource, u32)>,
}

impl FromStr for GivenRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.parse().map(|option| Self { option, place: None })
    }
}

/// Rules that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRules {
    /// A file cannot be read.
    Unreadable {
        /// Name of the file.
        file: String,
        /// Reason why it cannot be read.
        why: String,
    },
    /// A bound of the set is exceeded.
    TooMany {
        /// First rule that exceeds it.
        rule: String,
        /// Bound that is exceeded.
        why: String,
    },
    /// A line is invalid.
    Line {
        /// Name of the file.
        file: String,
        /// Number of the line, counted from 1.
        line: usize,
        /// Text of the line; bytes that are not UTF-8 are replaced.
        text: String,
        /// Range of the wrong part, in bytes of the text.
        span: Range<usize>,
        /// Description of the error.
        message: String,
    },
}

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } => write!(f, "{file}: {why}"),
            Self::TooMany { rule, why } => write!(f, "'{rule}': {why}"),
            Self::Line { file, line, message, .. } => write!(f, "{file}:{line}: {message}"),
        }
    }
}

impl std::error::Error for BadRules {}

/// Returns the content of a file, or the reason why it cannot be read.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// Adds the rules of `options` to `set`, in their order. Calls `read` for the content of each file.
///
/// # Errors
/// The first file that cannot be read, line that is invalid, or bound that is exceeded.
pub fn read_rules(
    set: &mut RuleSet,
    options: &[GivenRule],
    read: &mut ReadFile<'_>,
) -> Result<(), BadRules> {
    for (given, count) in options.iter().zip(1..) {
        let (source, line) = given.place.clone().unwrap_or((RuleSource::Options, count));
        match &given.option {
            RuleOption::Rule(rule) => add(set, rule, (&source, line), read)?,
            RuleOption::File(file) => add_file(set, file, read)?,
        }
    }
    Ok(())
}

fn add(
    set: &mut RuleSet,
    rule: &Rule,
    place: (&RuleSource, u32),
    read: &mut ReadFile<'_>,
) -> Result<(), BadRules> {
    match &rule.to {
        Destinations::List(file) => add_list(set, file, (rule.action, &rule.conditions), read),
        Destinations::One(to) => {
            let added = set.add(place, rule.action, &rule.conditions, to);
            added.map_err(|why| BadRules::TooMany { rule: rule.to_string(), why })
        }
    }
}

/// Adds the rules of a file.
fn add_file(set: &mut RuleSet, file: &str, read: &mut ReadFile<'_>) -> Result<(), BadRules> {
    let source = RuleSource::File(Arc::from(file));
    let text = content(file, read)?;
    set.note_file(file, &text);
    for_lines(file, &text, |line, number| {
        if words(line).next().is_none() {
            return Ok(());
        }
        let rule: Rule = line.parse().map_err(BadLine::Here)?;
        match &rule.to {
            Destinations::One(to) => {
                let added = set.add((&source, number), rule.action, &rule.conditions, to);
                added.map_err(|message| BadLine::Here(RuleError { span: 0..line.len(), message }))
            }
            Destinations::List(_) => {
                add(set, &rule, (&source, number), read).map_err(BadLine::Elsewhere)
            }
        }
    })
}

/// Adds a file of destinations, all with one action and the same conditions.
fn add_list(
    set: &mut RuleSet,
    file: &str,
    (action, conditions): (Action, &Conditions),
    read: &mut ReadFile<'_>,
) -> Result<(), BadRules> {
    let source = RuleSource::File(Arc::from(file));
    let text = content(file, read)?;
    set.note_file(file, &text);
    for_lines(file, &text, |line, number| {
        let mut words = words(line);
        let Some((span, word)) = words.next() else { return Ok(()) };
        if let Some((span, word)) = words.next() {
            let message =
                format!("'{word}' is unexpected: a line of a list holds one destination only");
            return Err(BadLine::Here(RuleError { span, message }));
        }
        let to: Destination =
            word.parse().map_err(|message| BadLine::Here(RuleError { span, message }))?;
        let added = set.add((&source, number), action, conditions, &to);
        added.map_err(|message| BadLine::Here(RuleError { span: 0..line.len(), message }))
    })
}

fn content(file: &str, read: &mut ReadFile<'_>) -> Result<Vec<u8>, BadRules> {
    read(file).map_err(|why| BadRules::Unreadable { file: file.to_owned(), why })
}

/// Error in a line, or in a file that the line names.
enum BadLine {
    Here(RuleError),
    Elsewhere(BadRules),
}

fn for_lines(
    file: &str,
    text: &[u8],
    mut each: impl FnMut(&str, u32) -> Result<(), BadLine>,
) -> Result<(), BadRules> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text); // byte order mark
    for (line, number) in text.split(|&b| b == b'\n').zip(1..) {
        let each = match std::str::from_utf8(line) {
            Ok(line) => each(line, number),
            Err(error) => {
                let at = error.valid_up_to();
                let message = "the line is not UTF-8".to_owned();
                Err(BadLine::Here(RuleError { span: at..at, message }))
            }
        };
        each.map_err(|bad| match bad {
            BadLine::Elsewhere(bad) => bad,
            BadLine::Here(RuleError { span, message }) => BadRules::Line {
                file: file.to_owned(),
                line: number as usize,
                text: String::from_utf8_lossy(line).into_owned(),
                span,
                message,
            },
        })?;
    }
    Ok(())
}
