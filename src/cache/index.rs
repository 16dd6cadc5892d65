//! What is stored, in the order of its URIs, and by its tags: for purges, which name many at once.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::tags::{Tag, Tags};

/// What one URI takes in the index.
pub(super) const URI_WEIGHT: usize = 32;

/// URIs of entries, and tags of their responses.
#[derive(Debug, Default)]
pub(super) struct Index {
    uris: BTreeSet<Arc<str>>,
    tags: BTreeSet<(Tag, Arc<str>)>,
}

impl Index {
    /// Says that something is stored for a URI, with these tags.
    pub(super) fn add<'a>(&mut self, uri: &Arc<str>, tags: impl Iterator<Item = &'a Tags>) {
        self.uris.insert(Arc::clone(uri));
        for tag in tags.flat_map(Tags::iter) {
            self.tags.insert((tag.clone(), Arc::clone(uri)));
        }
    }

    /// Takes back what was said of a URI.
    pub(super) fn remove<'a>(&mut self, uri: &Arc<str>, tags: impl Iterator<Item = &'a Tags>) {
        self.uris.remove(uri);
        for tag in tags.flat_map(Tags::iter) {
            self.tags.remove(&(tag.clone(), Arc::clone(uri)));
        }
    }

    /// Up to `count` URIs that begin with `prefix` and come after `last`; those with `tag` only, if
    /// there is one.
    pub(super) fn after(
        &self,
        tag: Option<&Tag>,
        prefix: &str,
        last: Option<&Arc<str>>,
        count: usize,
    ) -> Vec<Arc<str>> {
        let from = match last {
            Some(last) => Bound::Excluded(Arc::clone(last)),
            None => Bound::Included(prefix.into()),
        };
        let fits = |uri: &Arc<str>| uri.starts_with(prefix);
        match tag {
            None => {
                let uris = self.uris.range((from, Bound::Unbounded));
                uris.take_while(|uri| fits(uri)).take(count).cloned().collect()
            }
            Some(tag) => {
                let from = from.map(|uri| (tag.clone(), uri));
                let places = self.tags.range((from, Bound::Unbounded));
                let uris = places.take_while(|(found, _)| found == tag).map(|(_, uri)| uri);
                uris.take_while(|uri| fits(uri)).take(count).cloned().collect()
            }
        }
    }

    /// Panics unless it holds these URIs and tags and no others.
    pub(super) fn check<'a>(&self, entries: impl Iterator<Item = (&'a Arc<str>, &'a Tags)>) {
        let mut expected = Self::default();
        entries.for_each(|(uri, tags)| expected.add(uri, std::iter::once(tags)));
        assert_eq!(expected.uris, self.uris, "every URI is in the index");
        assert_eq!(expected.tags, self.tags, "every tag is in the index");
    }
}
