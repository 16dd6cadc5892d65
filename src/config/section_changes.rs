//! Differences between the sections of two files, key by key.

use std::collections::HashMap;

use super::change_kind::{ChangeKind, of_many, of_one};
use super::section::{KeyValues, SectionView};

/// Returns the differences between the sections of two files that `kind` describes.
pub(super) fn of_sections(kind: &str, old: &[SectionView], new: &[SectionView]) -> Vec<ChangeKind> {
    let Pairs { kept, removed, added, in_order } = pair(old, new);
    let removed = removed.iter().map(|section| ChangeKind::Removed(section.text()));
    let kept = kept.iter().flat_map(|(old, new)| of_pair(format!("{kind} {}", old.name), old, new));
    let added = added.iter().map(|section| ChangeKind::Added(section.text()));
    let order = (!in_order).then_some(ChangeKind::Reordered);
    removed.chain(kept).chain(added).chain(order).collect()
}

/// Returns the differences between two sections, and then those between their routes.
fn of_pair(section: String, old: &SectionView, new: &SectionView) -> Vec<ChangeKind> {
    let mut keys: Vec<String> =
        old.keys.iter().zip(&new.keys).flat_map(|(old, new)| of_key(old, new)).collect();
    let mut of_routes = Vec::new();
    for change in of_sections(&format!("{section}, route"), &old.routes, &new.routes) {
        match change {
            ChangeKind::Keys { .. } => of_routes.push(change),
            other => keys.push(format!("route {other}")),
        }
    }
    let own = (!keys.is_empty()).then_some(ChangeKind::Keys { section, keys });
    own.into_iter().chain(of_routes).collect()
}

/// Returns the differences between the values of a key, such as `health-interval 1s -> 2s`.
fn of_key(old: &KeyValues, new: &KeyValues) -> Vec<String> {
    if !old.is_written && !new.is_written {
        return Vec::new();
    }
    let changes = match old.many {
        true => of_many(&old.values, &new.values),
        false => of_one(&old.values.concat(), &new.values.concat()),
    };
    changes.iter().map(|change| format!("{} {change}", old.name)).collect()
}

/// Sections of two files, told apart by their names.
struct Pairs<'a> {
    kept: Vec<(&'a SectionView, &'a SectionView)>,
    removed: Vec<&'a SectionView>,
    added: Vec<&'a SectionView>,
    /// True if those that are kept have the same order.
    in_order: bool,
}

/// Pairs sections of the same name; and if one of each file is left, those two: its name has changed.
fn pair<'a>(old: &'a [SectionView], new: &'a [SectionView]) -> Pairs<'a> {
    let mut places: HashMap<&str, usize> =
        new.iter().enumerate().map(|(at, section)| (&*section.name, at)).collect();
    let mut is_new = vec![true; new.len()];
    let (mut kept, mut removed, mut in_order, mut last) = (Vec::new(), Vec::new(), true, None);
    for section in old {
        let Some(at) = places.remove(&*section.name) else {
            removed.push(section);
            continue;
        };
        (is_new[at], in_order) = (false, in_order && last < Some(at));
        last = Some(at);
        kept.push((section, &new[at]));
    }
    let added = new.iter().zip(is_new).filter(|(_, is_new)| *is_new);
    let mut added: Vec<_> = added.map(|(section, _)| section).collect();
    if let ([before], [after]) = (&*removed, &*added) {
        kept.push((before, after));
        (removed, added) = (Vec::new(), Vec::new());
    }
    Pairs { kept, removed, added, in_order }
}
