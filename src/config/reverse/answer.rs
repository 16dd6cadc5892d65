//! Fixed answers in option syntax: `STATUS`, `STATUS TEXT` or `STATUS @FILE`.

use std::path::Path;

use crate::config::files;
use crate::http::Status;
use crate::proxy::FixedAnswer;

/// Media types of files, by the ends of their names.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("xml", "application/xml"),
];

const TEXT: &str = "text/plain; charset=utf-8";

/// Checks the form of an answer.
///
/// # Errors
/// Returns the reason if `text` is not of one of the forms.
pub(super) fn check(text: &str) -> Result<(), String> {
    parts(text).map(drop)
}

/// Returns status and the rest of an answer.
fn parts(text: &str) -> Result<(Status, &str), String> {
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let status = status.parse().ok().and_then(Status::new).filter(|status| !status.is_interim());
    let status = status.ok_or_else(|| {
        format!(
            "'{text}' is not STATUS, 'STATUS TEXT' or 'STATUS @FILE', such as '404 no such page'"
        )
    })?;
    Ok((status, rest.trim()))
}

/// Reads an answer, and its file if it names one.
///
/// # Errors
/// Returns the reason if the form is wrong, or the file cannot be read.
pub(super) fn read(text: &str) -> Result<FixedAnswer, String> {
    let (status, rest) = parts(text)?;
    let Some(file) = rest.strip_prefix('@') else {
        let content = if rest.is_empty() { String::new() } else { format!("{rest}\n") };
        let media_type = if rest.is_empty() { "" } else { TEXT };
        let (media_type, content) = (media_type.into(), content.into_bytes().into());
        return Ok(FixedAnswer { status, media_type, content });
    };
    let content = files::read(file).map_err(|error| format!("'{text}': {file}: {error}"))?;
    let end = Path::new(file).extension().and_then(|end| end.to_str()).unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(end));
    let media_type = known.map_or(TEXT, |(_, media_type)| media_type);
    Ok(FixedAnswer { status, media_type: media_type.into(), content: content.into() })
}
