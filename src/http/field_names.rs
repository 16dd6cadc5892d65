//! Sets of field names.

use std::cmp::Ordering;

use crate::work;

/// Field names in any case. A look-up takes few comparisons however large the set is, because a
/// peer may choose both the set and the names looked up.
#[derive(Clone, Debug, Default)]
pub struct FieldNames<'a> {
    /// Names in the order of [`compare`].
    names: Vec<&'a [u8]>,
}

impl FieldNames<'_> {
    /// Returns true if `name` is in the set.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names.binary_search_by(|known| compare(known, name)).is_ok()
    }
}

impl<'a> FromIterator<&'a [u8]> for FieldNames<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(names: I) -> Self {
        let mut names: Vec<&[u8]> = names.into_iter().collect();
        names.sort_unstable_by(|a, b| compare(a, b));
        Self { names }
    }
}

/// Compares names by length, then by their lower case.
fn compare<'a>(a: &'a [u8], b: &'a [u8]) -> Ordering {
    work::count(1);
    a.len().cmp(&b.len()).then_with(|| {
        work::count(a.len());
        let lower = |name: &'a [u8]| name.iter().map(u8::to_ascii_lowercase);
        lower(a).cmp(lower(b))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let names: FieldNames<'_> =
            [&b"Vary"[..], b"x-A", b"x-a", b"TE", b""].into_iter().collect();
        for name in [&b"VARY"[..], b"X-a", b"te", b""] {
            assert!(names.contains(name), "{}", name.escape_ascii());
        }
        for name in [&b"Var"[..], b"Varyy", b"x-b", b"t"] {
            assert!(!names.contains(name), "{}", name.escape_ascii());
        }
        assert!(!FieldNames::default().contains(b"a"));
    }

    proptest! {
        #[test]
        fn set_contains_the_names_of_the_list(
            list in prop::collection::vec("[a-cA-C-]{0,4}", 0..12),
            name in "[a-cA-C-]{0,4}",
        ) {
            let names: FieldNames<'_> = list.iter().map(String::as_bytes).collect();
            let listed = list.iter().any(|other| other.eq_ignore_ascii_case(&name));
            prop_assert_eq!(names.contains(name.as_bytes()), listed);
        }
    }
}
