//! Cookies of requests (RFC 6265 §4.2).

use super::head::RequestHead;
use super::name::Name;

/// Returns the value of the first cookie of this name, as it was sent.
#[must_use]
pub fn cookie<'a>(name: &str, request: &'a RequestHead) -> Option<&'a str> {
    let lines = request.fields().all(Name::Cookie);
    let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut pairs = pairs.map(|(key, value)| (key.trim(), value.trim()));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}
