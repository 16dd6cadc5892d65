//! Domain names in wire format: labels with their lengths, at most 255 octets.

use std::fmt;

use super::random::Random;

/// Longest name, with the lengths of its labels and the root (RFC 1035 §2.3.4).
pub(super) const LONGEST: usize = 255;
/// Longest label.
pub(super) const LONGEST_LABEL: usize = 63;

/// Domain name (RFC 1035 §3.1). Comparison ignores the case of ASCII letters (RFC 4343).
#[derive(Clone)]
pub struct Name(Vec<u8>);

/// Error for a text that is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host name")
    }
}

impl std::error::Error for NotAName {}

/// Returns true if `text` is a host name that fits a message: labels separated by dots, each of 1
/// to 63 letters, digits, `-` and `_`. A trailing dot is ignored.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label =
        |label: &str| (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(plain);
    text.len() + 2 <= LONGEST && text.split('.').all(label)
}

impl Name {
    /// Parses a host name; see [`is_host_name`].
    ///
    /// # Errors
    /// If `text` is not a host name.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        if !is_host_name(text) {
            return Err(NotAName);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split('.') {
            wire.push(u8::try_from(label.len()).map_err(|_| NotAName)?);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        Ok(Self(wire))
    }

    /// Returns the name with `domain` appended, or `None` if that is too long.
    #[must_use]
    pub fn within(&self, domain: &Self) -> Option<Self> {
        let own = &self.0[..self.0.len() - 1];
        let wire = [own, &domain.0].concat();
        (wire.len() <= LONGEST).then_some(Self(wire))
    }

    /// Returns the name of valid wire format: labels with their lengths, then the root.
    pub(super) const fn from_wire(wire: Vec<u8>) -> Self {
        Self(wire)
    }

    /// Returns the name in wire format, without compression.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if both names have the same letters in the same case.
    #[must_use]
    pub fn is_spelled_like(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Returns the same name with each letter in random case. An answer must repeat the spelling,
    /// which a forger who cannot see the query does not know (draft-vixie-dnsext-dns0x20).
    #[must_use]
    pub fn in_any_case(&self, random: &mut Random) -> Self {
        let mut wire = self.0.clone();
        let (mut bits, mut left) = (0, 0);
        for byte in wire.iter_mut().filter(|byte| byte.is_ascii_alphabetic()) {
            if left == 0 {
                (bits, left) = (random.bits(), u32::BITS);
            }
            if bits & 1 == 1 {
                *byte ^= 0x20;
            }
            (bits, left) = (bits >> 1, left - 1);
        }
        Self(wire)
    }

    /// Returns true if the name is `domain`, or below it.
    #[must_use]
    pub fn is_within(&self, domain: &Self) -> bool {
        let mut rest = self.0.as_slice();
        loop {
            if rest.eq_ignore_ascii_case(&domain.0) {
                return true;
            }
            match rest {
                [] | [0, ..] => return false,
                [length, tail @ ..] => rest = tail.get(usize::from(*length)..).unwrap_or(&[]),
            }
        }
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (&length, tail) = rest.split_first().filter(|&(&length, _)| length > 0)?;
            let (label, tail) = tail.split_at_checked(usize::from(length))?;
            rest = tail;
            Some(label)
        })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0) // lengths of labels are below every letter
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, label) in self.labels().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            write!(f, "{dot}{}", label.escape_ascii())?;
        }
        if self.0.len() == 1 { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_are_parsed_into_labels() {
        assert_eq!(name("a.example").wire(), b"\x01a\x07example\0");
        assert_eq!(name("_x-1.example.").to_string(), "_x-1.example");
        let label = "a".repeat(63);
        let longest = [label.as_str(); 4].join(".");
        assert!(Name::parse(&longest[..253]).is_ok(), "255 octets on the wire");
        for text in ["", ".", "a..b", ".a", "a b", "a/b", "\u{e4}.test", "*.test", &longest] {
            assert_eq!(Name::parse(text), Err(NotAName), "{text}");
        }
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NotAName));
        assert_eq!(NotAName.to_string(), "not a host name");
    }

    #[test]
    fn case_changes_the_spelling_but_not_the_name() {
        assert_eq!(name("A.Example"), name("a.eXample"));
        assert!(!name("A.Example").is_spelled_like(&name("a.example")));
        let mut random = Random::new([1; 32]);
        let plain = name("a-long-name-with-many-letters.example");
        let spelled = plain.in_any_case(&mut random);
        assert_eq!(spelled, plain);
        assert!(!spelled.is_spelled_like(&plain));
        assert!(!spelled.is_spelled_like(&plain.in_any_case(&mut random)));
    }

    #[test]
    fn each_letter_of_the_longest_name_gets_either_case() {
        let (mut random, plain) = (Random::new([1; 32]), full_length());
        let spelled: Vec<Name> = (0..64).map(|_| plain.in_any_case(&mut random)).collect();
        for (at, byte) in plain.wire().iter().enumerate().filter(|(_, b)| b.is_ascii_alphabetic()) {
            let kept = spelled.iter().filter(|name| name.wire()[at] == *byte).count();
            assert!((1..64).contains(&kept), "unchanged {kept} of 64 times at {at}");
        }
    }

    #[test]
    fn names_are_within_their_domains() {
        let full = name("a.b.example");
        for domain in ["a.b.example", "B.example", "example"] {
            assert!(full.is_within(&name(domain)), "{domain}");
        }
        for other in ["b.a.example", "xample", "c.a.b.example"] {
            assert!(!full.is_within(&name(other)), "{other}");
        }
        assert!(full.is_within(&Name::from_wire(vec![0])), "the root");
        assert_eq!(name("a").within(&name("b.example")), Some(full));
        assert_eq!(full_length().within(&name("b")), None);
    }

    fn full_length() -> Name {
        name(&["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join("."))
    }
}
