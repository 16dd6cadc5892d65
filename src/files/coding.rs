//! Siblings of a file that hold its content compressed.

use crate::http::weight::weighed;
use crate::http::{Fields, Name};

/// A content coding that a sibling of a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCoding {
    /// Brotli (RFC 7932): `.br`.
    Brotli,
    /// Zstandard (RFC 8878): `.zst`.
    Zstd,
    /// Gzip (RFC 1952): `.gz`.
    Gzip,
}

impl FileCoding {
    /// All codings, in the order in which they are preferred to each other: the smallest content first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Returns the end of the names of files with this coding.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

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
}

/// Returns the codings that a request accepts and does not like less than content without a coding, the
/// best first (RFC 9110 §12.5.3).
#[must_use]
pub fn codings_of(fields: &Fields) -> Vec<FileCoding> {
    let accepted: Vec<(u16, Vec<u8>)> =
        fields.elements(Name::AcceptEncoding).map(weighed).collect();
    let weight_of = |is: &dyn Fn(&[u8]) -> bool| {
        let named = accepted.iter().find(|(_, name)| is(name)).map(|(weight, _)| *weight);
        let any = || accepted.iter().find(|(_, name)| name == b"*").map(|(weight, _)| *weight);
        named.or_else(any)
    };
    let plain =
        accepted.iter().find(|(_, name)| name == b"identity").map_or(1, |(weight, _)| *weight);
    let mut codings: Vec<(u16, FileCoding)> = Vec::new();
    for coding in FileCoding::ALL {
        let weight = weight_of(&|name| coding.is_named(name)).unwrap_or(0);
        if weight > 0 && weight >= plain {
            codings.push((weight, coding));
        }
    }
    codings.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    codings.into_iter().map(|(_, coding)| coding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_those_accepted_by_weight_and_size() {
        use FileCoding::{Brotli, Gzip, Zstd};
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
            assert_eq!(codings_of(&fields), expected, "{accept:?}");
        }
    }
}
