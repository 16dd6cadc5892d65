//! Authentication parameters: `name=value, name="value"` (RFC 9110 §11.2), parsed strictly.

use std::borrow::Cow;

use crate::http::list::{self, Elements};

/// Most parameters accepted; no scheme has as many.
const MAX: usize = 32;

/// Value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) quoted: bool,
}

/// Parameters of one challenge or one set of credentials; their names differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Params<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Params<'a> {
    /// Parses a list of parameters.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(text).map_err(|_| "the credentials are not UTF-8")?;
        if !list::is_terminated(text.as_bytes()) {
            return Err("a quoted parameter is not closed");
        }
        let mut params = Self(Vec::with_capacity(12));
        for element in Elements::of(text.as_bytes()) {
            let (name, value) = parameter(element).ok_or("a parameter is malformed")?;
            if params.0.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err("a parameter is repeated");
            }
            if params.0.len() == MAX {
                return Err("there are too many parameters");
            }
            params.0.push((name, value));
        }
        Ok(params)
    }

    /// Removes and returns the value of `name`.
    pub(super) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(self.0.swap_remove(at).1)
    }
}

/// Parses `name "=" value`, with optional white space around the equals sign.
fn parameter(element: &[u8]) -> Option<(&str, Value<'_>)> {
    let element = std::str::from_utf8(element).ok()?;
    let (name, value) = element.split_once('=')?;
    let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
    let quoted = value.starts_with('"');
    let text = if quoted { unquote(value)? } else { token(value)?.into() };
    Some((token(name)?, Value { text, quoted }))
}

fn token(text: &str) -> Option<&str> {
    list::is_token(text.as_bytes()).then_some(text)
}

/// Returns the content of a quoted string (RFC 9110 §5.6.4).
fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let control = |char: char| char.is_control() && char != '\t';
    if !inner.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..b' ' | 0x7f..)) {
        return Some(inner.into());
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => out.push(chars.next()?),
            _ => out.push(char),
        }
    }
    (!out.contains(control)).then_some(out.into())
}

/// Returns `text` as a quoted string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(list: &str, name: &str) -> Option<String> {
        Params::parse(list.as_bytes()).unwrap().take(name).map(|value| value.text.into_owned())
    }

    #[test]
    fn tokens_and_quoted_strings_are_parsed() {
        let list = r#"a=b, C = "d, \"e\"" ,, f="#;
        assert!(Params::parse(list.as_bytes()).is_err(), "an empty value is not a token");
        let list = r#"a=b, C = "d, \"e\"" ,, f="""#;
        assert_eq!(value(list, "a").as_deref(), Some("b"));
        assert_eq!(value(list, "c").as_deref(), Some("d, \"e\""));
        assert_eq!(value(list, "f").as_deref(), Some(""));
        assert_eq!(value(list, "d"), None);
    }

    #[test]
    fn malformed_parameters_are_rejected() {
        for list in [
            "a",
            "=b",
            "a=b c",
            "a=b; c=d",
            "a=\"b",
            "a=\"b\"c",
            "a=\"b\"\"c\"",
            "a b=c",
            "a=b=c",
            "a=\"\\\"",
            "a=b, A=c",
            "a=\"b\u{1}\"",
            "a=ä",
        ] {
            assert!(Params::parse(list.as_bytes()).is_err(), "{list}");
        }
        assert!(Params::parse(b"a=\"\xff\"").is_err());
        let many: Vec<String> = (0..=MAX).map(|i| format!("a{i}=b")).collect();
        assert!(Params::parse(many.join(",").as_bytes()).is_err());
        assert!(Params::parse(many[1..].join(",").as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn quoted_strings_round_trip(text in "[^\\p{Cc}]*") {
            let list = format!("x=y, a={}, z=y", quoted(&text));
            prop_assert_eq!(value(&list, "a"), Some(text));
        }
    }
}
