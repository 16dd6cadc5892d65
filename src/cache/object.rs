//! A stored response: immutable, shared with those it is being sent to.

use std::sync::Arc;
use std::time::Instant;

use crate::heap::taken;
use crate::http::cond::{self, Validators};
use crate::http::range::{self, Selected};
use crate::http::{Fields, Method, RequestHead, Status};

use super::extents::Extents;
use super::policy::Freshness;
use super::tags::Tags;
use super::vary::Selection;

/// A response, whole or in parts. Updating one, after a 304, makes another that shares its content.
#[derive(Debug)]
pub struct Object {
    /// The status.
    pub status: Status,
    /// The head as it is sent, without what depends on the moment (`Age`) and without the empty
    /// line.
    pub head: Fields,
    /// The content, or what is here of it.
    pub content: Extents,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Which requests it answers.
    pub selection: Selection,
    /// What it can be purged by, beside its URI.
    pub tags: Tags,
}

impl Object {
    /// How many bytes the content has as a whole.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.content.length()
    }

    /// Whether all is here that it would be answered with. What is not whole answers nothing but
    /// ranges that are (RFC 9111 §3.3).
    #[must_use]
    pub fn covers(&self, request: &RequestHead) -> bool {
        if self.content.is_whole() {
            return true;
        }
        let validators = Validators::of(&self.head);
        let here = |&(first, end): &(u64, u64)| self.content.hole_in(first, end).is_none();
        request.method() == Method::Get
            && match range::select(request.fields(), &validators, self.length()) {
                Selected::Whole => false,
                Selected::Nothing => true,
                Selected::Parts(parts) => parts.iter().all(here),
            }
    }

    /// The one stretch that `request` would be answered with; none if it asks for several, for none
    /// at all, or for something only the origin knows.
    #[must_use]
    pub fn wanted_by(&self, request: &RequestHead) -> Option<(u64, u64)> {
        let fields = request.fields();
        if request.method() != Method::Get
            || request.framing().has_content()
            || cond::is_conditional(fields)
            || cond::guards_a_change(fields)
        {
            return None;
        }
        match range::select(fields, &Validators::of(&self.head), self.length()) {
            Selected::Whole => Some((0, self.length())),
            Selected::Parts(parts) if parts.len() == 1 => Some(parts[0]),
            Selected::Parts(_) | Selected::Nothing => None,
        }
    }

    /// The same with what `older` has of it besides, if that is of the same representation for sure
    /// (RFC 9111 §3.4).
    #[must_use]
    pub fn combined_with(&self, older: &Self) -> Option<Self> {
        let same = self.status == older.status
            && self.length() == older.length()
            && Validators::of(&self.head).are_strongly(&Validators::of(&older.head));
        same.then(|| {
            let mut content = self.content.clone();
            older.content.parts().iter().for_each(|part| content.add(part));
            let (head, selection) = (self.head.clone(), self.selection.clone());
            Self {
                status: self.status,
                head,
                content,
                freshness: self.freshness,
                selection,
                tags: self.tags.clone(),
            }
        })
    }

    /// What it takes of memory, with the content and what the allocator adds.
    #[must_use]
    pub fn weight(&self) -> usize {
        const ITSELF: usize = taken(size_of::<Object>() + 2 * size_of::<usize>()); // two counters
        let said = self.head.weight() + self.selection.weight() + self.tags.weight();
        ITSELF + said + self.content.weight()
    }

    /// Whether `request`, which it was not fetched for, may be answered with it.
    #[must_use]
    pub fn answers(&self, request: &RequestHead, now: Instant) -> bool {
        self.freshness.allows(request, now) && self.selection.fits(request) && self.covers(request)
    }
}

/// One worker may hand objects to another.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Object>>();
};
