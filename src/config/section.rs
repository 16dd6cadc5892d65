//! Sections of the file: tables with keys of their own, which may be given several times.

use std::fmt::Write;

/// Key of a section. `T` is what the section sets.
#[derive(Debug)]
pub struct Key<T> {
    /// Name of the key.
    pub name: &'static str,
    /// Placeholder of the value in messages and documents.
    pub value: &'static str,
    /// True if the key may have several values, in an array.
    pub many: bool,
    /// Description for documents.
    pub help: &'static str,
    /// Parses and stores one value.
    pub set: fn(&mut T, &str) -> Result<(), String>,
    /// Returns the values as they could be given; empty if there is no default.
    pub get: fn(&T) -> Vec<String>,
}

pub(super) const fn one<T>(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut T, &str) -> Result<(), String>,
    get: fn(&T) -> Vec<String>,
) -> Key<T> {
    Key { name, value, many: false, help, set, get }
}

pub(super) const fn many<T>(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut T, &str) -> Result<(), String>,
    get: fn(&T) -> Vec<String>,
) -> Key<T> {
    Key { many: true, ..one(name, value, help, set, get) }
}

/// Returns the lines of a section as a file has them. Keys with their defaults are left out.
pub(super) fn lines<T: Default>(keys: &[Key<T>], section: &T) -> String {
    let (default, mut out) = (&T::default(), String::new());
    for key in keys {
        let values = (key.get)(section);
        if values == (key.get)(default) {
            continue;
        }
        let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        let written = match quoted.as_slice() {
            [value] => writeln!(out, "{} = {value}", key.name),
            values => writeln!(out, "{} = [{}]", key.name, values.join(", ")),
        };
        let _ = written; // writing to a String does not fail
    }
    out
}
