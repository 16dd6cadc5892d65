//! A stored response: immutable, shared with those it is being sent to.

use std::sync::Arc;
use std::time::Instant;

use crate::http::{Fields, RequestHead, Status};

use super::content::Content;
use super::policy::Freshness;
use super::tags::Tags;
use super::vary::Selection;

/// A whole response. Updating one, after a 304, makes another that shares its content.
#[derive(Debug)]
pub struct Object {
    /// The status.
    pub status: Status,
    /// The head as it is sent, without what depends on the moment (`Age`) and without the empty
    /// line.
    pub head: Fields,
    /// All of the content.
    pub content: Content,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Which requests it answers.
    pub selection: Selection,
    /// What it can be purged by, beside its URI.
    pub tags: Tags,
}

impl Object {
    /// How many bytes the content has.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.content.end()
    }

    /// What it takes of memory, with the content and what the allocator adds.
    #[must_use]
    pub fn weight(&self) -> usize {
        const ITSELF: usize = size_of::<Object>() + 2 * size_of::<usize>() + 3 * 16;
        let content = usize::try_from(self.content.end()).unwrap_or(usize::MAX);
        ITSELF
            .saturating_add(content)
            .saturating_add(self.content.overhead() + self.head.weight() + self.selection.weight())
            .saturating_add(self.tags.weight())
    }

    /// Whether `request`, which it was not fetched for, may be answered with it.
    #[must_use]
    pub fn answers(&self, request: &RequestHead, now: Instant) -> bool {
        self.freshness.allows(request, now) && self.selection.fits(request)
    }
}

/// One worker may hand objects to another.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Object>>();
};
