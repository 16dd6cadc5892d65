//! Response fields of an origin, as clients of a reverse proxy see them.

use tidegate::http::{Mapping, Scheme, reference};

/// Prefixes at the origin and at the proxy.
const PREFIXES: [(&str, &str); 5] =
    [("", ""), ("/base", ""), ("", "/app"), ("/base", "/app"), ("/a", "/a/b;c")];

/// Checks any bytes as the value of each field.
pub fn rules(value: &[u8]) {
    for (origin_prefix, public_prefix) in PREFIXES {
        let mapping = Mapping {
            origin_scheme: Scheme::Http,
            origin_authority: "o.test:81",
            origin_prefix,
            public_scheme: Scheme::Https,
            public_authority: "w.test",
            host_field: "i.test",
            public_prefix,
        };
        check_location(&mapping, value);
        check_link(&mapping, value);
        check_refresh(&mapping, value);
        check_cookie(&mapping, value);
    }
}

/// A mapped location is a path below the public prefix, and never names a host.
fn check_location(mapping: &Mapping<'_>, value: &[u8]) {
    let Some(mapped) = mapping.location(value) else { return };
    check_bytes(mapping, value, &mapped, 1);
    let text = std::str::from_utf8(&mapped).expect("text of text");
    check_path(mapping, text);
}

fn check_path(mapping: &Mapping<'_>, path: &str) {
    let as_read: String = path.chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    assert!(as_read.starts_with('/') && !as_read.starts_with("//"), "{as_read}");
    assert!(!as_read.starts_with("/\\"), "{as_read}");
    // Browsers decode dots, and take a backslash for a slash.
    let end = as_read.find(['?', '#']).unwrap_or(as_read.len());
    let plain = as_read[..end].replace('\\', "/").replace("%2e", ".").replace("%2E", ".");
    if let Some(url) = reference::resolve("http://w.test/", &plain) {
        let path = url.strip_prefix("http://w.test").expect("the same host");
        let below = path.strip_prefix(mapping.public_prefix);
        let is_below = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        assert!(is_below, "{path} is not below {}", mapping.public_prefix);
    }
}

/// Only the targets of links change.
fn check_link(mapping: &Mapping<'_>, value: &[u8]) {
    let Some(mapped) = mapping.link(value) else { return };
    let links = value.iter().filter(|&&byte| byte == b'<').count();
    check_bytes(mapping, value, &mapped, links);
    assert_eq!(outside(value), outside(&mapped));
}

/// The bytes outside of angle brackets.
fn outside(links: &[u8]) -> Vec<u8> {
    let mut is_inside = false;
    let mut kept = links.to_vec();
    kept.retain(|byte| {
        is_inside = (is_inside || *byte == b'<') && *byte != b'>';
        !is_inside
    });
    kept
}

fn check_refresh(mapping: &Mapping<'_>, value: &[u8]) {
    let Some(mapped) = mapping.refresh(value) else { return };
    check_bytes(mapping, value, &mapped, 1);
    assert!(mapped.contains(&b'/'));
}

/// Attributes but `Domain` and `Path` are kept, and no attribute is added.
fn check_cookie(mapping: &Mapping<'_>, value: &[u8]) {
    let Some(mapped) = mapping.set_cookie(value) else { return };
    let paths = value.iter().filter(|&&byte| byte == b';').count();
    check_bytes(mapping, value, &mapped, paths);
    let (received, sent) = (others(value), others(&mapped));
    assert_eq!(received, sent);
    assert!(!value.trim_ascii_start().to_ascii_lowercase().starts_with(b"__host-"));
}

fn others(cookie: &[u8]) -> Vec<&[u8]> {
    let parts = cookie.split(|&byte| byte == b';').enumerate();
    let is_other = |part: &[u8]| {
        let name = part.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
        !name.eq_ignore_ascii_case(b"Domain") && !name.eq_ignore_ascii_case(b"Path")
    };
    parts.filter(|(at, part)| *at == 0 || is_other(part)).map(|(_, part)| part).collect()
}

/// A mapped value differs, has no line end that the origin did not send, and is not much longer.
fn check_bytes(mapping: &Mapping<'_>, value: &[u8], mapped: &[u8], parts: usize) {
    assert_ne!(value, mapped);
    for control in *b"\r\n\0" {
        let count = |text: &[u8]| text.iter().filter(|&&byte| byte == control).count();
        assert!(count(mapped) <= count(value));
    }
    assert!(mapped.len() <= value.len() + parts * (mapping.public_prefix.len() + 2));
}
