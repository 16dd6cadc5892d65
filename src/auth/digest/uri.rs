//! Match of credentials with the request that carries them.

/// Returns true if the Digest parameter `uri` identifies `target` (RFC 7616 §3.4.6): it is the
/// same, or the path and query of an absolute target, because clients sign what the origin will
/// see.
pub(super) fn means(uri: &str, target: &str) -> bool {
    uri == target || is_path_of(uri, target)
}

fn is_path_of(uri: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let Some((_, rest)) = target.split_once("://") else { return false };
    let path = rest.find(['/', '?']).map_or("", |start| &rest[start..]);
    match uri.strip_prefix('/') {
        Some(without_slash) => uri == path || (!path.starts_with('/') && without_slash == path),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::means;

    #[test]
    fn uri_matches_the_target_or_its_path() {
        for (uri, target) in [
            ("/a?b", "/a?b"),
            ("*", "*"),
            ("host:443", "host:443"),
            ("http://h/a", "http://h/a"),
            ("/a?b=://c", "http://h/a?b=://c"),
            ("/", "http://h"),
            ("/", "http://h/"),
            ("/?q", "http://h?q"),
        ] {
            assert!(means(uri, target), "{uri} {target}");
        }
    }

    #[test]
    fn uri_matches_nothing_else() {
        for (uri, target) in [
            ("/a", "/b"),
            ("/a", "/a?b"),
            ("", "http://h"),
            ("a", "http://h/a"),
            ("/q", "http://h?q"),
            ("//a", "http://h/a"),
            ("/c", "/a?b=://h/c"),
            ("/", "host:443"),
            ("http://h/a", "/a"),
            ("http://other/a", "http://h/a"),
        ] {
            assert!(!means(uri, target), "{uri} {target}");
        }
    }
}
