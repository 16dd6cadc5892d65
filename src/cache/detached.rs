//! Objects that have left the store while clients are still being sent them: their bytes count until
//! the last client is done.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use crate::heap::taken;
use crate::work;

use super::object::Object;

/// Objects in use that are not stored any more, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Detached {
    objects: Vec<(Weak<Object>, usize)>,
    bytes: usize,
    /// Objects that could have been looked at since all of them were.
    unswept: usize,
}

impl Detached {
    /// Counts an object that leaves the store, if it is in use.
    pub(super) fn add(&mut self, object: &Arc<Object>) {
        if Arc::strong_count(object) > 1 {
            let weight = object.weight();
            self.objects.push((Arc::downgrade(object), weight));
            self.bytes += weight;
        }
    }

    /// Forgets the objects that were dropped since. That looks at each; with many of them, it is not
    /// done every time that room is short.
    pub(super) fn sweep(&mut self) {
        const LOOKED_AT: usize = 32;
        self.unswept += LOOKED_AT;
        if self.unswept < self.objects.len() {
            return;
        }
        self.unswept = 0;
        work::count(self.objects.len());
        let mut bytes = 0;
        self.objects.retain(|(object, weight)| {
            let alive = object.strong_count() > 0;
            bytes += if alive { *weight } else { 0 };
            alive
        });
        self.bytes = bytes;
    }

    /// Bytes of the objects.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the list itself.
    pub(super) fn weight(&self) -> usize {
        taken(self.objects.capacity() * size_of::<(Weak<Object>, usize)>())
    }

    /// Panics if the books do not agree, or one of the objects is stored.
    pub(super) fn check(&self, stored: &HashSet<*const Object>) {
        let bytes = self.objects.iter().map(|(_, weight)| weight).sum::<usize>();
        assert_eq!(bytes, self.bytes, "detached bytes are counted");
        let twice = self.objects.iter().any(|(object, _)| stored.contains(&object.as_ptr()));
        assert!(!twice, "what is stored is not detached");
    }
}
