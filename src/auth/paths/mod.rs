//! Protected paths, matched in whatever spelling a client uses.
//!
//! Origins differ in how they read a path: they decode it once or twice, treat `\` as `/`, drop
//! parameters after `;`, ignore case. So a path is read in every known way, and counts as below a
//! prefix if it is in any reading. If two readings lead to different prefixes, the match is
//! ambiguous, because neither is certain.

mod readings;
mod respell;

use std::fmt;
use std::str::FromStr;

use readings::readings;
use respell::normal;

/// Prefix of paths. A prefix that ends in a slash matches the folder itself and everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix {
    text: String,
    /// Prefix in decoded form.
    plain: Vec<u8>,
    folded: Vec<u8>,
}

/// Result of matching a path with prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// No reading is below any prefix.
    Nowhere,
    /// The path is below the prefix with this index.
    Below(usize),
    /// Readings are below different prefixes, or there are too many readings.
    Ambiguous,
}

impl PathPrefix {
    /// Returns the prefix of all paths.
    #[must_use]
    pub fn everything() -> Self {
        Self { text: "/".into(), plain: b"/".into(), folded: b"/".into() }
    }

    /// Returns the prefix as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the prefix matches all paths.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.text == "/"
    }

    /// Returns true if an origin that ignores case treats both prefixes alike.
    #[must_use]
    pub fn is_alike(&self, other: &Self) -> bool {
        folder(&self.folded) == folder(&other.folded)
    }

    fn has(&self, path: &[u8]) -> bool {
        begins(path, &self.plain)
    }

    fn has_folded(&self, path: &[u8]) -> bool {
        begins(path, &self.folded)
    }
}

fn begins(path: &[u8], prefix: &[u8]) -> bool {
    path.starts_with(prefix) || prefix.ends_with(b"/") && path == folder(prefix)
}

fn folder(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

impl FromStr for PathPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("'{}' {what}", text.escape_debug()));
        if !text.starts_with('/') || text.contains(['?', '#']) {
            return wrong("is not a path; write one that begins with '/' and has no '?' or '#'");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("has characters that a URL must percent-encode");
        }
        let plain = normal(text.as_bytes()).unwrap_or_else(|| text.into());
        if readings(&plain).is_none_or(|all| all.len() > 1) {
            let cause = String::from_utf8_lossy(ambiguous_part(&plain)).into_owned();
            return wrong(&format!(
                "can be read in several ways because of '{cause}'; leave that out, or protect the \
                 path before it"
            ));
        }
        Ok(Self { text: text.to_owned(), folded: fold(&plain), plain })
    }
}

/// Returns the first part that origins read in several ways, in a path whose escapes are in normal
/// form. If no such part is known, returns the whole path.
fn ambiguous_part(path: &[u8]) -> &[u8] {
    const ODD: &[&[u8]] = &[b"/..", b"//", b"/.", b"./", b";", b"\\"];
    let at = |from: usize| {
        let rest = &path[from..];
        let escape = || rest.starts_with(b"%").then(|| &rest[..rest.len().min(3)]);
        let last_dot = || (rest == b".").then_some(rest);
        let odd = || ODD.iter().copied().find(|odd| rest.starts_with(odd));
        escape().or_else(odd).or_else(last_dot)
    };
    (0..path.len()).find_map(at).unwrap_or(path)
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the prefix that `path`, without its query, is below. If one reading is below several
/// prefixes, the longest counts.
#[must_use]
pub fn match_path(path: &str, prefixes: &[PathPrefix]) -> PathMatch {
    if let [only] = prefixes
        && only.is_everything()
    {
        return PathMatch::Below(0);
    }
    let path = if path.starts_with('/') { path } else { "/" };
    let Some(readings) = readings(path.as_bytes()) else { return PathMatch::Ambiguous };
    let mut found = None;
    for reading in &readings {
        let folded = fold(reading);
        let strict = longest(prefixes, |prefix| prefix.has(reading));
        let lenient = longest(prefixes, |prefix| prefix.has_folded(&folded));
        for one in [strict, lenient].into_iter().flatten() {
            if found.is_some_and(|other| other != one) {
                return PathMatch::Ambiguous;
            }
            found = Some(one);
        }
    }
    found.map_or(PathMatch::Nowhere, PathMatch::Below)
}

/// Returns true if `path`, without its query, has a segment `..` in any reading (RFC 3986 §6.2.2),
/// or too many readings.
#[must_use]
pub fn climbs(path: &str) -> bool {
    let has_dots = |reading: &Vec<u8>| {
        reading.split(|&byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b"..")
    };
    readings(path.as_bytes()).is_none_or(|all| all.iter().any(has_dots))
}

fn longest(prefixes: &[PathPrefix], has: impl Fn(&PathPrefix) -> bool) -> Option<usize> {
    let those = prefixes.iter().enumerate().filter(|(_, prefix)| has(prefix));
    those.max_by_key(|(_, prefix)| prefix.plain.len()).map(|(i, _)| i)
}

/// Returns the path without differences of case.
fn fold(path: &[u8]) -> Vec<u8> {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    // Characters are folded one by one: the lower case of a sigma depends on whether it ends a
    // word, and a prefix ends anywhere.
    let chars = String::from_utf8_lossy(path);
    let folded = chars.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefixes(texts: &[&str]) -> Vec<PathPrefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn longest_prefix_wins() {
        let prefixes = prefixes(&["/a", "/", "/a/b/", "/caf%C3%A9"]);
        for (path, expected) in [
            ("/", 1),
            ("/b", 1),
            ("/a", 0),
            ("/about", 0),
            ("/a/bc", 0),
            ("/a/b", 2),
            ("/a/b/c", 2),
            ("/a/b/c;x=1?", 2),
            ("/caf%c3%a9/x", 3),
            ("*", 1),
            ("", 1),
        ] {
            assert_eq!(match_path(path, &prefixes), PathMatch::Below(expected), "{path}");
        }
    }

    #[test]
    fn escaped_letters_make_no_other_reading() {
        let prefixes = prefixes(&["/", "/tips"]);
        for path in ["/t%69ps", "/%74ips", "/tip%73/x"] {
            assert_eq!(match_path(path, &prefixes), PathMatch::Below(1), "{path}");
        }
    }

    #[test]
    fn prefixes_that_differ_in_case_can_be_ambiguous() {
        let prefixes = prefixes(&["/a", "/A/b"]);
        assert_eq!(match_path("/A/b", &prefixes), PathMatch::Below(1));
        assert_eq!(match_path("/a/b", &prefixes), PathMatch::Ambiguous);
        assert_eq!(match_path("/a/c", &prefixes), PathMatch::Below(0));
    }

    #[test]
    fn non_ascii_case_is_ignored_wherever_a_prefix_ends() {
        let greek = prefixes(&["/%CE%91%CE%A3"]); // upper case, with a sigma at its end
        for path in
            ["/%CE%91%CE%A3%CE%91", "/%CE%B1%CF%83%CE%B1", "/%CE%B1%CF%82", "/%CE%B1%CF%83/%CE%B1"]
        {
            assert_eq!(match_path(path, &greek), PathMatch::Below(0), "{path}");
        }
        assert_eq!(match_path("/%CE%B1%CE%B1", &greek), PathMatch::Nowhere);
    }

    #[test]
    fn unrelated_paths_match_nowhere() {
        let prefixes = prefixes(&["/admin", "/files/private/"]);
        for path in [
            "/",
            "",
            "*",
            "/files",
            "/files/privately",
            "/x/admin",
            "/a/b;c=d/e%20f//g.",
            "/x%2Fadmin",
            "/%61%62%63",
            "/wiki/Talk:Caf%C3%A9_(bar)",
        ] {
            assert_eq!(match_path(path, &prefixes), PathMatch::Nowhere, "{path}");
        }
    }

    /// Spellings that each lead to `/admin/x` at some origin.
    const TRICKS: &[&str] = &[
        "/admin/x",
        "/ADMIN/x",
        "/%61dmin/x",
        "/%61%64%6D%69%6e/x",
        "/%2561dmin/x",
        "/%252561dmin/x",
        "//admin/x",
        "///admin/x",
        "/%2fadmin/x",
        "/%2f%2Fadmin/x",
        "/./admin/x",
        "/%2e/admin/x",
        "/x/../admin/x",
        "/x/%2e%2e/admin/x",
        "/x/.%2e/admin/x",
        "/x/%252e%252e/admin/x",
        "/x%2f..%2fadmin/x",
        "/x%252f..%252fadmin/x",
        "/x%2fy/%2e%2e/admin/x",
        "/x//../admin/x",
        "/x/y/..//../admin/x",
        "/../admin/x",
        "/../../admin/x",
        "/\\admin/x",
        "\\admin/x",
        "/x\\..\\admin/x",
        "/x%5c..%5cadmin/x",
        "/x/..;/admin/x",
        "/x/..;a=b/admin/x",
        "/x;a/../admin/x",
        "/;/admin/x",
        "/;a=b/admin/x",
        "/x/..%3b/admin/x",
        "/admin;a/x",
        "/admin%3b/x",
        "/admin%00/../../y",
        "/admin%3f/../../y",
        "/admin%23/../../y",
        "/admin;/../../y",
        "/admin%2f../y",
        "/admin/%2e%2e/y",
        "/admin/../y",
        "/x/../admin/%2e%2e/y",
        "/x/.. /admin/x",
        "/x/..%20/admin/x",
        "/x/%c0%ae%c0%ae/admin/x",
        "/x/%c0%ae%c0%ae%c0%afadmin/x",
        "/x/%e0%80%ae./admin/x",
        "/x/%f0%80%80%ae./admin/x",
        "/%c1%a1dmin/x",
        "/%e0%81%a1dmin/x",
        "/%f0%80%81%a1dmin/x",
        "/x%2%66y%2f../admin/x",
        "/%uff0e%uff0e/admin/x",
        "/x/%u002e%u002e/admin/x",
        "/x/%ef%bc%8e%ef%bc%8e%ef%bc%8fadmin/x",
        "/ad%0amin/x",
        "/ad%09min/x",
        "/%00admin/x",
        "/%c4%b1/../adm%c4%b1n/x",
        "/x/..%00/admin/x",
        "/x/..%0d/admin/x",
        "/x/\u{ff0e}\u{ff0e}/admin/x",
        "/x/\u{ff0e}\u{ff0e}\u{ff0f}admin/x",
        "/x\u{ff3c}..\\admin/x",
        "/\u{ff41}dmin/x",
        "/\u{ff21}\u{ff24}\u{ff2d}\u{ff29}\u{ff2e}/x",
        "/x/..\\admin\\x",
    ];

    #[test]
    fn no_spelling_evades_a_prefix() {
        let alone = prefixes(&["/admin"]);
        let beside = prefixes(&["/", "/admin"]);
        let folder = prefixes(&["/", "/admin/"]);
        for path in TRICKS.iter().filter(|path| path.starts_with('/')) {
            assert_ne!(match_path(path, &alone), PathMatch::Nowhere, "{path}");
            assert_ne!(match_path(path, &beside), PathMatch::Below(0), "{path}");
            assert_ne!(match_path(path, &folder), PathMatch::Below(0), "{path}");
        }
    }

    #[test]
    fn every_spelling_of_dot_dot_climbs() {
        for path in [
            "/..",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a%2f..%2fb",
            "/a/..%2fb",
            "/a\\..\\b",
            "/a/..%5cb",
            "/a/..;/b",
            "/a/..;x=y/b",
            "/a/%252e%252e/b",
            "/a/.%00./b",
            "/a/%c0%ae%c0%ae/b",
            "/a/\u{ff0e}\u{ff0e}/b",
            "/a/.. /b",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in
            ["", "/", "/a", "/a/./b", "/a..b/c", "/a/...", "/..a", "/a%2fb;c=d", "/\u{e4}..\u{f6}"]
        {
            assert!(!climbs(path), "{path}");
        }
    }

    #[test]
    fn no_spelling_evades_a_deep_prefix() {
        let deep = prefixes(&["/", "/a/b/"]);
        for path in [
            "/a./b/x",
            "/a%20/b",
            "/a;x/b;y",
            "/a//b",
            "/a%2fb",
            "/a\\b",
            "/a/./b",
            "/A/B/x",
            "/a/b.",
            "/a/b%2e",
            "/a/b%00",
            "/a/%62/",
            "/a/%2562/x",
        ] {
            assert_ne!(match_path(path, &deep), PathMatch::Below(0), "{path}");
        }
    }

    #[test]
    fn more_than_128_readings_are_ambiguous() {
        let prefixes = prefixes(&["/admin"]);
        // Each layer adds one reading to the two of the innermost.
        let path = |layers| ["/%", &"25".repeat(layers), "41"].concat();
        assert_eq!(match_path(&path(126), &prefixes), PathMatch::Nowhere);
        assert_eq!(match_path(&path(127), &prefixes), PathMatch::Ambiguous);
    }

    #[test]
    fn readings_of_more_than_32_kib_are_ambiguous() {
        let prefixes = prefixes(&["/admin"]);
        let path = |length: usize| format!("/:{}", "a".repeat(length - 2)); // has one reading
        assert_eq!(match_path(&path(32_768), &prefixes), PathMatch::Nowhere);
        assert_eq!(match_path(&path(32_769), &prefixes), PathMatch::Ambiguous);
        let plain = "/a-b_c~d.e=f+g".repeat(3_000);
        assert_eq!(
            match_path(&plain, &prefixes),
            PathMatch::Nowhere,
            "a plain path has no other reading"
        );
    }

    #[test]
    fn unbounded_readings_are_ambiguous() {
        let prefixes = prefixes(&["/admin"]);
        let layers = ["/%", &"25".repeat(200), "41"].concat();
        assert_eq!(match_path(&layers, &prefixes), PathMatch::Ambiguous);
        let long = ["/", &"x%2520;y//.%20/%5c%3f".repeat(400)].concat();
        assert_eq!(match_path(&long, &prefixes), PathMatch::Ambiguous);
        assert_eq!(match_path(&long, &[PathPrefix::everything()]), PathMatch::Below(0));
    }

    #[test]
    fn prefixes_must_have_one_reading() {
        for text in ["/", "/a", "/a/", "/a.b/~c", "/caf%C3%A9", "/a:b@c"] {
            let prefix: PathPrefix = text.parse().unwrap();
            assert_eq!((prefix.as_str(), prefix.to_string().as_str()), (text, text));
        }
        for text in [
            "", "a", "/a?b", "/a#b", "/a b", "/é", "//", "/a/../b", "/a/./b", "/a;b", "/a%2Fb",
            "/a%2fb", "/a\\b", "/%2541", "/a.", "/%00", "/a%3f",
        ] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
        for (text, cause) in [
            ("/a%20b", "'%20'"),
            ("/a%2fb", "'%2f'"),
            ("/%61%2541", "'%25'"),
            ("/a//b", "'//'"),
            ("/a/../b", "'/..'"),
            ("/a;b", "';'"),
            ("/a.", "'.'"),
        ] {
            let error = text.parse::<PathPrefix>().unwrap_err();
            assert!(error.contains(&format!("because of {cause};")), "{error}");
        }
        let alike = |a: &str, b: &str| {
            a.parse::<PathPrefix>().unwrap().is_alike(&b.parse::<PathPrefix>().unwrap())
        };
        assert!(alike("/a", "/A/") && alike("/a", "/%61") && !alike("/a", "/b"));
    }

    /// Returns `byte` in a spelling that some origin reads as the byte itself.
    fn spelled(byte: u8, how: u8) -> String {
        match (byte, how % 6) {
            (_, 0) => format!("%{byte:02x}"),
            (_, 1) => format!("%25{byte:02X}"),
            (b'/', 2) => "//".into(),
            (b'/', 3) => "/./".into(),
            (b'/', 4) => "/x/../".into(),
            (b'/', 5) => "\\".into(),
            (_, 2) => char::from(byte).to_ascii_uppercase().into(),
            (_, 3) => format!("%u00{byte:02x}"),
            _ => char::from(byte).into(),
        }
    }

    proptest! {
        #[test]
        fn disguised_paths_never_match_another_prefix(hows in proptest::collection::vec(0u8..12, 7)) {
            let (alone, beside) = (prefixes(&["/admin"]), prefixes(&["/", "/admin"]));
            let pairs = b"/admin/".iter().zip(&hows);
            let spell = |(&byte, &how)| if how < 6 { spelled(byte, how) } else { char::from(byte).into() };
            let path = ["/", &pairs.map(spell).collect::<String>(), "x"].concat();
            prop_assert_ne!(match_path(&path, &alone), PathMatch::Nowhere, "{}", path);
            prop_assert_ne!(match_path(&path, &beside), PathMatch::Below(0), "{}", path);
        }

        #[test]
        fn any_path_can_be_matched(path in "/[a%2fF5cuE0./\\\\;]{0,300}") {
            let _ = match_path(&path, &prefixes(&["/", "/a"]));
        }
    }
}
