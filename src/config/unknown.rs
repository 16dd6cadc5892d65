//! Errors about names that a file may not have where they stand.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use crate::proxy::Limits;
use crate::suggestion::suggestion;

use super::table::{OPTIONS, OptionSpec};
use super::values::Wrong;

/// Sections of the file.
const SECTIONS: &[&str] = &["limits", "listener", "origin", "protect", "site", "site.route"];

/// Names that other programs have for these sections.
const ELSEWHERE: &[(&str, &str)] = &[
    ("backend", "origin"),
    ("upstream", "origin"),
    ("pool", "origin"),
    ("frontend", "listener"),
    ("server", "site"),
    ("virtualhost", "site"),
    ("vhost", "site"),
    ("location", "site.route"),
    ("route", "site.route"),
];

/// Returns true if a value is a table or a list of tables.
pub(super) fn is_section(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(list) => !list.is_empty() && list.iter().all(|one| one.get_ref().is_table()),
        _ => false,
    }
}

/// Returns the error of a section that files do not have; its name stands at `place`.
pub(super) fn section(name: &str, place: Range<usize>) -> Wrong {
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| name.eq_ignore_ascii_case(other));
    let known: Vec<String> = SECTIONS.iter().map(|name| header(name)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let similar = || suggestion(&format!("[[{name}]]"), &known);
    let help = match elsewhere {
        Some((_, section)) => format!("did you mean {}?", header(section)),
        None => match similar() {
            Some(text) => text.replace('\'', ""),
            None => format!("sections are {}", known.join(", ")),
        },
    };
    (place, format!("there is no section [[{name}]]"), Some(help))
}

fn header(section: &str) -> String {
    if section == "limits" { "[limits]".to_owned() } else { format!("[[{section}]]") }
}

/// Returns the error of a key that a table `[[section]]` does not have.
pub(super) fn key(
    key: &Spanned<DeString<'_>>,
    section: &str,
    known: impl Iterator<Item = &'static str>,
) -> Wrong {
    let written = key.get_ref().as_ref();
    let known: Vec<&str> = known.collect();
    (key.span(), format!("[[{section}]] has no key '{written}'"), help(written, &known))
}

/// Returns the error of a limit that there is not.
pub(super) fn limit(name: &str, place: Range<usize>) -> Wrong {
    (place, format!("there is no limit '{name}'"), help(name, Limits::NAMES))
}

/// Returns the option called `name`; the name stands at `place`.
///
/// # Errors
/// The error if there is none.
pub(super) fn option(name: &str, place: Range<usize>) -> Result<&'static OptionSpec, Wrong> {
    OptionSpec::find(name).ok_or_else(|| {
        let options = OPTIONS.iter().map(|option| option.name);
        let known: Vec<&str> = options.chain(["limits", "listener", "origin", "site"]).collect();
        let below = Limits::NAMES.contains(&name).then(|| "a limit belongs below [limits]".into());
        let help = below.or_else(|| suggestion(name, &known));
        (place, format!("there is no option '{name}'"), help)
    })
}

/// Returns what an operator may have meant by a wrong key below a section.
fn help(written: &str, known: &[&str]) -> Option<String> {
    let above = if OptionSpec::find(written).is_some() {
        Some("an option of the process belongs above the first section".to_owned())
    } else if Limits::NAMES.contains(&written) {
        Some("a limit belongs below [limits]".to_owned())
    } else {
        None
    };
    let parts: Vec<String> = suggestion(written, known).into_iter().chain(above).collect();
    (!parts.is_empty()).then(|| parts.join(" Or: "))
}
