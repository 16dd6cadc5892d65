//! Patterns for the paths of requests, as routes of sites are written.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::http::percent::normal_escapes;
use crate::work;

/// A pattern for paths, without queries.
///
/// * `/api` matches `/api` and all paths below it (`/api/x`); `/api/` matches those below it alone.
/// * `=/api` matches `/api` alone.
/// * A pattern with `*` matches whole paths: `*` stands for any characters but `/`, `**` for any
///   characters. One that does not begin with `/` matches at any depth: `*.php`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: Box<str>,
    pub(super) kind: PatternKind,
}

/// The paths that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternKind {
    /// This path alone.
    Exact(Box<str>),
    /// This path, and all below it. A path that ends in `/` matches those below it alone.
    Prefix(Box<str>),
    /// Whole paths by wildcards.
    Glob(Box<[GlobPart]>),
}

/// A part of a pattern with wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GlobPart {
    Byte(u8),
    /// `*`: any characters but `/`.
    Segment,
    /// `**`: any characters.
    Anything,
}

impl PathPattern {
    /// Returns the pattern of all paths.
    #[must_use]
    pub fn everything() -> Self {
        Self { text: "/".into(), kind: PatternKind::Prefix("/".into()) }
    }

    /// Returns the prefix that all paths of the pattern have in common and that a route may replace:
    /// without a slash at the end. `None` for an exact path and for wildcards.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        match &self.kind {
            PatternKind::Prefix(path) => Some(path.trim_end_matches('/')),
            PatternKind::Exact(_) | PatternKind::Glob(_) => None,
        }
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("'{}' {what}", text.escape_debug()));
        if is_regular_expression(text) {
            let meant = meant(text).filter(|meant| meant.parse::<Self>().is_ok());
            let help = match meant {
                Some(meant) => format!("did you mean '{meant}'?"),
                None => "patterns are such as '*.php', '=/x' or '/api/'".to_owned(),
            };
            return wrong(&format!("is not a pattern: there are no regular expressions; {help}"));
        }
        let (is_exact, path) = match text.strip_prefix('=') {
            Some(path) => (true, path),
            None => (false, text),
        };
        if path.contains(['?', '#']) || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("is not a path; percent-encode it, without query and fragment");
        }
        let has_wildcard = path.contains('*');
        if !path.starts_with('/') && (is_exact || !has_wildcard) {
            return wrong("is not a path that begins with '/', nor a pattern such as '*.php'");
        }
        if is_exact && has_wildcard {
            return wrong("has '*' behind '='; an exact path has no wildcard");
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return wrong("has a segment '.' or '..', which no request that is served has");
        }
        let plain = normalized(path);
        let kind = match (is_exact, has_wildcard) {
            (true, _) => PatternKind::Exact(plain.into()),
            (false, true) => PatternKind::Glob(parts(&plain)),
            (false, false) => PatternKind::Prefix(plain.into()),
        };
        Ok(Self { text: text.into(), kind })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns true if `text` is a regular expression, or an exact path, as nginx and others write them. An
/// exact path may have the characters that are valid in paths.
fn is_regular_expression(text: &str) -> bool {
    let is_exact = text.starts_with("=/");
    let valid_in_paths = text.contains(['$', '(', ')', '+']) && !is_exact;
    valid_in_paths
        || text.starts_with(['~', '^'])
        || text.starts_with("= ")
        || text.contains(['\\', '^', '|'])
}

/// Returns the pattern for a regular expression of a simple form.
fn meant(text: &str) -> Option<String> {
    if let Some(path) = text.strip_prefix("= ") {
        return Some(format!("={}", path.trim()));
    }
    let expression = text.trim_start_matches(['^', '~', '*', ' ']);
    if let Some(end) = expression.strip_prefix("\\.") {
        let end =
            end.strip_suffix('$').filter(|end| end.bytes().all(|b| b.is_ascii_alphanumeric()));
        return end.map(|end| format!("*.{end}"));
    }
    let special = |c: char| !c.is_ascii_alphanumeric() && !"/-_%~".contains(c);
    let literal = &expression[..expression.find(special).unwrap_or(expression.len())];
    literal.starts_with('/').then(|| literal.to_owned())
}

/// Returns the parts of a pattern with wildcards.
fn parts(pattern: &str) -> Box<[GlobPart]> {
    let anywhere: &[GlobPart] = match pattern.starts_with('/') {
        true => &[],
        false => &[GlobPart::Byte(b'/'), GlobPart::Anything],
    };
    let mut parts = anywhere.to_vec();
    for byte in pattern.bytes() {
        match (byte, parts.last()) {
            (b'*', Some(GlobPart::Segment)) => {
                parts.pop();
                parts.push(GlobPart::Anything);
            }
            (b'*', Some(GlobPart::Anything)) => {}
            (b'*', _) => parts.push(GlobPart::Segment),
            _ => parts.push(GlobPart::Byte(byte)),
        }
    }
    parts.into()
}

/// Returns true if `parts` match the whole of `path`. Takes at most as many steps as the product of
/// their lengths.
pub(super) fn glob_matches(parts: &[GlobPart], path: &str) -> bool {
    // Numbers of parts that the path up to here may have matched.
    let mut matched = vec![false; parts.len() + 1];
    matched[0] = true;
    skip_wildcards(parts, &mut matched);
    for byte in path.bytes() {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|&(at, _)| matched[at]) {
            match part {
                GlobPart::Byte(literal) if *literal == byte => next[at + 1] = true,
                GlobPart::Segment if byte != b'/' => next[at] = true,
                GlobPart::Anything => next[at] = true,
                GlobPart::Byte(_) | GlobPart::Segment => {}
            }
        }
        skip_wildcards(parts, &mut next);
        work::count(parts.len());
        matched = next;
    }
    matched[parts.len()]
}

/// Marks what follows a wildcard that is reached: it may stand for nothing.
fn skip_wildcards(parts: &[GlobPart], matched: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if matched[at] && !matches!(part, GlobPart::Byte(_)) {
            matched[at + 1] = true;
        }
    }
}

/// Returns the path by which routes are found: its percent-encodings are in their normal form, and there
/// are no empty segments and no segments `.`. Most origins serve the same for all these paths.
pub(crate) fn normalized(path: &str) -> Cow<'_, str> {
    let path = normal_escapes(path);
    if !path.contains("//") && !path.contains("/.") {
        return path;
    }
    let mut plain = String::with_capacity(path.len());
    for segment in path.split_inclusive('/') {
        let is_root = plain.is_empty();
        if is_root || !matches!(segment, "/" | "./" | ".") {
            plain.push_str(segment);
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern: PathPattern = pattern.parse().unwrap();
        match &pattern.kind {
            PatternKind::Glob(parts) => glob_matches(parts, path),
            PatternKind::Exact(exact) => **exact == *path,
            PatternKind::Prefix(_) => unreachable!("prefixes are found by look-ups"),
        }
    }

    #[test]
    fn wildcards_match_within_a_segment_or_across_segments() {
        for (pattern, meant, others) in [
            ("*.php", &["/a.php", "/x/y/a.php", "/.php"][..], &["/a.php/x", "/a.phpx"][..]),
            ("/static/*.css", &["/static/a.css"], &["/static/x/a.css", "/a/static/a.css"]),
            ("/u/*/avatar", &["/u/1/avatar"], &["/u/avatar", "/u/1/2/avatar"]),
            ("/a/**/z", &["/a/b/z", "/a/b/c/z"], &["/a/z/x", "/az"]),
            ("/a**", &["/a", "/ab/c"], &["/b"]),
            ("=/a", &["/a"], &["/a/", "/"]),
        ] {
            for path in meant {
                assert!(matches(pattern, path), "{pattern} matches {path}");
            }
            for path in others {
                assert!(!matches(pattern, path), "{pattern} does not match {path}");
            }
        }
    }

    #[test]
    fn hostile_paths_take_time_in_proportion_to_their_length() {
        let pattern: PathPattern = "/*a*a*a*a*a*b".parse().unwrap();
        let PatternKind::Glob(parts) = &pattern.kind else { unreachable!("it has wildcards") };
        let before = work::counted();
        assert!(!glob_matches(parts, &format!("/{}", "a".repeat(8000))));
        assert!(work::counted() - before <= 8001 * parts.len() as u64);
    }

    #[test]
    fn spellings_of_a_path_are_one() {
        for (path, plain) in [
            ("/%61pi/%7Ex", "/api/~x"),
            ("/a%2Fb%20c%", "/a%2Fb%20c%"),
            ("/%4g%4", "/%4g%4"),
            ("/%c3%BC", "/%C3%BC"),
            ("/%%34B%4%42%42", "/%%34B%4%42B"),
            ("/\u{e4}%61", "/\u{e4}a"),
            ("//a///b//", "/a/b/"),
            ("/./a/%2e/b/.", "/a/b/"),
            ("/.a/..b/c.", "/.a/..b/c."),
            ("/a/../b", "/a/../b"),
        ] {
            assert_eq!(normalized(path), plain);
        }
    }

    #[test]
    fn wrong_patterns_are_rejected_with_the_reason() {
        for (text, why) in [
            ("", "begins with '/'"),
            ("api", "begins with '/'"),
            ("=api", "begins with '/'"),
            ("=/a*", "no wildcard"),
            ("/a/../b", "'..'"),
            ("/a?b", "without query"),
            ("/a b", "percent-encode"),
            (r"~ \.php$", "did you mean '*.php'?"),
            (r"~* \.(png|jpg)$", "there are no regular expressions; patterns are such as"),
            ("= /x", "did you mean '=/x'?"),
            ("^/api/(.*)", "did you mean '/api/'?"),
            ("^~ /static/", "did you mean '/static/'?"),
            ("/a|/b", "did you mean '/a'?"),
            ("/x.+", "no regular expressions"),
        ] {
            let error = text.parse::<PathPattern>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
    #[test]
    fn exact_paths_may_have_all_characters_of_paths() {
        for text in ["=/wiki/Rust_(language)", "=/c++", "=/$x"] {
            assert!(matches(text, &text[1..]), "{text}");
        }
        assert!("=/a|b".parse::<PathPattern>().is_err(), "no path has this");
    }
}
