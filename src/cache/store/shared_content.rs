//! Stored content, shared by the responses that have it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::alloc_size::rounded_up;

use super::content::Content;

/// Consecutive bytes of content, and how many stored responses have them. A response that was updated
/// shares its content with the one before; the memory of that is counted once.
#[derive(Debug, Default)]
pub struct SharedContent {
    content: Content,
    stored: AtomicU32,
}

impl SharedContent {
    /// Content that no stored response has yet.
    #[must_use]
    pub const fn of(content: Content) -> Self {
        Self { content, stored: AtomicU32::new(0) }
    }

    pub(super) fn into_content(self) -> Content {
        self.content
    }

    /// Says that one more stored response has it; returns how many had it before.
    pub(super) fn store(&self) -> u32 {
        self.stored.fetch_add(1, Relaxed)
    }

    /// Says that one stored response less has it; returns how many have it still.
    pub(super) fn unstore(&self) -> u32 {
        self.stored.fetch_sub(1, Relaxed) - 1
    }

    /// Returns true if a stored response has it.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.load(Relaxed) > 0
    }

    /// Returns the bytes it takes on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        rounded_up(size_of::<Self>() + 2 * size_of::<usize>()) + self.content.weight()
    }
}

/// The clone is other content, which no stored response has.
impl Clone for SharedContent {
    fn clone(&self) -> Self {
        Self::of(self.content.clone())
    }
}

impl PartialEq for SharedContent {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

impl Eq for SharedContent {}

impl Deref for SharedContent {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.content
    }
}

impl DerefMut for SharedContent {
    fn deref_mut(&mut self) -> &mut Content {
        &mut self.content
    }
}
