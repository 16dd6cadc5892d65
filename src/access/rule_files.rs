//! Rules as options and files have them, read into a set. Whoever calls opens the files.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use super::condition::Conditions;
use super::rule::{Action, Destination, Destinations, Rule, RuleError, words};
use super::rules::{RuleSet, RuleSource};

/// One value of the option: a rule, or `@FILE` for a file of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOption {
    /// A rule.
    Rule(Box<Rule>),
    /// Rules in a file, one a line.
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

/// An option, and where it was given if that was in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenRule {
    /// The option.
    pub option: RuleOption,
    /// The file, and the line in it.
    pub place: Option<(RuleSource, u32)>,
}

impl FromStr for GivenRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.parse().map(|option| Self { option, place: None })
    }
}

/// A file of rules or destinations that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRules {
    /// It cannot be read.
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// There are too many of something.
    TooMany {
        /// The first rule for which there is no room.
        rule: String,
        /// Of what.
        why: String,
    },
    /// A line is wrong.
    Line {
        /// The file.
        file: String,
        /// The line's number, from 1.
        line: usize,
        /// The line; what is no UTF-8 in it is replaced.
        text: String,
        /// The part of it that is wrong, in bytes.
        span: Range<usize>,
        /// What is wrong.
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

/// Gives the content of a file, or says why it cannot be read.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// Adds the rules of options to `set`, in their order; files are asked of `read`.
///
/// # Errors
/// The first file that cannot be read, or line that is wrong.
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

/// A file of rules.
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

/// A file of destinations, all with one action and the same conditions.
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
                format!("'{word}' is too much: a line of a list is a destination, and no more");
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

/// What is wrong with a line, or with a file that it names.
enum BadLine {
    Here(RuleError),
    Elsewhere(BadRules),
}

fn for_lines(
    file: &str,
    text: &[u8],
    mut each: impl FnMut(&str, u32) -> Result<(), BadLine>,
) -> Result<(), BadRules> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text); // as some editors begin
    for (line, number) in text.split(|&b| b == b'\n').zip(1..) {
        let each = match std::str::from_utf8(line) {
            Ok(line) => each(line, number),
            Err(error) => {
                let at = error.valid_up_to();
                let message = "this is no UTF-8".to_owned();
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
