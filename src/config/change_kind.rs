//! Differences between two values, or two lists of values.

use std::collections::HashMap;
use std::fmt;

use crate::work::{self, LOOK_UP};

/// Difference between two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The old value is replaced by the new one; an empty text means none.
    Replaced(String, String),
    /// A value of a list is new.
    Added(String),
    /// A value of a list is removed.
    Removed(String),
    /// The list has the same values in another order.
    Reordered,
    /// Keys of a section have other values.
    Keys {
        /// Words that name the section, such as `origin app`.
        section: String,
        /// Differences of the keys, each with its name.
        keys: Vec<String>,
    },
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &str| if value.is_empty() { "(none)".to_owned() } else { value.into() };
        match self {
            Self::Replaced(old, new) => write!(f, "{} -> {}", shown(old), shown(new)),
            Self::Added(value) => write!(f, "+ {value}"),
            Self::Removed(value) => write!(f, "- {value}"),
            Self::Reordered => f.write_str("in another order"),
            Self::Keys { section, keys } => write!(f, "{section}: {}", keys.join("; ")),
        }
    }
}

pub(super) fn of_one(old: &str, new: &str) -> Vec<ChangeKind> {
    if old == new { vec![] } else { vec![ChangeKind::Replaced(old.to_owned(), new.to_owned())] }
}

pub(super) fn of_many(old: &[String], new: &[String]) -> Vec<ChangeKind> {
    let removed = without(old, new).map(ChangeKind::Removed);
    let changes: Vec<_> = removed.chain(without(new, old).map(ChangeKind::Added)).collect();
    if changes.is_empty() && old != new { vec![ChangeKind::Reordered] } else { changes }
}

/// Returns the values of `list` that `others` lacks, in their order. Takes linear time, because
/// lists may be long.
fn without(list: &[String], others: &[String]) -> impl Iterator<Item = String> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for other in others {
        work::count(LOOK_UP);
        *left.entry(other).or_default() += 1;
    }
    let is_left = move |value: &&String| {
        work::count(LOOK_UP);
        match left.get_mut(value.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        }
    };
    list.iter().filter(is_left).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_compared_in_linear_time() {
        let list = |first: u32, count| -> Vec<String> {
            (first..first + count).map(|number| number.to_string()).collect()
        };
        let cost = |count| {
            let before = work::counted();
            let changes = of_many(&list(0, count), &list(count / 2, count));
            assert_eq!(changes.len(), count as usize);
            work::counted() - before
        };
        assert!(cost(20_000) <= 11 * cost(2_000));
        let texts = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let changes = of_many(&texts("a a b"), &texts("a c b c"));
        let added = || ChangeKind::Added("c".into());
        assert_eq!(changes, [ChangeKind::Removed("a".into()), added(), added()]);
    }
}
