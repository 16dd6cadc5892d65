//! Resolution of URI references (RFC 3986 §5).

/// Resolves `reference` against `base`, which is an `http` or `https` URI with an authority, and
/// drops the fragment. Returns `None` for other schemes and for invalid references.
#[must_use]
pub fn resolve(base: &str, reference: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() || !byte.is_ascii();
    if !reference.bytes().all(allowed) {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, authority, path, query) = split(base)?;
    if let Some(end) = scheme_end(reference) {
        let named = &reference[..end];
        let same = named.eq_ignore_ascii_case("http") || named.eq_ignore_ascii_case("https");
        let (_, authority, path, query) = split(reference).filter(|_| same)?;
        return Some(compose(&named.to_ascii_lowercase(), authority, path, query));
    }
    if reference.starts_with("//") {
        let (_, authority, path, query) = split(&[scheme, ":", reference].concat())
            .map(|(s, a, p, q)| (s.to_owned(), a.to_owned(), p.to_owned(), q.map(str::to_owned)))?;
        return Some(compose(scheme, &authority, &path, query.as_deref()));
    }
    let (new_path, new_query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    if new_path.is_empty() {
        return Some(compose(scheme, authority, path, new_query.or(query)));
    }
    let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
    let merged = match new_path.starts_with('/') {
        true => new_path.to_owned(),
        false => [directory, new_path].concat(),
    };
    Some(compose(scheme, authority, &merged, new_query))
}

/// Splits a URI into scheme, authority, path and query.
fn split(uri: &str) -> Option<(&str, &str, &str, Option<&str>)> {
    let (scheme, rest) = uri.split_once("://")?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (!authority.is_empty()).then_some((scheme, authority, path, query))
}

/// Returns the end of the scheme of a reference, if it has one.
fn scheme_end(reference: &str) -> Option<usize> {
    let end = reference.find([':', '/', '?'])?;
    reference[end..].starts_with(':').then_some(end)
}

fn compose(scheme: &str, authority: &str, path: &str, query: Option<&str>) -> String {
    let mut uri = [scheme, "://", &authority.to_ascii_lowercase()].concat();
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    if uri.ends_with(default_port) {
        uri.truncate(uri.len() - default_port.len());
    }
    uri += &without_dots(path);
    if let Some(query) = query {
        uri += "?";
        uri += query;
    }
    uri
}

/// Returns the path with a slash at its start, and without `.` and `..` segments (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => _ = kept.pop(),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push("");
        }
    }
    ["/", &kept.join("/")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_in_rfc_3986_5_4() {
        let base = "http://a/b/c/d;p?q";
        for (reference, target) in [
            ("http:g", None), // without an authority
            ("g:h", None),
            ("g", Some("http://a/b/c/g")),
            ("./g", Some("http://a/b/c/g")),
            ("g/", Some("http://a/b/c/g/")),
            ("/g", Some("http://a/g")),
            ("//g", Some("http://g/")),
            ("?y", Some("http://a/b/c/d;p?y")),
            ("g?y", Some("http://a/b/c/g?y")),
            ("#s", Some("http://a/b/c/d;p?q")),
            ("g?y#s", Some("http://a/b/c/g?y")),
            (";x", Some("http://a/b/c/;x")),
            ("", Some("http://a/b/c/d;p?q")),
            (".", Some("http://a/b/c/")),
            ("..", Some("http://a/b/")),
            ("../g", Some("http://a/b/g")),
            ("../../../g", Some("http://a/g")),
            ("/./g", Some("http://a/g")),
            ("g/../h", Some("http://a/b/c/h")),
            ("g;x=1/../y", Some("http://a/b/c/y")),
            ("g?y/../x", Some("http://a/b/c/g?y/../x")),
        ] {
            assert_eq!(resolve(base, reference).as_deref(), target, "{reference}");
        }
    }

    #[test]
    fn authorities_are_normalized() {
        assert_eq!(resolve("http://a", "HTTPS://B:443").as_deref(), Some("https://b/"));
        assert_eq!(resolve("http://a", "x").as_deref(), Some("http://a/x"));
        assert_eq!(resolve("http://a:81/", "http://A:81/x").as_deref(), Some("http://a:81/x"));
        assert_eq!(
            resolve("http://a/\u{e4}/b", "\u{f6}").as_deref(),
            Some("http://a/\u{e4}/\u{f6}")
        );
        assert_eq!(resolve("http://a/", "x y"), None);
        assert_eq!(resolve("http://a/", "///x"), None);
    }
}
