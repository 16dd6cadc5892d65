//! Content codings: decides whether the coding sent for one request would also be sent for another
//! (RFC 9110 §12.5.3).
//!
//! An origin chooses one coding from those that it has and the client accepts. A coding chosen from
//! many is also chosen from fewer: if a client that accepts br and gzip gets gzip, a client that
//! accepts only gzip gets gzip, too. The reverse is not certain: the origin may have br.

use std::cmp::Ordering;

use crate::alloc_size::rounded_up;
use crate::http::{Fields, Name, list};

use super::preference::preferences;

/// Maximum number of codings in a list. A longer list matches only an equal list.
const MAX_CODINGS: usize = 16;
/// Maximum length of a coding's name, in bytes.
const MAX_LENGTH: usize = 32;

const IDENTITY: &[u8] = b"identity";
const ANY: &[u8] = b"*";

/// A content coding, in lower case; `identity` for content without a coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coding(Box<[u8]>);

impl Coding {
    /// Returns the coding of a response. `None` if it has several, or if the name is malformed or
    /// too long.
    pub(super) fn of(response: &Fields) -> Option<Self> {
        if !response.has(Name::ContentEncoding) {
            return Some(Self(IDENTITY.into()));
        }
        let coding = response.only(Name::ContentEncoding)?;
        let sound = list::is_token(coding) && coding.len() <= MAX_LENGTH;
        sound.then(|| Self(coding.to_ascii_lowercase().into()))
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn weight(&self) -> usize {
        rounded_up(self.0.len())
    }

    /// Returns true if an origin that chose this coding for a request with the preferences `stored`
    /// would choose it for a request with the preferences `wanted`. Both are canonical values of
    /// `Accept-Encoding`, empty if the field is absent.
    pub(super) fn would_be_chosen(&self, stored: &[u8], wanted: &[u8]) -> bool {
        let (Some(stored), Some(wanted)) = (Accepted::of(stored), Accepted::of(wanted)) else {
            return false;
        };
        let (then, now) = (stored.weight(&self.0), wanted.weight(&self.0));
        then > 0
            && now > 0
            && wanted.others(&self.0).all(|other| {
                let (other_then, other_now) = (stored.weight(other), wanted.weight(other));
                match then.cmp(&other_then) {
                    _ if other_now == 0 => true,
                    _ if other_then == 0 => false, // the origin may have it
                    Ordering::Less => true,        // the origin lacks it, as it was preferred
                    Ordering::Equal => now >= other_now,
                    Ordering::Greater => now > other_now,
                }
            })
    }
}

/// Codings that a request accepts, with their weights in thousandths.
struct Accepted<'a>(Vec<(&'a [u8], u16)>);

impl<'a> Accepted<'a> {
    /// Reads a canonical value. By the specification, a request without `Accept-Encoding` accepts
    /// any coding; here it counts as accepting none, which is safe.
    fn of(canonical: &'a [u8]) -> Option<Self> {
        if canonical.is_empty() {
            return Some(Self(Vec::new()));
        }
        let codings: Vec<_> = preferences(canonical)?.take(MAX_CODINGS + 1).collect();
        let sound = codings.len() <= MAX_CODINGS
            && codings.iter().all(|(coding, _)| list::is_token(coding));
        sound.then_some(Self(codings))
    }

    /// Returns the weight of a coding, 0 if it is not accepted. Content without a coding is
    /// accepted after everything else, unless the list excludes it.
    fn weight(&self, coding: &[u8]) -> u16 {
        let of = |name: &[u8]| self.0.iter().find(|(other, _)| *other == name);
        match of(coding).or_else(|| of(ANY)) {
            Some((_, weight)) => *weight,
            None if coding == IDENTITY => 1,
            None => 0,
        }
    }

    /// Returns the codings, other than `coding`, that may be accepted. `*` stands for all that are
    /// not named.
    fn others(&self, coding: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let named = self.0.iter().map(|(other, _)| *other);
        named.chain([IDENTITY]).filter(move |other| *other != coding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::policy::preference::canonicalize;

    /// Returns a canonical value of `Accept-Encoding`, empty for `-` (the field is absent).
    fn canonical(line: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if line != "-" {
            canonicalize([line.as_bytes()].into_iter(), &mut out);
        }
        out
    }

    #[test]
    fn coding_chosen_from_many_is_chosen_from_fewer() {
        for (coding, stored, wanted, chosen) in [
            ("gzip", "gzip, br", "gzip", true),
            ("gzip", "gzip, br", "gzip, identity;q=0", true),
            ("gzip", "gzip", "gzip, br", false),
            ("gzip", "gzip, br", "br", false),
            ("gzip", "gzip, br", "-", false),
            ("gzip", "gzip, br", "", false),
            ("gzip", "-", "gzip", false),
            ("identity", "gzip, br", "gzip", true),
            ("identity", "gzip, br", "-", true),
            ("identity", "gzip, br", "", true),
            ("identity", "gzip", "gzip, br", false),
            ("identity", "-", "gzip", false),
            ("identity", "gzip, br", "gzip, identity;q=0", false),
            ("identity", "gzip, br", "gzip, *;q=0", false),
            // Pairs whose weights differ.
            ("gzip", "gzip, br;q=0.5", "gzip, br", false),
            ("gzip", "gzip, br;q=0.5", "gzip, br;q=0.9", true),
            ("gzip", "gzip;q=0.5, br", "gzip;q=0.1, br", true),
            ("gzip", "gzip, br", "gzip;q=0.5, br", false),
            ("gzip", "gzip, br", "gzip, br;q=0.5", true),
            ("gzip", "gzip, *", "gzip, br", true),
            ("gzip", "gzip, *", "*", true),
            ("gzip", "gzip, br", "*", false),
            ("gzip", "gzip, br, zstd;q=0", "gzip, zstd", false),
            // Pairs in which a coding was not accepted for the stored response.
            ("gzip", "gzip", "gzip, br;q=0", true),
            ("gzip", "gzip", "gzip, br;q=0.5", false),
        ] {
            let value = Coding(coding.as_bytes().into());
            let found = value.would_be_chosen(&canonical(stored), &canonical(wanted));
            assert_eq!(found, chosen, "{coding} for '{stored}', then '{wanted}'");
        }
    }

    #[test]
    fn long_list_of_codings_matches_only_an_equal_list() {
        let gzip = Coding(b"gzip"[..].into());
        let chosen = |list: &str| gzip.would_be_chosen(&canonical(list), &canonical("gzip"));
        let others = |name: &str, count: usize| {
            (0..count).map(|n| format!("{name}{n}, ")).collect::<String>() + "gzip"
        };
        assert!(chosen(&others("a", MAX_CODINGS - 1)) && chosen(&others("z", MAX_CODINGS - 1)));
        assert!(!chosen(&others("a", MAX_CODINGS)) && !chosen(&others("z", MAX_CODINGS)));
        assert!(!chosen("gzip, a b"), "an invalid coding matches nothing");
    }

    #[test]
    fn coding_of_a_response_is_a_single_token() {
        let of = |lines: &[&str]| {
            let mut fields = Fields::default();
            lines.iter().for_each(|line| fields.push(b"Content-Encoding", line.as_bytes()));
            Coding::of(&fields).map(|coding| String::from_utf8(coding.0.to_vec()).unwrap())
        };
        assert_eq!(of(&[]).as_deref(), Some("identity"));
        assert_eq!(of(&["GZip"]).as_deref(), Some("gzip"));
        for several in [&["gzip, br"][..], &["gzip", "br"], &[""]] {
            assert_eq!(of(several), None);
        }
    }
}
