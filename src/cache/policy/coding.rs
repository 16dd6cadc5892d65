//! Content codings: which requests would be sent the coding that another request was sent
//! (RFC 9110 §12.5.3).
//!
//! An origin chooses one coding from those that it has and the client accepts. If it chose one from
//! more, it would choose the same from fewer: gzip, sent to a client that accepts br and gzip, is what a
//! client that accepts only gzip would be sent, too. The reverse is not known: the origin may have br.

use std::cmp::Ordering;

use crate::alloc_size::rounded_up;
use crate::http::{Fields, Name, list};

use super::preference::preferences;

/// Longer lists of codings are compared as a whole only.
const MAX_CODINGS: usize = 16;
/// Bytes of the longest name of a coding that is looked for.
const MAX_LENGTH: usize = 32;

const IDENTITY: &[u8] = b"identity";
const ANY: &[u8] = b"*";

/// A content coding, in lower case; `identity` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coding(Box<[u8]>);

impl Coding {
    /// The coding of a response; `None` if there are several, or its name is odd.
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
    /// would choose it for one with the preferences `wanted`; both are canonical values of
    /// `Accept-Encoding`, empty if it is absent.
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
                    _ if other_then == 0 => false, // it was not there to be chosen
                    Ordering::Less => true,        // the origin does not have it
                    Ordering::Equal => now >= other_now,
                    Ordering::Greater => now > other_now,
                }
            })
    }
}

/// Codings that a request accepts, with their weights in thousandths.
struct Accepted<'a>(Vec<(&'a [u8], u16)>);

impl<'a> Accepted<'a> {
    /// Reads a canonical value. A request without `Accept-Encoding` accepts anything by the letter;
    /// it is taken for one that accepts no coding, which is safe.
    fn of(canonical: &'a [u8]) -> Option<Self> {
        if canonical.is_empty() {
            return Some(Self(Vec::new()));
        }
        let codings: Vec<_> = preferences(canonical)?.take(MAX_CODINGS + 1).collect();
        let sound = codings.len() <= MAX_CODINGS
            && codings.iter().all(|(coding, _)| list::is_token(coding));
        sound.then_some(Self(codings))
    }

    /// The weight of a coding, 0 if it is not accepted. Content without coding is accepted unless that
    /// is excluded, after everything else.
    fn weight(&self, coding: &[u8]) -> u16 {
        let of = |name: &[u8]| self.0.iter().find(|(other, _)| *other == name);
        match of(coding).or_else(|| of(ANY)) {
            Some((_, weight)) => *weight,
            None if coding == IDENTITY => 1,
            None => 0,
        }
    }

    /// Codings that may be accepted, but for `coding`; `*` stands for all that are not named.
    fn others(&self, coding: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let named = self.0.iter().map(|(other, _)| *other);
        named.chain([IDENTITY]).filter(move |other| *other != coding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::policy::preference::canonicalize;

    /// A canonical value of `Accept-Encoding`; `-` where it is absent.
    fn canonical(line: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if line != "-" {
            canonicalize([line.as_bytes()].into_iter(), &mut out);
        }
        out
    }

    #[test]
    fn coding_chosen_from_more_is_chosen_from_fewer() {
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
            // It was preferred then, or is less so now.
            ("gzip", "gzip, br;q=0.5", "gzip, br", false),
            ("gzip", "gzip, br;q=0.5", "gzip, br;q=0.9", true),
            ("gzip", "gzip;q=0.5, br", "gzip;q=0.1, br", true),
            ("gzip", "gzip, br", "gzip;q=0.5, br", false),
            ("gzip", "gzip, br", "gzip, br;q=0.5", true),
            ("gzip", "gzip, *", "gzip, br", true),
            ("gzip", "gzip, *", "*", true),
            ("gzip", "gzip, br", "*", false),
            ("gzip", "gzip, br, zstd;q=0", "gzip, zstd", false),
            // It was not accepted then, nor is it now.
            ("gzip", "gzip", "gzip, br;q=0", true),
            ("gzip", "gzip", "gzip, br;q=0.5", false),
        ] {
            let value = Coding(coding.as_bytes().into());
            let found = value.would_be_chosen(&canonical(stored), &canonical(wanted));
            assert_eq!(found, chosen, "{coding} for '{stored}', then '{wanted}'");
        }
    }

    #[test]
    fn long_list_of_codings_is_compared_as_a_whole_only() {
        let gzip = Coding(b"gzip"[..].into());
        let chosen = |list: &str| gzip.would_be_chosen(&canonical(list), &canonical("gzip"));
        let others = |name: &str, count: usize| {
            (0..count).map(|n| format!("{name}{n}, ")).collect::<String>() + "gzip"
        };
        assert!(chosen(&others("a", MAX_CODINGS - 1)) && chosen(&others("z", MAX_CODINGS - 1)));
        assert!(!chosen(&others("a", MAX_CODINGS)) && !chosen(&others("z", MAX_CODINGS)));
        assert!(!chosen("gzip, a b"), "nor is one of what is no coding");
    }

    #[test]
    fn coding_of_a_response_is_one_token() {
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
