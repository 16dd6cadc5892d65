//! Formats of the access log, and their names in options.

use std::fmt::{self, Display};
use std::str::FromStr;

/// A format of access log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Aligned columns, for people.
    Human,
    /// Apache's combined format.
    Combined,
    /// Squid's native format.
    Squid,
    /// JSON, an object per line.
    Json,
}

impl LogFormat {
    /// All formats, with their names in options.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("human", Self::Human),
        ("combined", Self::Combined),
        ("squid", Self::Squid),
        ("json", Self::Json),
    ];
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|&(_, format)| format).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|&(name, _)| name).collect();
            format!("'{text}' is none of {}", names.join(", "))
        })
    }
}

impl Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(known.map_or("", |&(name, _)| name))
    }
}
