//! Media types by the end of a file's name.

use std::borrow::Cow;
use std::path::Path;

/// Media type of files of which nothing is known: browsers save such content.
const UNKNOWN: &str = "application/octet-stream";

/// Returns the media type of a file, with `charset=utf-8` if it is a text (RFC 9110 §8.3).
#[must_use]
pub fn media_type(path: &Path) -> Cow<'static, str> {
    let Some(known) = mime_guess::from_path(path).first_raw() else { return UNKNOWN.into() };
    let known = match known {
        "application/javascript" => "text/javascript", // RFC 9239
        known => known,
    };
    let is_text =
        known.starts_with("text/") || matches!(known, "application/xml" | "image/svg+xml");
    match is_text {
        true => format!("{known}; charset=utf-8").into(),
        false => known.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_end_of_the_name() {
        for (name, expected) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("x.css", "text/css; charset=utf-8"),
            ("x.min.JS", "text/javascript; charset=utf-8"),
            ("x.mjs", "text/javascript; charset=utf-8"),
            ("x.json", "application/json"),
            ("x.svg", "image/svg+xml; charset=utf-8"),
            ("x.png", "image/png"),
            ("x.webp", "image/webp"),
            ("x.avif", "image/avif"),
            ("x.woff2", "font/woff2"),
            ("x.mp4", "video/mp4"),
            ("x.pdf", "application/pdf"),
            ("x.wasm", "application/wasm"),
            ("x.tar.gz", "application/gzip"),
            ("Makefile", UNKNOWN),
            ("x.unheard-of", UNKNOWN),
        ] {
            assert_eq!(media_type(Path::new(name)), expected, "{name}");
        }
    }
}
