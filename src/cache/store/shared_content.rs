//! Stored content, shared by several stored responses.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::alloc_size::rounded_up;

use super::content::Content;

/// Consecutive bytes of content, with the number of stored responses that have it. An updated
/// response shares its content with the former one; its memory counts once.
#[derive(Debug, Default)]
pub struct SharedContent {
    content: Content,
    stored: AtomicU32,
}

impl SharedContent {
    /// Creates content that no stored response has yet.
    #[must_use]
    pub const fn of(content: Content) -> Self {
        Self { content, stored: AtomicU32::new(0) }
    }

    pub(super) fn into_content(self) -> Content {
        self.content
    }

    /// Counts one more stored response with this content. Returns the number before.
    pub(super) fn store(&self) -> u32 {
        self.stored.fetch_add(1, Relaxed)
    }

    /// Counts one stored response less with this content. Returns the number that remains.
    pub(super) fn unstore(&self) -> u32 {
        self.stored.fetch_sub(1, Relaxed) - 1
    }

    /// Returns true if a stored response has this content.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.load(Relaxed) > 0
    }

    /// Returns the bytes that the content takes on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        rounded_up(size_of::<Self>() + 2 * size_of::<usize>()) + self.content.weight()
    }
}

/// A clone is separate content, which no stored response has.
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
