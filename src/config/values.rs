//! Values of a file, and what is said of wrong ones.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Place and description of an error, with a suggestion if there is one.
pub(super) type Wrong = (Range<usize>, String, Option<String>);

/// Returns the tables of an array `[[name]]`, with their places.
pub(super) fn tables<'a, 'b>(
    name: &str,
    value: &'a Spanned<DeValue<'b>>,
) -> Result<Vec<(&'a DeTable<'b>, Range<usize>)>, Wrong> {
    let wrong = |place| {
        let help = format!("write a line [[{name}]], and its keys below");
        (place, format!("expected tables [[{name}]]"), Some(help))
    };
    let DeValue::Array(list) = value.get_ref() else { return Err(wrong(value.span())) };
    let table = |one: &'a Spanned<DeValue<'b>>| match one.get_ref() {
        DeValue::Table(table) => Ok((table, one.span())),
        _ => Err(wrong(one.span())),
    };
    list.iter().map(table).collect()
}

/// Returns the values of an array if the key accepts `many`, otherwise the value itself.
pub(super) fn values<'a, 'b>(
    value: &'a Spanned<DeValue<'b>>,
    many: bool,
) -> Vec<&'a Spanned<DeValue<'b>>> {
    match value.get_ref() {
        DeValue::Array(values) if many => values.iter().collect(),
        _ => vec![value],
    }
}

/// Returns a value as the command line would spell it.
pub(super) fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}
