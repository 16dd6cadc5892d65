//! Fixed answers in option syntax: `STATUS`, `STATUS TEXT` or `STATUS @FILE`.

use std::path::Path;
use std::sync::Arc;

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
    if status == "444" {
        return Err(format!(
            "'{text}': 444 is no status of HTTP; a connection cannot be closed without a response"
        ));
    }
    let status = status.parse().ok().and_then(Status::new);
    let status = status.filter(|status| (200..600).contains(&status.code())).ok_or_else(|| {
        format!(
            "'{text}' is not STATUS, 'STATUS TEXT' or 'STATUS @FILE' with a status from 200 to 599, \
             such as '404 no such page'"
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

/// Checks the form of error pages: `STATUS,STATUS @FILE`.
///
/// # Errors
/// Returns the reason if `text` is of another form.
pub(super) fn check_pages(text: &str) -> Result<(), String> {
    page_parts(text).map(drop)
}

/// Returns the statuses and the file of error pages.
fn page_parts(text: &str) -> Result<(Vec<Status>, &str), String> {
    let wrong =
        || format!("'{text}' is not 'STATUS,… @FILE', such as '502,503 @/etc/tidegate/busy.html'");
    let (statuses, file) = text.split_once(" @").ok_or_else(wrong)?;
    let status = |text: &str| {
        let status = text.trim().parse().ok().and_then(Status::new);
        status.filter(|status| (400..600).contains(&status.code()))
    };
    let statuses = statuses.split(',').map(status).collect::<Option<Vec<_>>>();
    let statuses = statuses.filter(|_| !file.is_empty()).ok_or_else(wrong)?;
    Ok((statuses, file))
}

/// Reads error pages, one for each status.
///
/// # Errors
/// Returns the reason if the form is wrong, or the file cannot be read.
pub(super) fn pages(text: &str) -> Result<Vec<(Status, Arc<FixedAnswer>)>, String> {
    let (statuses, file) = page_parts(text)?;
    let first = statuses.first().copied().unwrap_or(Status::SERVICE_UNAVAILABLE);
    let page = Arc::new(read(&format!("{} @{file}", first.code()))?);
    Ok(statuses.into_iter().map(|status| (status, Arc::clone(&page))).collect())
}
