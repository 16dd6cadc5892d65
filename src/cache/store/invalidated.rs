//! Invalidated responses: never used again, and removed slice by slice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::cache::policy::tags::Tag;
use crate::work;

use super::purge::Purge;
use super::range::Range;
use super::variants::Variant;

/// Invalidations whose responses have not all been removed yet, at most one for each group with
/// stored responses. Responses are numbered as they are stored, so an invalidation is the number of
/// the last response that it covers.
#[derive(Debug, Default)]
pub(super) struct Invalidated {
    /// Number of the last response covered by the invalidation of everything.
    all: u64,
    /// Groups by the root of their origin, each with the number of the last response covered.
    groups: BTreeMap<Arc<str>, BTreeMap<Tag, u64>>,
    sweeps: VecDeque<Sweep>,
}

/// Removal of the responses that one invalidation covers.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Root of the origin, and group; `None` for everything.
    group: Option<(Arc<str>, Tag)>,
    pub(super) purge: Purge,
}

impl Sweep {
    fn of(group: Option<(Arc<str>, Tag)>, number: u64) -> Self {
        let range = match &group {
            Some((root, tag)) => Range::tagged(tag.clone(), root),
            None => Range::below(String::new()),
        };
        Self { group, purge: Purge::of(vec![range], None, number) }
    }
}

impl Invalidated {
    /// Invalidates all responses up to this number.
    pub(super) fn add_all(&mut self, number: u64) {
        self.all = number;
        if !self.sweeps.iter().any(|sweep| sweep.group.is_none()) {
            self.sweeps.push_front(Sweep::of(None, number));
        }
    }

    /// Invalidates the responses of a group of an origin, up to this number.
    pub(super) fn add_group(&mut self, root: &Arc<str>, tag: &Tag, number: u64) {
        work::count(2 * work::LOOK_UP);
        let groups = self.groups.entry(Arc::clone(root)).or_default();
        if groups.insert(tag.clone(), number).is_none() {
            self.sweeps.push_back(Sweep::of(Some((Arc::clone(root), tag.clone())), number));
        }
    }

    /// Returns the number of the last response covered by the invalidation of everything.
    pub(super) const fn all(&self) -> u64 {
        self.all
    }

    /// Returns true if a response for `uri` belongs to a group that was invalidated after it was
    /// stored.
    pub(super) fn has(&self, uri: &str, variant: &Variant) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let Some(groups) = self.groups.get(root(uri)) else { return false };
        work::count(variant.object.tags.len() * work::LOOK_UP);
        let mut tags = variant.object.tags.iter();
        tags.any(|tag| groups.get(tag).is_some_and(|number| variant.number <= *number))
    }

    /// Takes the next removal to run.
    pub(super) fn next(&mut self) -> Option<Sweep> {
        self.sweeps.pop_front()
    }

    /// Puts back a removal that is not complete.
    pub(super) fn put_back(&mut self, sweep: Sweep) {
        self.sweeps.push_front(sweep);
    }

    /// Records that a removal is complete. It starts again if its group, or everything, was
    /// invalidated again in the meantime.
    pub(super) fn done(&mut self, sweep: Sweep) {
        let before = sweep.purge.before();
        let Some((root, tag)) = &sweep.group else {
            if self.all > before {
                self.sweeps.push_front(Sweep::of(None, self.all));
            }
            return;
        };
        let Some(groups) = self.groups.get_mut(root) else { return };
        let number = groups.get(tag).copied().filter(|number| *number > before);
        if let Some(number) = number {
            return self.sweeps.push_back(Sweep::of(sweep.group, number));
        }
        groups.remove(tag);
        if groups.is_empty() {
            self.groups.remove(root);
        }
    }

    /// Returns true if there are responses to remove.
    pub(super) fn is_pending(&self) -> bool {
        !self.sweeps.is_empty()
    }

    /// Panics if the books do not agree with each other.
    pub(super) fn check(&self) {
        let groups = self.groups.values().map(BTreeMap::len).sum::<usize>();
        let sweeps = self.sweeps.iter().filter(|sweep| sweep.group.is_some()).count();
        assert_eq!(groups, sweeps, "each group is removed once");
        assert!(self.sweeps.len() - sweeps <= 1, "everything is removed once");
    }
}

/// Returns scheme and authority of a URI, with the slash that follows.
fn root(uri: &str) -> &str {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let end = uri[authority..].find('/').map_or(uri.len(), |at| authority + at + 1);
    &uri[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_ends_with_the_authority() {
        assert_eq!(root("http://h.test/a/b"), "http://h.test/");
        assert_eq!(root("http://h.test:81/"), "http://h.test:81/");
        assert_eq!(root("http://h/a/b"), "http://h/");
        assert_eq!(root("https://h/a/b"), "https://h/");
        assert_eq!(root("http://h.test"), "http://h.test");
        assert_eq!(root(""), "");
    }
}
