//! `Refresh`, as the HTML standard defines it (§4.2.4.1, "shared declarative refresh steps").

use std::ops::Range;

use crate::work;

use super::Mapping;

const QUOTES: [char; 2] = ['"', '\''];

impl Mapping<'_> {
    /// Returns a delay with a URL that is mapped as a location is.
    #[must_use]
    pub fn refresh(&self, value: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(value).ok()?;
        work::count(text.len());
        let target = target(text)?;
        let mapped = self.reference(&text[target.clone()])?;
        let quote = text[..target.start].chars().next_back().filter(|c| QUOTES.contains(c));
        if quote.is_some_and(|quote| mapped.has(quote)) {
            return None; // the quote would end the URL
        }
        let mut out = Vec::with_capacity(value.len() + mapped.len());
        out.extend_from_slice(&value[..target.start]);
        mapped.push_to(&mut out);
        out.extend_from_slice(&value[target.end..]);
        Some(out)
    }
}

/// Returns the range of the URL. `url=` and quotes are optional.
fn target(text: &str) -> Option<Range<usize>> {
    let digits = blanks_skipped(text);
    let after = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if after.len() == digits.len() {
        return None;
    }
    let rest = blanks_skipped(after);
    let rest = match rest.strip_prefix([';', ',']) {
        Some(rest) => blanks_skipped(rest),
        None if rest.len() < after.len() => rest,
        None => return None,
    };
    let rest = without_name(rest).unwrap_or(rest);
    let quote = rest.chars().next().filter(|c| QUOTES.contains(c));
    let rest = &rest[quote.map_or(0, char::len_utf8)..];
    let length = quote.and_then(|quote| rest.find(quote)).unwrap_or(rest.len());
    let start = text.len() - rest.len();
    Some(start..start + length)
}

/// Returns the text after `url=`.
fn without_name(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked("url".len())?;
    let rest = blanks_skipped(rest).strip_prefix('=')?;
    name.eq_ignore_ascii_case("url").then(|| blanks_skipped(rest))
}

fn blanks_skipped(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mapping::text;

    fn mapped(value: &str) -> Option<String> {
        text(Mapping::example("/base", "/app").refresh(value.as_bytes()))
    }

    #[test]
    fn urls_after_a_delay_are_mapped() {
        for (value, expected) in [
            ("5; url=/base/y", "5; url=/app/y"),
            ("5;URL=http://app.test:81/base/y?a=b;c", "5;URL=/app/y?a=b;c"),
            (" 0.5 , Url = '/base/y' x", " 0.5 , Url = '/app/y' x"),
            ("0 url=\"/base/y's\"", "0 url=\"/app/y's\""),
            ("0;url='/base/y", "0;url='/app/y"),
            (".;/base/y", ".;/app/y"),
            ("5 '/base/'", "5 '/app/'"),
        ] {
            assert_eq!(mapped(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn other_urls_and_malformed_values_are_kept() {
        for value in [
            "",
            "5",
            "5;",
            "5; url=",
            "5; url=y",
            "5; url=/y",
            "5; url=http://other.test/base/y",
            "5; url /base/y",
            "5; ur\u{e4}=/base/y",
            "5; url=\"'/base/y'\"",
            "url=/base/y",
            "/base/y",
            "5x; url=/base/y",
            "5/base/y",
            ";url=/base/y",
        ] {
            assert_eq!(mapped(value), None, "{value}");
        }
        let quoted = Mapping::example("", "/it's");
        assert_eq!(quoted.refresh(b"5; url='/y'"), None);
        assert_eq!(text(quoted.refresh(b"5; url=/y")).as_deref(), Some("5; url=/it's/y"));
    }
}
