//! Names of the fields of a head, to be found again and again.

use std::cmp::Ordering;

use crate::work;

use super::fields::Fields;

/// Names of the fields of a head. Case makes no difference.
#[derive(Clone, Debug)]
pub struct FieldNames<'a>(Vec<&'a [u8]>);

impl<'a> FieldNames<'a> {
    /// The names of all `fields`.
    #[must_use]
    pub fn of(fields: &'a Fields) -> Self {
        let mut names: Vec<&[u8]> = fields.iter().map(|field| field.name).collect();
        names.sort_unstable_by(|one, other| order(one, other));
        Self(names)
    }

    /// Returns true if a field has this name.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        self.0.binary_search_by(|other| order(other, name)).is_ok()
    }
}

/// Orders names by their length, then by their letters.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    work::count(1 + one.len().min(other.len()));
    let letters = one.iter().map(u8::to_ascii_lowercase);
    let order = one.len().cmp(&other.len());
    order.then_with(|| letters.cmp(other.iter().map(u8::to_ascii_lowercase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let mut fields = Fields::default();
        for name in ["b", "Set-Cookie", "A", "set-cookie", "Set-Cooked"] {
            fields.push(name.as_bytes(), b"");
        }
        let names = FieldNames::of(&fields);
        assert!(names.has(b"SET-COOKIE") && names.has(b"a") && names.has(b"B"));
        assert!(!names.has(b"c") && !names.has(b"set-cookies") && !names.has(b""));
    }
}
