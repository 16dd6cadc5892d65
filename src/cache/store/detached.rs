//! Responses that have left the store while clients still receive them. Their bytes count until the
//! last client is done.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use crate::alloc_size::rounded_up;
use crate::work;

use super::object::Object;
use super::shared_content::SharedContent;

/// Objects and content that are in use but no longer stored, with their bytes.
#[derive(Debug, Default)]
pub(super) struct Detached {
    held: Vec<(Held, usize)>,
    bytes: usize,
    /// Number of items that the sweeps since the last full examination would have covered.
    unswept: usize,
    /// Number of items that were in use at the last full examination.
    in_use: usize,
}

/// An item in use.
#[derive(Debug)]
enum Held {
    /// An object, without its content.
    Object(Weak<Object>),
    Content(Weak<SharedContent>),
}

impl Held {
    /// Returns true if the item is in use and has not been stored again.
    fn counts(&self) -> bool {
        match self {
            Self::Object(object) => object.strong_count() > 0,
            Self::Content(content) => content.upgrade().is_some_and(|content| !content.is_stored()),
        }
    }
}

impl Detached {
    /// Counts an object that leaves the store, and its content that no stored object shares, as far
    /// as they are in use.
    pub(super) fn add(&mut self, object: &Arc<Object>) {
        let in_use = Arc::strong_count(object) > 1;
        if in_use {
            let weight = object.own_weight();
            self.push(Held::Object(Arc::downgrade(object)), weight);
        }
        for content in object.contents() {
            work::count(1);
            if !content.is_stored() && (in_use || Arc::strong_count(content) > 1) {
                self.push(Held::Content(Arc::downgrade(content)), content.weight());
            }
        }
    }

    fn push(&mut self, held: Held, weight: usize) {
        const FEW: usize = 64;
        self.held.push((held, weight));
        self.bytes += weight;
        if self.held.len() > 2 * self.in_use + FEW {
            self.look_at_all();
        }
    }

    /// Forgets items that were dropped. A full examination looks at each item; with many of them it
    /// does not run every time that memory is short.
    pub(super) fn sweep(&mut self) {
        const LOOKED_AT: usize = 32;
        self.unswept += LOOKED_AT;
        if self.unswept >= self.held.len() {
            self.look_at_all();
        }
    }

    fn look_at_all(&mut self) {
        self.unswept = 0;
        work::count(self.held.len());
        let mut bytes = 0;
        self.held.retain(|(held, weight)| {
            let counts = held.counts();
            bytes += if counts { *weight } else { 0 };
            counts
        });
        self.bytes = bytes;
        self.in_use = self.held.len();
    }

    /// Returns the bytes of all items.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the bytes of the list itself.
    pub(super) fn weight(&self) -> usize {
        rounded_up(self.held.capacity() * size_of::<(Held, usize)>())
    }

    /// Panics if the books do not agree with a recount, or one of the objects is stored.
    pub(super) fn check(&self, stored: &HashSet<*const Object>) {
        let twice = |held: &Held| match held {
            Held::Object(object) => stored.contains(&object.as_ptr()),
            Held::Content(_) => false,
        };
        assert!(!self.held.iter().any(|(held, _)| twice(held)), "stored objects are not detached");
        let bytes = self.held.iter().map(|(_, weight)| weight).sum::<usize>();
        assert_eq!(bytes, self.bytes, "detached bytes are counted");
    }
}
