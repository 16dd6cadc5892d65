//! Index of the entries by URI, and by the tags of their responses. Purges use it, because they
//! name many entries at once.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::cache::policy::tags::{Tag, Tags};
use crate::work;

use super::range::Range;

/// Bytes that one URI takes in the index.
pub(super) const URI_WEIGHT: usize = 48;

/// URIs of entries, and tags of their responses, each with the slot of the entry.
#[derive(Debug, Default)]
pub(crate) struct Index {
    uris: BTreeMap<Arc<str>, usize>,
    /// Tags with the slot of the entry and the number of its responses that have the tag.
    tags: BTreeMap<(Tag, Arc<str>), (usize, u32)>,
}

impl Index {
    /// Adds an entry.
    pub(super) fn add(&mut self, uri: &Arc<str>, slot: usize) {
        work::count(work::LOOK_UP + uri.len());
        self.uris.insert(Arc::clone(uri), slot);
    }

    /// Removes an entry, whose tags must have been removed before.
    pub(super) fn remove(&mut self, uri: &Arc<str>) {
        work::count(work::LOOK_UP + uri.len());
        self.uris.remove(uri);
    }

    /// Adds the tags of one response of an entry.
    pub(super) fn tag(&mut self, uri: &Arc<str>, slot: usize, tags: &Tags) {
        for tag in tags.iter() {
            work::count(work::LOOK_UP);
            let place = self.tags.entry((tag.clone(), Arc::clone(uri))).or_insert((slot, 0));
            place.1 += 1;
        }
    }

    /// Removes the tags of one response of an entry.
    pub(super) fn untag(&mut self, uri: &Arc<str>, tags: &Tags) {
        for tag in tags.iter() {
            work::count(work::LOOK_UP);
            let place = (tag.clone(), Arc::clone(uri));
            if let Some((_, count)) = self.tags.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    self.tags.remove(&place);
                }
            }
        }
    }

    /// Returns up to `count` entries of a range, in the order of their URIs, starting after `last`.
    pub(super) fn after(
        &self,
        range: &Range,
        last: Option<&Arc<str>>,
        count: usize,
    ) -> Vec<(Arc<str>, usize)> {
        let prefix = range.prefix();
        work::count(2 * work::LOOK_UP + prefix.len());
        let from = match last {
            Some(last) => Bound::Excluded(Arc::clone(last)),
            None => Bound::Included(prefix.into()),
        };
        let fits = |(uri, _): &(&Arc<str>, usize)| uri.starts_with(prefix);
        let found = |(uri, slot): (&Arc<str>, usize)| {
            work::count(prefix.len());
            (Arc::clone(uri), slot)
        };
        match range.tag() {
            None => {
                let uris = self.uris.range((from, Bound::Unbounded));
                let uris = uris.map(|(uri, &slot)| (uri, slot));
                uris.take_while(fits).take(count).map(found).collect()
            }
            Some(tag) => {
                let from = from.map(|uri| (tag.clone(), uri));
                let places = self.tags.range((from, Bound::Unbounded));
                let uris = places.take_while(|((found, _), _)| found == tag);
                let uris = uris.map(|((_, uri), &(slot, _))| (uri, slot));
                uris.take_while(fits).take(count).map(found).collect()
            }
        }
    }

    /// Panics unless the index holds exactly these URIs and tags, with their slots.
    pub(super) fn check<'a>(
        &self,
        entries: impl Iterator<Item = (&'a Arc<str>, usize)>,
        responses: impl Iterator<Item = (&'a Arc<str>, usize, &'a Tags)>,
    ) {
        let mut expected = Self::default();
        entries.for_each(|(uri, slot)| expected.add(uri, slot));
        responses.for_each(|(uri, slot, tags)| expected.tag(uri, slot, tags));
        assert_eq!(expected.uris, self.uris, "every URI is in the index");
        assert_eq!(expected.tags, self.tags, "every tag is in the index");
    }
}
