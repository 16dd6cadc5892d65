//! Protected paths: a path that an origin may take for a protected one is never taken for another.

use tidegate::auth::{PathMatch, PathPrefix, match_path};

/// Checks any bytes as a path, as several origins interpret it.
pub fn rules(path: &[u8]) {
    let Ok(path) = std::str::from_utf8(path) else { return };
    if path.contains('?') || !path.starts_with('/') {
        return;
    }
    let prefix = |text: &str| -> PathPrefix { text.parse().expect("a prefix") };
    let alone = match_path(path, &[prefix("/admin")]);
    let beside = match_path(path, &[prefix("/"), prefix("/admin")]);
    match alone {
        PathMatch::Nowhere => assert_eq!(beside, PathMatch::Below(0)),
        PathMatch::Below(_) | PathMatch::Ambiguous => assert_ne!(beside, PathMatch::Below(0)),
    }
    for (name, read) in ORIGINS {
        let read = read(path.as_bytes().to_vec());
        assert!(
            !read.starts_with(b"/admin") || alone != PathMatch::Nowhere,
            "{name} reads {path} as {}",
            read.escape_ascii()
        );
    }
}

type Read = fn(Vec<u8>) -> Vec<u8>;

/// Ways in which origins interpret a path.
const ORIGINS: [(&str, Read); 9] = [
    ("an origin that leaves it as it is", |path| path),
    ("an origin that resolves, then decodes", |path| decode(&resolve(&path))),
    ("an origin that decodes, then resolves", |path| resolve(&decode(&path))),
    ("an origin that decodes twice", |path| resolve(&decode(&decode(&path)))),
    ("an origin that merges slashes", |path| resolve(&merge(&decode(&merge(&path))))),
    ("an origin with parameters", |path| resolve(&decode(&parameters(&path)))),
    ("an origin with parameters that decodes first", |path| resolve(&parameters(&decode(&path)))),
    ("an origin of another system", |path| resolve(&slashes(&decode(&path))).to_ascii_lowercase()),
    ("an origin that decodes names", |path| {
        let names = path.split(|&byte| byte == b'/').map(decode);
        let mut out: Vec<Vec<u8>> = Vec::new();
        for name in names.skip(1) {
            match name.as_slice() {
                b"." => {}
                b".." => drop(out.pop()),
                _ => out.push(name),
            }
        }
        [b"/", out.join(&b'/').as_slice()].concat()
    }),
];

fn decode(path: &[u8]) -> Vec<u8> {
    let digit = |at: usize| path.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (mut out, mut at) = (Vec::new(), 0);
    while at < path.len() {
        match (path[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.extend(u8::try_from(high << 4 | low));
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn resolve(path: &[u8]) -> Vec<u8> {
    let text: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let mut out: Vec<&[u8]> = Vec::new();
    for (at, segment) in text.iter().enumerate().skip(1) {
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    out.pop();
                }
                if at + 1 == text.len() {
                    out.push(b"");
                }
            }
            segment => out.push(segment),
        }
    }
    [b"/", out.join(&b'/').as_slice()].concat()
}

fn merge(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|a, b| (*a, *b) == (b'/', b'/'));
    out
}

fn parameters(path: &[u8]) -> Vec<u8> {
    let mut within = false;
    let kept = path.iter().filter(|&&byte| {
        within = byte == b';' || within && byte != b'/';
        !within
    });
    kept.copied().collect()
}

fn slashes(path: &[u8]) -> Vec<u8> {
    path.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect()
}
