//! Hosts of URLs, parsed before any name is resolved.
//!
//! The system's resolver reads `127.1`, `0x7f.1`, `017700000001` and `2130706433` as addresses. To
//! keep such spellings from passing as names, a host that looks like a number is parsed here by the
//! rules of `inet_aton(3)`, or rejected. A name has only letters, digits, hyphens, underscores and
//! dots: a resolver, or a library in front of it, might interpret any other character.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Parsed host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Address, whatever its spelling.
    Address(IpAddr),
    /// Name to resolve, in lower case and without a trailing dot.
    Name(String),
}

/// Reason why a host cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpellingError {
    /// The last label is a number, and the host is no IPv4 address.
    Number,
    /// A label is empty or longer than 63 characters, or the name is longer than 253.
    Label,
    /// The text in brackets is no IPv6 address.
    Brackets,
    /// A character is not allowed in host names.
    Character,
}

impl fmt::Display for SpellingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "the host ends in a number and is not an IPv4 address",
            Self::Label => {
                "a label of the host name is empty, or the label or the name is too long"
            }
            Self::Brackets => "the host in brackets is not an IPv6 address",
            Self::Character => "the host has a character that host names cannot have",
        })
    }
}

impl std::error::Error for SpellingError {}

impl Host {
    /// Parses a host as it appears in a URL.
    ///
    /// # Errors
    /// The reason, if the host is neither an address nor a name.
    pub fn parse(text: &str) -> Result<Self, SpellingError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            return address.map(|v6| Self::Address(IpAddr::V6(v6))).ok_or(SpellingError::Brackets);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return Err(SpellingError::Character);
        }
        let valid = |label: &str| !label.is_empty() && label.len() <= 63;
        if name.len() > 253 || !name.split('.').all(valid) {
            return Err(SpellingError::Label);
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        if looks_numeric(last) {
            return parse_v4(name).map(|v4| Self::Address(v4.into())).ok_or(SpellingError::Number);
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl Host {
    /// Returns the name; `None` for an address.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Returns true if some resolver might read the label as a number: if it has no letter (which
/// includes `-1` and `1_`; no top-level domain is like that either), is hexadecimal, or has the
/// prefix for binary or octal numbers of newer C. A number with such a prefix is always rejected.
fn looks_numeric(label: &str) -> bool {
    let digits = |radix: u32, digits: &[u8]| digits.iter().all(|&b| (b as char).is_digit(radix));
    match label.as_bytes() {
        [b'0', b'x' | b'X', rest @ ..] => digits(16, rest),
        [b'0', b'b' | b'B', rest @ ..] => digits(2, rest),
        [b'0', b'o' | b'O', rest @ ..] => digits(8, rest),
        all => !all.iter().any(u8::is_ascii_alphabetic),
    }
}

/// Parses one to four numbers, decimal, octal or hexadecimal. The last one fills all remaining
/// bytes.
fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Option<Vec<u64>> = text.split('.').map(parse_number).collect();
    let parts = parts.filter(|parts| parts.len() <= 4)?;
    let (&last, bytes) = parts.split_last()?;
    let mut octets = u32::try_from(last).ok()?.to_be_bytes();
    for (octet, &byte) in octets.iter_mut().zip(bytes) {
        if *octet != 0 {
            return None; // the last number needs this byte as well
        }
        *octet = byte.try_into().ok()?;
    }
    Some(octets.into())
}

fn parse_number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some("") => ("0", 16), // as `inet_aton` reads it
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit()); // rejects a sign
    u64::from_str_radix(digits, radix).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> String {
        match Host::parse(text) {
            Ok(Host::Address(address)) => address.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_parsed() {
        for text in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "0177.0x0.0.01",
            "0X7F.0.0.1",
            "127.0.0.0x1",
            "0x7f.0x1",
        ] {
            assert_eq!(address(text), "127.0.0.1", "{text}");
        }
        assert_eq!(address("0"), "0.0.0.0");
        assert_eq!(address("[::ffff:127.0.0.1]"), "::ffff:127.0.0.1");
        assert_eq!(address("4294967295"), "255.255.255.255");
    }

    #[test]
    fn numeric_hosts_that_are_no_address_are_rejected() {
        for text in [
            "1.2.3.4.5",
            "256.0.0.1",
            "1.2.3.256",
            "4294967296",
            "08.1.1.1",
            "a.1",
            "1..2",
            "0x100000000",
            "1.2.0x10000",
            "example.0x",
            "0b1111111.0.0.0b1",
            "0B1",
            "0o177.0.0.0o1",
            "127.0.0.0b",
            "127.0.0.-1",
            "127.0.0.1_",
            "-",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn invalid_characters_are_rejected() {
        for text in [
            "::1",
            "fe80::1",
            "a b",
            "127.0.0.1 ",
            "127.0.0.1%lo",
            "127.0.0.1\0",
            "a@b",
            "a/b",
            "%31",
            "a~b",
            "1\u{ff0e}1",
            "\u{ff11}27.0.0.1",
            "\u{24db}ocalhost",
            "\u{660}",
        ] {
            assert_eq!(Host::parse(text), Err(SpellingError::Character), "{text}");
        }
        assert_eq!(Host::parse("_dmarc.a_b.example"), Ok(Host::Name("_dmarc.a_b.example".into())));
    }

    #[test]
    fn names_are_normalized_and_labels_checked() {
        assert_eq!(Host::parse("Example.COM."), Ok(Host::Name("example.com".into())));
        assert_eq!(Host::parse("1.example"), Ok(Host::Name("1.example".into())));
        assert_eq!(Host::parse("0x7f.example"), Ok(Host::Name("0x7f.example".into())));
        assert_eq!(Host::parse("a..b"), Err(SpellingError::Label));
        assert_eq!(Host::parse("."), Err(SpellingError::Label));
        assert_eq!(Host::parse("a.."), Err(SpellingError::Label));
        assert_eq!(Host::parse("[::1"), Err(SpellingError::Brackets));
    }

    #[test]
    fn label_and_name_lengths_are_bounded() {
        let name = |lengths: &[usize]| {
            lengths.iter().map(|&n| "a".repeat(n)).collect::<Vec<_>>().join(".")
        };
        for longest in [name(&[63]), name(&[63, 63, 63, 61])] {
            assert_eq!(Host::parse(&longest), Ok(Host::Name(longest.clone())));
            assert_eq!(Host::parse(&format!("{longest}.")), Ok(Host::Name(longest)));
        }
        for longer in [name(&[64]), name(&[63, 63, 63, 62]), name(&[63, 63, 63, 63])] {
            assert_eq!(Host::parse(&longer), Err(SpellingError::Label), "{longer}");
        }
    }
}
