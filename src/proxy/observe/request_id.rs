//! Identifiers of requests, by which logs of several programs are joined.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Longest identifier that is taken from a proxy in front, in bytes.
const LONGEST: usize = 128;

/// Identifier of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestId {
    /// The one that a trusted proxy in front has given.
    Given(Box<str>),
    /// One of this process: a number of the process, and one of the request.
    Made(u32, u64),
}

impl RequestId {
    /// Reads the value of `X-Request-Id`: visible ASCII characters but quotes and commas, 128 at most.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'\\');
        let is_valid = (1..=LONGEST).contains(&value.len()) && value.iter().all(is_plain);
        let text = std::str::from_utf8(value).ok().filter(|_| is_valid)?;
        Some(Self::Given(text.into()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(text) => f.write_str(text),
            Self::Made(process, number) => write!(f, "{process:08x}{number:016x}"),
        }
    }
}

/// Source of identifiers that no other process has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestIds {
    process: u32,
    next: u64,
}

impl RequestIds {
    /// Creates a source; `secret` differs in each process, and is not disclosed.
    pub(crate) fn new([first, second]: [u64; 2]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(b"request ids");
        Self { process: (hasher.finish() >> 32) as u32, next: 0 }
    }

    /// Makes an identifier.
    pub(crate) const fn make(&mut self) -> RequestId {
        self.next += 1;
        RequestId::Made(self.process, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_processes_and_requests_differ() {
        let [mut one, mut other] = [[1, 2], [1, 3]].map(RequestIds::new);
        let all = [one.make(), one.make(), other.make()].map(|id| id.to_string());
        assert!(all.iter().all(|id| id.len() == 24) && all[0] != all[1] && all[0] != all[2]);
    }

    #[test]
    fn given_identifiers_are_visible_words() {
        let given = |text: &str| RequestId::Given(text.into());
        assert_eq!(RequestId::read(b"4bf92f35-77b3"), Some(given("4bf92f35-77b3")));
        for wrong in [&b""[..], b"a b", b"a\"", b"a,b", b"\xc3\xa4", &[b'x'; LONGEST + 1]] {
            assert_eq!(RequestId::read(wrong), None);
        }
    }
}
