//! Formats of the access log, and their names in options.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use crate::suggestion::suggestion;

use super::log_field::LogField;

/// Begin of the name of a custom format.
const CUSTOM: &str = "custom:";

/// Format of access log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Aligned columns, for people.
    Human,
    /// Apache's combined format.
    Combined,
    /// Squid's native format.
    Squid,
    /// JSON, an object per line.
    Json,
    /// Text with fields.
    Custom(Arc<CustomFormat>),
}

/// Format of an operator: text, in which `{NAME}` stands for a field; `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomFormat {
    /// The format as it was written.
    text: Box<str>,
    pub(super) parts: Box<[FormatPart]>,
}

/// Part of a custom format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FormatPart {
    Text(Box<str>),
    Field(LogField),
}

impl LogFormat {
    /// Names of the formats that are not custom.
    const NAMES: [(&'static str, Self); 4] = [
        ("human", Self::Human),
        ("combined", Self::Combined),
        ("squid", Self::Squid),
        ("json", Self::Json),
    ];

    /// Returns true if lines show the media type of the response.
    pub(super) fn shows_type(&self) -> bool {
        match self {
            Self::Squid | Self::Json => true,
            Self::Human | Self::Combined => false,
            Self::Custom(format) => format.parts.contains(&FormatPart::Field(LogField::Type)),
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(format) = text.strip_prefix(CUSTOM) {
            return format.trim_start().parse().map(|format| Self::Custom(Arc::new(format)));
        }
        let known = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, format)| format).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            format!("'{text}' is none of {names}, and does not begin with '{CUSTOM}'")
        })
    }
}

impl Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Custom(format) = self {
            return write!(f, "{CUSTOM} {}", format.text);
        }
        let known = Self::NAMES.into_iter().find(|(_, format)| format == self);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

impl FromStr for CustomFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            return Err("the format has a control character; a line is one line".to_owned());
        }
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                literal.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (name, after) = inside.ok_or_else(|| {
                format!(
                    "'{from}' has a brace without the other one; a brace itself is written twice"
                )
            })?;
            let field = LogField::named(name).ok_or_else(|| unknown(name))?;
            if !literal.is_empty() {
                parts.push(FormatPart::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(FormatPart::Field(field));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(FormatPart::Text(literal.into()));
        }
        if !parts.iter().any(|part| matches!(part, FormatPart::Field(_))) {
            return Err("the format has no field, such as '{url}'".to_owned());
        }
        Ok(Self { text: text.into(), parts: parts.into() })
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = LogField::ALL.iter().map(|&(_, name, _)| name).collect();
    let help = suggestion(name, &names);
    format!("there is no field '{name}'; {}", help.unwrap_or_else(|| names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_round_trip() {
        for text in ["human", "json", "custom: {time} {{{url}}} {status}", "custom: {agent}"] {
            let format: LogFormat = text.parse().unwrap();
            assert_eq!(format.to_string(), text);
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let LogFormat::Custom(format) = "custom:a{{b{url}".parse().unwrap() else { panic!() };
        let parts = [FormatPart::Text("a{b".into()), FormatPart::Field(LogField::Url)];
        assert_eq!(*format.parts, parts);
    }

    #[test]
    fn wrong_formats_are_refused_with_help() {
        for (text, reason) in [
            (
                "jsn",
                "'jsn' is none of human, combined, squid, json, and does not begin with 'custom:'",
            ),
            ("custom: x", "the format has no field, such as '{url}'"),
            ("custom: {urll}", "there is no field 'urll'; did you mean 'url'?"),
            (
                "custom: {url",
                "'{url' has a brace without the other one; a brace itself is written twice",
            ),
            (
                "custom: }{url}",
                "'}{url}' has a brace without the other one; a brace itself is written twice",
            ),
            ("custom: {url}\n", "the format has a control character; a line is one line"),
        ] {
            assert_eq!(text.parse::<LogFormat>(), Err(reason.to_owned()), "{text}");
        }
    }
}
