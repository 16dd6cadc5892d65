//! Values of options, from and to text.

use std::path::PathBuf;
use std::str::FromStr;

use crate::access::Cidr;
use crate::units::Unit;

pub(in crate::config) fn push<T: FromStr>(
    list: &mut Vec<T>,
    text: &str,
    expected: &str,
) -> Result<(), String> {
    list.push(text.parse().map_err(|_| format!("'{text}' is not {expected}"))?);
    Ok(())
}

/// Parses a range of addresses.
pub(in crate::config) fn push_range(list: &mut Vec<Cidr>, text: &str) -> Result<(), String> {
    Cidr::read(text, "a CIDR or address").map(|range| list.push(range))
}

pub(super) fn named(name: &mut Option<String>, text: &str, expected: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("expected {expected}"));
    }
    *name = Some(text.to_owned());
    Ok(())
}

pub(in crate::config) fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

pub(in crate::config) fn unit<T: Unit>(text: &str) -> Result<T, String> {
    T::read(text).ok_or_else(|| format!("'{text}' is not {}", T::EXPECTED))
}

/// Parses one of two words; the second one means true.
pub(super) fn either(text: &str, words: [&str; 2]) -> Result<bool, String> {
    let wrong = || format!("'{text}' is neither {} nor {}", words[0], words[1]);
    words.iter().position(|word| *word == text).map(|at| at == 1).ok_or_else(wrong)
}

/// Returns the word for `second`, as [`either`] parses it.
pub(super) fn one_of(words: [&str; 2], second: bool) -> Vec<String> {
    vec![words[usize::from(second)].to_owned()]
}

pub(in crate::config) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("'{text}' is neither on nor off")),
    }
}

pub(in crate::config) fn on_or_off(on: bool) -> Vec<String> {
    one_of(["off", "on"], on)
}

/// Shows the paths of a list.
pub(super) fn paths(list: &[PathBuf]) -> Vec<String> {
    list.iter().map(|path| path.display().to_string()).collect()
}

/// Parses a path that is not empty.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("expected a file".to_owned()) } else { Ok(text.into()) }
}
