//! Lists of weighted preferences, such as `Accept-Language` (RFC 9110 §12.4.2, §12.5), in a
//! canonical form that is equal for all lists with the same meaning.

use std::str;

use crate::http::list::Elements;
use crate::http::weight::weighed;
use crate::work;

/// Maximum number of preferences in a list. A longer list is compared verbatim: no user agent sends
/// one, and sorting takes time. A list with quoted strings, which no preference has, is compared
/// verbatim, too.
const MAX_PREFERENCES: usize = 64;

/// First byte of the canonical form of a parsed list.
const READ: u8 = b'~';
/// First byte of the form of a list that is compared verbatim.
const WRITTEN: u8 = b'=';

/// Appends the canonical form of the list on `lines`. Two lists with the same canonical form have
/// the same meaning, whatever their order, case, white space and spelling of weights.
pub(super) fn canonicalize<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone, out: &mut Vec<u8>) {
    let elements = lines.flat_map(Elements::of);
    if elements.clone().nth(MAX_PREFERENCES).is_some() || elements.clone().any(is_quoted) {
        out.push(WRITTEN);
        return elements.for_each(|element| {
            work::count(element.len());
            out.extend_from_slice(element);
            out.push(b',');
        });
    }
    let mut read: Vec<_> = elements.map(weighed).collect();
    read.sort_unstable_by(|(a, this), (b, other)| {
        work::count(1 + this.len().min(other.len()));
        b.cmp(a).then_with(|| this.cmp(other))
    });
    read.dedup();
    out.push(READ);
    for (weight, text) in read {
        out.extend_from_slice(&text);
        out.push(b';');
        out.extend_from_slice(weight.to_string().as_bytes());
        out.push(b',');
    }
}

/// Returns the preferences of a canonical form, the most preferred first, each with its weight in
/// thousandths. `None` for a list that is compared verbatim.
pub(super) fn preferences(canonical: &[u8]) -> Option<impl Iterator<Item = (&[u8], u16)>> {
    let list = canonical.strip_prefix(&[READ])?;
    Some(list.split(|&byte| byte == b',').filter_map(|preference| {
        let at = preference.iter().rposition(|&byte| byte == b';')?;
        let weight = str::from_utf8(&preference[at + 1..]).ok()?.parse().ok()?;
        Some((&preference[..at], weight))
    }))
}

/// Returns the element that a canonical form prefers to all others, if there is one.
pub(super) fn first(canonical: &[u8]) -> Option<&[u8]> {
    let mut preferences = preferences(canonical)?;
    let (first, weight) = preferences.next().filter(|(_, weight)| *weight > 0)?;
    preferences.next().is_none_or(|(_, next)| next < weight).then_some(first)
}

fn is_quoted(element: &[u8]) -> bool {
    element.contains(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<u8> {
        let mut out = Vec::new();
        canonicalize([line.as_bytes()].into_iter(), &mut out);
        out
    }

    #[test]
    fn lists_with_the_same_meaning_have_one_form() {
        assert_eq!(of("en, de"), of("DE,en;q=1.000"));
        assert_eq!(of("en;q=0.5, de"), of("de, EN ; Q=0.50"));
        assert_ne!(of("en;q=0.5, de"), of("en, de;q=0.5"));
        assert_ne!(of("en;q=2"), of("en"));
        assert_eq!(of("a, a"), of("a"));
    }

    #[test]
    fn lists_with_quoted_strings_match_only_verbatim() {
        assert_ne!(of("a;x=\"A\", b"), of("a;x=\"a\", b"));
        assert_eq!(of("a;x=\"A\", b"), of("a;x=\"A\" ,b"));
        assert!(preferences(&of("a;x=\"A\"")).is_none());
    }

    #[test]
    fn weight_follows_a_name() {
        let (no_name, empty_name) = (of("q=0.5"), of(";q=0.5"));
        assert_eq!(preferences(&no_name).unwrap().collect::<Vec<_>>(), [(&b"q=0.5"[..], 1000)]);
        assert_eq!(preferences(&empty_name).unwrap().collect::<Vec<_>>(), [(&b""[..], 500)]);
    }

    #[test]
    fn long_lists_match_only_verbatim() {
        let list = |length: usize, sign: &str| {
            let elements: Vec<String> = (0..length).map(|n| format!("l{n}")).collect();
            (
                of(&elements.join(sign)),
                of(&elements.into_iter().rev().collect::<Vec<_>>().join(",")),
            )
        };
        let (short, reversed) = list(MAX_PREFERENCES, ", ");
        assert_eq!(short, reversed);
        let (long, reversed) = list(MAX_PREFERENCES + 1, ", ");
        assert_ne!(long, reversed);
        assert_eq!(long, list(MAX_PREFERENCES + 1, " ,").0);
        assert!(preferences(&long).is_none() && first(&long).is_none());
    }

    #[test]
    fn preferences_are_read_back_from_their_canonical_form() {
        let canonical = of("gzip;q=0.5, BR;level=9, *;q=0");
        let read: Vec<_> = preferences(&canonical).unwrap().collect();
        assert_eq!(read, [(&b"br;level=9"[..], 1000), (b"gzip", 500), (b"*", 0)]);
    }

    #[test]
    fn one_preference_comes_first_if_its_weight_is_the_largest() {
        assert_eq!(first(&of("fr;q=0.5, De;q=1.0")), Some(&b"de"[..]));
        assert_eq!(first(&of("fr, de")), None);
        assert_eq!(first(&of("de;q=0")), None);
        assert_eq!(first(&of("")), None);
    }
}
