//! Cookies of requests (RFC 6265 §4.2).

use super::head::RequestHead;
use super::name::Name;

/// Returns the value of the first cookie of this name, as it was sent. A cookie without `=` has the empty
/// value.
#[must_use]
pub fn cookie<'a>(name: &str, request: &'a RequestHead) -> Option<&'a [u8]> {
    let lines = request.fields().all(Name::Cookie);
    let pairs = lines.flat_map(|line| line.split(|&byte| byte == b';'));
    let mut pairs = pairs.map(|pair| {
        let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let (name, value) = (&pair[..end], pair.get(end + 1..).unwrap_or_default());
        (name.trim_ascii(), value.trim_ascii())
    });
    pairs.find_map(|(key, value)| (key == name.as_bytes()).then_some(value))
}
