//! Content codings, and the negotiation of one (RFC 9110 §8.4.1 and §12.5.3).

use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use super::name::Name;
use super::weight::weighed;

/// A content coding that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Gzip (RFC 1952).
    Gzip,
}

impl ContentCoding {
    /// All codings, the one with the smallest content first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Returns the name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || (self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }

    /// Returns those of the codings that a request accepts and does not like less than content without a
    /// coding, the best first. Codings that it likes equally stay in their order.
    #[must_use]
    pub fn accepted(request: &Fields, codings: &[Self]) -> Vec<Self> {
        let accepted: Vec<(u16, Vec<u8>)> =
            request.elements(Name::AcceptEncoding).map(weighed).collect();
        let weight_of = |is: &dyn Fn(&[u8]) -> bool| {
            let named = accepted.iter().find(|(_, name)| is(name)).map(|(weight, _)| *weight);
            let any = || accepted.iter().find(|(_, name)| name == b"*").map(|(weight, _)| *weight);
            named.or_else(any)
        };
        let identity = accepted.iter().find(|(_, name)| name == b"identity");
        let plain = identity.map_or(1, |(weight, _)| *weight);
        let mut liked: Vec<(u16, Self)> = Vec::new();
        for &coding in codings {
            let weight = weight_of(&|name| coding.is_named(name)).unwrap_or(0);
            if weight > 0 && weight >= plain {
                liked.push((weight, coding));
            }
        }
        liked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        liked.into_iter().map(|(_, coding)| coding).collect()
    }
}

impl FromStr for ContentCoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|coding| coding.name() == text);
        known.ok_or_else(|| format!("'{text}' is none of the codings zstd, br and gzip"))
    }
}

impl fmt::Display for ContentCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_those_accepted_by_weight_and_order() {
        use ContentCoding::{Brotli, Gzip, Zstd};
        for (accept, expected) in [
            (None, &[][..]),
            (Some(""), &[]),
            (Some("identity"), &[]),
            (Some("gzip"), &[Gzip]),
            (Some("x-gzip"), &[Gzip]),
            (Some("gzip, deflate, br, zstd"), &[Brotli, Zstd, Gzip]),
            (Some("gzip;q=1, br;q=0.5"), &[Gzip, Brotli]),
            (Some("*"), &[Brotli, Zstd, Gzip]),
            (Some("*;q=0.5, br;q=0"), &[Zstd, Gzip]),
            (Some("gzip;q=0"), &[]),
            (Some("identity, gzip;q=0.5"), &[]),
            (Some("identity;q=0.5, gzip;q=0.5"), &[Gzip]),
            (Some("identity;q=0, *"), &[Brotli, Zstd, Gzip]),
        ] {
            let mut fields = Fields::default();
            accept.iter().for_each(|value| fields.push(b"Accept-Encoding", value.as_bytes()));
            let accepted = ContentCoding::accepted(&fields, &ContentCoding::ALL);
            assert_eq!(accepted, expected, "{accept:?}");
        }
    }

    #[test]
    fn order_of_the_caller_decides_between_equal_weights() {
        use ContentCoding::{Brotli, Gzip, Zstd};
        let mut fields = Fields::default();
        fields.push(b"Accept-Encoding", b"br, gzip, zstd");
        assert_eq!(ContentCoding::accepted(&fields, &[Gzip, Brotli]), [Gzip, Brotli]);
        assert_eq!(ContentCoding::accepted(&fields, &[]), []);
        assert_eq!("zstd".parse(), Ok(Zstd));
        assert!("deflate".parse::<ContentCoding>().is_err());
    }
}
