//! Media types whose content is worth compressing.

use std::fmt;
use std::str::FromStr;

use crate::http::list;

/// Types that are compressed unless the operator names others: text in all its forms, and formats that
/// come without compression of their own.
const USUAL: &[&str] = &[
    "text/*",
    "*+json",
    "*+text",
    "*+xml",
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/toml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
];

/// Type of events that a client waits for one by one. Each of its connections would keep an encoder for
/// hours, so that only its own name stands for it.
const EVENTS: &str = "text/event-stream";

/// A media type, `TYPE/*`, `*+SUFFIX`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRange(Box<str>);

impl MediaRange {
    /// Returns true if one of the ranges covers the type in a value of `Content-Type`; of the usual ones if
    /// there are none.
    #[must_use]
    pub fn any_covers(ranges: &[Self], content_type: &[u8]) -> bool {
        let end = content_type.iter().position(|&byte| byte == b';').unwrap_or(content_type.len());
        let media_type = content_type[..end].trim_ascii();
        match ranges {
            [] => USUAL.iter().any(|range| covers(range, media_type)),
            _ => ranges.iter().any(|range| covers(&range.0, media_type)),
        }
    }
}

/// Returns true if a range covers a media type without parameters. Letters match in any case (RFC 9110
/// §8.3.1).
fn covers(range: &str, media_type: &[u8]) -> bool {
    if media_type.eq_ignore_ascii_case(range.as_bytes()) {
        return true;
    }
    if media_type.is_empty() || media_type.eq_ignore_ascii_case(EVENTS.as_bytes()) {
        return false;
    }
    let ends = |end: &str| {
        let at = media_type.len().checked_sub(end.len());
        at.is_some_and(|at| media_type[at..].eq_ignore_ascii_case(end.as_bytes()))
    };
    let begins = |start: &str| {
        let part = media_type.get(..start.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(start.as_bytes()))
    };
    match (range.strip_prefix('*'), range.strip_suffix('*')) {
        (Some(end), _) => ends(end),
        (None, Some(start)) => begins(start),
        (None, None) => false,
    }
}

impl FromStr for MediaRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_token = |part: &str| list::is_token(part.as_bytes()) && !part.contains('*');
        let is_valid = match (text.strip_prefix("*+"), text.split_once('/')) {
            _ if text == "*" => true,
            (Some(suffix), _) => is_token(suffix),
            (None, Some((kind, "*"))) => is_token(kind),
            (None, Some((kind, name))) => is_token(kind) && is_token(name),
            (None, None) => false,
        };
        match is_valid {
            true => Ok(Self(text.into())),
            false => Err(format!("'{text}' is none of TYPE/NAME, TYPE/*, *+SUFFIX and *")),
        }
    }
}

impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_types_are_those_of_text() {
        for (content_type, is_covered) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/Plain", true),
            ("application/json", true),
            ("application/problem+JSON", true),
            ("application/atom+xml ; charset=utf-8", true),
            ("image/svg+xml", true),
            ("application/wasm", true),
            ("text/event-stream", false),
            ("image/png", false),
            ("application/octet-stream", false),
            ("application/zip", false),
            ("textual/plain", false),
            ("", false),
            ("text", false),
        ] {
            assert_eq!(
                MediaRange::any_covers(&[], content_type.as_bytes()),
                is_covered,
                "{content_type}"
            );
        }
    }

    #[test]
    fn ranges_of_the_operator_take_the_place_of_the_usual_ones() {
        let covers = |ranges: &[&str], content_type: &str| {
            let ranges: Vec<MediaRange> = ranges.iter().map(|text| text.parse().unwrap()).collect();
            MediaRange::any_covers(&ranges, content_type.as_bytes())
        };
        assert!(!covers(&["text/css"], "text/html"));
        assert!(covers(&["text/css", "image/*"], "image/bmp"));
        assert!(covers(&["*"], "application/zip") && !covers(&["*"], "text/event-stream"));
        assert!(covers(&["*", "text/event-stream"], "text/event-stream;x=y"));
        assert!(covers(&["*+xml"], "image/svg+xml") && !covers(&["*+xml"], "text/xml"));
        for wrong in ["", "text", "/", "text/", "*/*", "*+", "te*t/html", "text/h*", "a/b;c=d"] {
            assert!(wrong.parse::<MediaRange>().is_err(), "{wrong}");
        }
    }
}
