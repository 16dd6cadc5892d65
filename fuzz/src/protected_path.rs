//! Protected paths: whatever an origin may take for one is not taken for another here.

use tidegate::auth::{PathMatch, PathPrefix, match_path};

/// Any bytes as a path, as several origins read it.
pub fn rules(path: &[u8]) {
    let Ok(path) = std::str::from_utf8(path) else { return };
    if path.contains('?') || !path.starts_with('/') {
        return;
    }
    let prefix = |text: &str| -> PathPrefix { text.parse().expect("it is a prefix") };
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

/// How some origins read a path.
const ORIGINS: [(&str, Read); 9] = [
    ("one that leaves it as it is", |path| path),
    ("one that resolves, then decodes", |path| decode(&resolve(&path))),
    ("one that decodes, then resolves", |path| resolve(&decode(&path))),
    ("one that decodes twice", |path| resolve(&decode(&decode(&path)))),
    ("one that merges slashes", |path| resolve(&merge(&decode(&merge(&path))))),
    ("one with parameters", |path| resolve(&decode(&parameters(&path)))),
    ("one with parameters that decodes first", |path| resolve(&parameters(&decode(&path)))),
    ("one of another system", |path| resolve(&slashes(&decode(&path))).to_ascii_lowercase()),
    ("one that decodes names", |path| {
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
