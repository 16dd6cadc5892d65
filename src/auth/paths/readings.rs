//! Readings of a path.

use std::collections::BTreeSet;

use super::respell::{RESPELLINGS, normal};

/// Most readings of one path. A path with more was made to be misread.
const MOST: usize = 128;
/// Most bytes processed for one path, so that no client can keep the proxy busy with it.
const MOST_BYTES: usize = 32 * 1024;

/// Returns the readings of `path`: the path with its escapes in normal form, and every result of
/// applying the respellings to a reading, in any order. Returns `None` if there are too many.
pub(super) fn readings(path: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = vec![normal(path).unwrap_or_else(|| path.to_owned())];
    // Decoding what follows a bare percent sign may turn the sign into an escape that it was not,
    // so the original is a reading as well.
    if has_bare_percent(path) {
        found.push(path.to_owned());
    } else if is_plain(&found[0]) {
        return Some(found);
    }
    let mut known: BTreeSet<Vec<u8>> = found.iter().cloned().collect();
    let (mut next, mut bytes) = (0, 0);
    while next < found.len() {
        bytes += found[next].len();
        if found.len() > MOST || bytes > MOST_BYTES {
            return None;
        }
        for respell in RESPELLINGS {
            if let Some(other) = respell(&found[next])
                && known.insert(other.clone())
            {
                found.push(other);
            }
        }
        next += 1;
    }
    Some(found)
}

/// Returns true if a percent sign does not begin an escape.
fn has_bare_percent(path: &[u8]) -> bool {
    let is_digit = |at: usize| path.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut percents = path.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.any(|(at, _)| !is_digit(at + 1) || !is_digit(at + 2))
}

/// Returns true if there is only one reading, as for most paths.
fn is_plain(path: &[u8]) -> bool {
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'/' | b'-' | b'_' | b'~' | b'.' | b'=' | b'+')
    };
    let odd = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.'] | [b'.', b'/']);
    path.iter().all(plain) && !path.windows(2).any(odd) && !path.ends_with(b".")
}
