//! Rows of the table of options.

use crate::config::options::Options;

/// Option of the command line and the file.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Name: `--name` on the command line, `name` in the file.
    pub name: &'static str,
    /// Letter of the short form.
    pub short: Option<char>,
    /// Placeholder of the value in help and messages.
    pub value: &'static str,
    /// True if the option may be given several times; each value is added to the others.
    pub many: bool,
    /// True if the option may be given without a value, which means `on`.
    pub flag: bool,
    /// Help text.
    pub help: &'static str,
    /// Parses and stores one value.
    pub set: fn(&mut Options, &str) -> Result<(), String>,
    /// Returns the values as they could be given; empty if there is no default.
    pub get: fn(&Options) -> Vec<String>,
}

pub(super) const fn one(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut Options, &str) -> Result<(), String>,
    get: fn(&Options) -> Vec<String>,
) -> OptionSpec {
    OptionSpec { name, short: None, value, many: false, flag: false, help, set, get }
}

/// Returns the row of an option that may be given without a value, which means `on`.
pub(super) const fn flag(
    name: &'static str,
    help: &'static str,
    set: fn(&mut Options, &str) -> Result<(), String>,
    get: fn(&Options) -> Vec<String>,
) -> OptionSpec {
    OptionSpec { flag: true, ..one(name, "on|off", help, set, get) }
}

pub(super) const fn many(spec: OptionSpec) -> OptionSpec {
    OptionSpec { many: true, ..spec }
}
